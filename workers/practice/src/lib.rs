//! Practice: a salesperson rehearses a meeting with one to three representatives of a company.

pub mod brief;
pub mod builtin;
pub mod company;
pub mod materials;
pub mod moves;
pub mod plan;
pub mod questions;
pub mod score;
pub mod sentences;
pub mod temperament;
pub mod who;
