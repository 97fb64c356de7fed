//! How the simulators are started.

use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Options {
    /// The port of the first simulator; each further one takes the next port. `None` stands for any free ports.
    pub base_port: Option<u16>,
    /// The time between the request for a transcript and its completion.
    pub transcription_time: Duration,
    /// The names of the fields that a contact has in the Salesforce org. An empty list stands for the standard fields.
    pub contact_fields: Vec<String>,
    /// Whether AssemblyAI still takes the models that it has retired. An older program asks for them.
    pub takes_retired_models: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            base_port: None,
            transcription_time: Duration::from_millis(300),
            contact_fields: Vec::new(),
            takes_retired_models: false,
        }
    }
}
