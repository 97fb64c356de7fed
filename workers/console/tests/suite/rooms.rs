//! The pages of live calls and of practice.

mod live;
mod meetings;
mod practice;
