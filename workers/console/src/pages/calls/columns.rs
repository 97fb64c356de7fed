//! The columns of the list of calls, of which the visitor chooses some.

use domain::analysis::Tone;
use domain::call::{CallDetails, Direction};
use store::ListedCall;

use crate::texts::CallsTexts;
use crate::{Console, Fields, show};

/// The field of the address that names a column. It comes once for each column.
pub(super) const FIELD: &str = "column";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Column {
    With,
    Direction,
    Length,
    Agent,
    Team,
    Source,
    Tone,
    Status,
    Subject,
    From,
    To,
    SourceId,
    Arrived,
}

/// What a cell of the list shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) text: String,
    pub(super) looks: Looks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Looks {
    Text,
    Number,
    /// A word for a state, in the colour of the state.
    Badge,
}

impl Column {
    pub(crate) const ALL: [Self; 13] = [
        Self::With,
        Self::Direction,
        Self::Length,
        Self::Agent,
        Self::Team,
        Self::Source,
        Self::Tone,
        Self::Status,
        Self::Subject,
        Self::From,
        Self::To,
        Self::SourceId,
        Self::Arrived,
    ];
    /// The columns of a list for which nobody chose any.
    const USUAL: [Self; 7] =
        [Self::With, Self::Direction, Self::Length, Self::Agent, Self::Source, Self::Tone, Self::Status];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::With => "with",
            Self::Direction => "direction",
            Self::Length => "length",
            Self::Agent => "agent",
            Self::Team => "team",
            Self::Source => "source",
            Self::Tone => "tone",
            Self::Status => "status",
            Self::Subject => "subject",
            Self::From => "from",
            Self::To => "to",
            Self::SourceId => "source_id",
            Self::Arrived => "arrived",
        }
    }

    pub(super) fn words(self, texts: &CallsTexts) -> &'static str {
        match self {
            Self::With => texts.with,
            Self::Direction => texts.direction,
            Self::Length => texts.length,
            Self::Agent => texts.agent,
            Self::Team => texts.team,
            Self::Source => texts.source,
            Self::Tone => texts.tone,
            Self::Status => texts.status,
            Self::Subject => texts.subject,
            Self::From => texts.from_number,
            Self::To => texts.to_number,
            Self::SourceId => texts.source_id,
            Self::Arrived => texts.arrived,
        }
    }

    pub(super) fn looks(self) -> Looks {
        match self {
            Self::Length => Looks::Number,
            Self::Tone | Self::Status => Looks::Badge,
            _ => Looks::Text,
        }
    }

    /// The columns that the address names, in the order of the list, or the usual ones. `None` where one of them does not
    /// exist.
    pub(super) fn chosen(fields: &Fields) -> Option<Vec<Self>> {
        let mut chosen = Vec::new();
        for name in fields.all(FIELD).filter(|name| !name.is_empty()) {
            chosen.push(Self::ALL.into_iter().find(|column| column.name() == name)?);
        }
        if chosen.is_empty() {
            return Some(Self::USUAL.to_vec());
        }
        Some(Self::ALL.into_iter().filter(|column| chosen.contains(column)).collect())
    }

    pub(super) fn cell(self, listed: &ListedCall, console: &Console, texts: &CallsTexts) -> Cell {
        let call = &listed.call;
        let details = &call.details;
        let said = |text: fn(&CallDetails) -> Option<&String>| {
            show::shortened(text(details).map(String::as_str).unwrap_or_default())
        };
        let text = match self {
            Self::With => {
                let parties = console.installation.lines.parties(call);
                let number =
                    parties.customer.or(details.from_number.as_deref()).or(details.to_number.as_deref());
                show::shortened(number.or(details.topic.as_deref()).unwrap_or(&call.external_id))
            }
            Self::Direction => match listed.direction {
                Some(Direction::Incoming) => texts.incoming.to_owned(),
                Some(Direction::Outgoing) => texts.outgoing.to_owned(),
                None => String::new(),
            },
            Self::Length => listed.duration_ms.map(show::milliseconds).unwrap_or_default(),
            Self::Agent => said(|details| details.agent_name.as_ref()),
            Self::Team => said(|details| details.department.as_ref()),
            Self::Source => show::shortened(&call.source),
            Self::Tone => listed.tone.map_or("", Tone::name).to_owned(),
            Self::Status => call.status.name().to_owned(),
            Self::Subject => said(|details| details.topic.as_ref()),
            Self::From => said(|details| details.from_number.as_ref()),
            Self::To => said(|details| details.to_number.as_ref()),
            Self::SourceId => show::shortened(&call.external_id),
            Self::Arrived => show::time(call.received_at, console.installation.timezone),
        };
        Cell { text, looks: self.looks() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(query: &str) -> Option<Vec<&'static str>> {
        let columns = Column::chosen(&Fields::parse(query.as_bytes()))?;
        Some(columns.into_iter().map(Column::name).collect())
    }

    #[test]
    fn the_columns_stand_in_one_order_and_without_a_choice_they_are_the_usual_ones() {
        assert_eq!(chosen("column=status&column=team&column=status").unwrap(), ["team", "status"]);
        assert_eq!(chosen("status=failed").unwrap().len(), 7);
        assert_eq!(chosen("column=").unwrap().len(), 7);
        assert_eq!(chosen("column=team&column=colour"), None);
    }

    #[test]
    fn each_column_has_a_name_of_its_own() {
        let mut names: Vec<_> = Column::ALL.iter().map(|column| column.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Column::ALL.len());
    }
}
