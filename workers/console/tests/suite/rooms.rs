//! The pages of live calls and of practice.

mod live;
mod meetings;
mod practice;
mod practice_deletes;
mod practice_sound;
