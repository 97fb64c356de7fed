//! Says on which side the speakers of a transcript are, where their call names them.

use crate::call::{Call, Role};
use crate::person_name::folded;
use crate::transcript::Transcript;

impl Role {
    /// Whether who plays this part speaks for us.
    pub const fn is_ours(self) -> bool {
        match self {
            Self::Agent | Self::Host | Self::Presenter => true,
            Self::Customer | Self::Participant => false,
        }
    }
}

/// Gives each segment without a role the role of the call's participant with the same name.
pub fn with_roles(mut transcript: Transcript, call: &Call) -> Transcript {
    for segment in transcript.segments.iter_mut().filter(|segment| segment.role.is_none()) {
        let Some(speaker) = segment.speaker.as_deref().map(folded) else { continue };
        segment.role = call
            .details
            .participants
            .iter()
            .find(|person| person.name.as_deref().is_some_and(|name| folded(name) == speaker))
            .and_then(|person| person.role);
    }
    transcript
}
