//! An answer before it is said.

/// An answer that is ready to be said.
pub(crate) struct Ready {
    pub(crate) first: (usize, Vec<String>),
    pub(crate) second: Option<(usize, Vec<String>)>,
    pub(crate) source: &'static str,
    /// The model's reason, where it decided.
    pub(crate) why: Option<String>,
}
