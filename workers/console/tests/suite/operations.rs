//! The pages for people who operate Debrief.

mod dead_letters;
mod effects;
mod installation;
mod queues;
