//! What a company's own pages say about it: fetched with care, and each fact with the sentence and the address that say so.

mod facts;
mod page;
mod robots;
mod site;

pub use facts::facts;
pub use page::Page;
pub use site::{Site, Visit};
