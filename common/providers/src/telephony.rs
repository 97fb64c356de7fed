//! Telephony providers, as far as we fetch call details and recordings from them.

pub mod exotel;
