//! What the answers to a turn are made of, in the order in which they are said.

/// Somebody begins to speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Begins {
    /// The number of the member.
    pub(crate) speaker: usize,
    /// Whether somebody adds to an answer.
    pub(crate) is_second: bool,
    /// `model` or `built_in`.
    pub(crate) source: &'static str,
    /// The model's reason, where it decided who speaks.
    pub(crate) why: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Begins(Begins),
    Sentence(String),
    /// The rest never comes.
    Broken,
}
