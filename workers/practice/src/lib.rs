//! Practice: a salesperson rehearses a meeting with one to three representatives of a company.

pub mod temperament;
pub mod who;
