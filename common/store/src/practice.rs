//! What practice keeps: salespeople with their materials, companies with their representatives, meetings and their turns.

mod companies;
mod floor;
mod listing;
mod meetings;
mod salespersons;
mod turns;

pub use companies::{CompanyRow, NewCompany, NewRepresentative, RepresentativeRow};
pub use floor::FloorClaim;
pub use listing::MaterialHead;
pub use meetings::{MeetingRow, MeetingStatus, NewMeeting};
pub use salespersons::{Salesperson, SalespersonRow, StoredMaterialFile};
pub use turns::{NewTurn, TurnRow, TurnState};

/// The longest text that a person types here, in characters. What was read in a file may be longer.
const MAX_TEXT_CHARS: usize = 20_000;
/// The longest content of one file, in characters.
const MAX_CONTENT_CHARS: usize = 400_000;
