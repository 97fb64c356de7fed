//! The layout of the queues on RabbitMQ: names, arguments, bindings and limits, as plain values. A process declares
//! what is here, `topology check` compares the broker with it, and `topology export` writes it to a file.
//!
//! Whatever delivery depends on is an argument of a queue, because a process can declare arguments itself. Size limits
//! are policies, because an operator may want another limit without making a new queue. AMQP cannot set policies.

use std::fmt;

use serde_json::{Value, json};

use crate::table::{self, Lane, QueueSpec};

/// How often a message may be delivered before RabbitMQ takes it for poison. Our rows decide what is poison, after three
/// crashes. RabbitMQ's own default of 20 would also hit messages that were only delivered beside the poison. Nothing relies
/// on what counts: from RabbitMQ 4.3 on, a message that is given back (`basic.nack`) does not count any more.
const DELIVERY_LIMIT: i64 = 1000;

/// Something on the broker that is not as the layout says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The object does not exist. Its name is like `queue debrief.crm`.
    Missing(String),
    /// The object exists in another form. The arguments of a queue cannot be changed, so the queue has to be emptied
    /// and deleted.
    Other { what: String, found: String },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(what) => write!(f, "{what} is missing"),
            Self::Other { what, found } => write!(f, "{what} is not as it should be: {found}"),
        }
    }
}

/// All objects whose names begin with one prefix.
#[derive(Clone, Debug)]
pub struct Layout {
    prefix: String,
    /// The names of durable topic exchanges.
    pub exchanges: Vec<String>,
    pub queues: Vec<QueueDefinition>,
    pub bindings: Vec<Binding>,
    pub limits: Vec<Limit>,
}

/// A durable quorum queue.
#[derive(Clone, Debug, PartialEq)]
pub struct QueueDefinition {
    pub name: String,
    pub arguments: Vec<(&'static str, Argument)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    Text(String),
    Number(i64),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub exchange: String,
    pub queue: String,
    pub key: String,
}

/// A policy that limits the length of queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    pub name: String,
    /// A regular expression over queue names.
    pub pattern: String,
    pub max_length: u32,
}

impl Layout {
    pub fn new(prefix: &str) -> Self {
        let mut layout = Self {
            prefix: prefix.to_owned(),
            exchanges: Vec::new(),
            queues: Vec::new(),
            bindings: Vec::new(),
            limits: Vec::new(),
        };
        layout.exchanges = vec![layout.events(), layout.dead()];
        // This is declared before the other queues, so that a rejected message always has a queue to go to.
        layout.queues.push(QueueDefinition { name: layout.dead(), arguments: arguments(None) });
        layout.bindings.push(Binding { exchange: layout.dead(), queue: layout.dead(), key: "#".into() });
        for spec in &table::ALL {
            layout.add(spec);
        }
        layout
    }

    fn add(&mut self, spec: &QueueSpec) {
        for lane in Lane::BOTH {
            let queue = self.queue(spec.stage, lane);
            self.queues
                .push(QueueDefinition { name: queue.clone(), arguments: arguments(Some(self.dead())) });
            if !spec.is_optional {
                self.bindings.push(Binding { exchange: self.events(), queue, key: key(spec.key, lane) });
            }
        }
        if let Some(max_length) = spec.max_length {
            let name = self.queue(spec.stage, Lane::Live);
            let pattern = format!("^{}({})?$", escape(&name), escape(Lane::Bulk.suffix()));
            self.limits.push(Limit { name: format!("{name}.limit"), pattern, max_length });
        }
    }

    pub fn events(&self) -> String {
        format!("{}.events", self.prefix)
    }

    /// The name of the exchange for rejected messages, and of its queue.
    pub fn dead(&self) -> String {
        format!("{}.dead", self.prefix)
    }

    pub fn queue(&self, stage: &str, lane: Lane) -> String {
        format!("{}.{stage}{}", self.prefix, lane.suffix())
    }

    /// The stage that a queue belongs to.
    pub fn stage_of(&self, queue: &str) -> Option<String> {
        let name = queue.strip_prefix(&self.prefix)?.strip_prefix('.')?;
        Some(name.strip_suffix(Lane::Bulk.suffix()).unwrap_or(name).to_owned())
    }

    /// The content of a definitions file, for `rabbitmqctl import_definitions` or the management API.
    pub fn definitions(&self, vhost: &str) -> Value {
        let exchanges: Vec<Value> = self
            .exchanges
            .iter()
            .map(|name| {
                json!({"name": name, "vhost": vhost, "type": "topic", "durable": true,
                       "auto_delete": false, "internal": false, "arguments": {}})
            })
            .collect();
        let queues: Vec<Value> = self
            .queues
            .iter()
            .map(|queue| {
                let arguments: serde_json::Map<String, Value> =
                    queue.arguments.iter().map(|(name, value)| ((*name).to_owned(), value.json())).collect();
                json!({"name": queue.name, "vhost": vhost, "durable": true,
                       "auto_delete": false, "arguments": arguments})
            })
            .collect();
        let bindings: Vec<Value> = self
            .bindings
            .iter()
            .map(|binding| {
                json!({"source": binding.exchange, "vhost": vhost, "destination": binding.queue,
                       "destination_type": "queue", "routing_key": binding.key, "arguments": {}})
            })
            .collect();
        let policies: Vec<Value> = self
            .limits
            .iter()
            .map(|limit| {
                let mut policy = limit.policy();
                policy["name"] = json!(limit.name);
                policy["vhost"] = json!(vhost);
                policy
            })
            .collect();
        json!({"exchanges": exchanges, "queues": queues, "bindings": bindings, "policies": policies})
    }
}

impl Argument {
    pub fn json(&self) -> Value {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
        }
    }
}

impl Limit {
    /// The body of the policy, as the management API takes it. A queue argument says what happens to a message above the
    /// limit.
    pub fn policy(&self) -> Value {
        json!({"pattern": self.pattern, "apply-to": "queues", "priority": 1,
               "definition": {"max-length": self.max_length}})
    }
}

/// The routing key of an event on a lane.
pub(crate) fn key(key: &str, lane: Lane) -> String {
    format!("{key}{}", lane.suffix())
}

fn arguments(dead: Option<String>) -> Vec<(&'static str, Argument)> {
    let text = |value: &str| Argument::Text(value.to_owned());
    let mut arguments = vec![
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", Argument::Number(DELIVERY_LIMIT)),
        ("x-overflow", text("reject-publish")),
    ];
    if let Some(dead) = dead {
        // The default strategy, at-most-once, can lose messages that it moves.
        arguments.push(("x-dead-letter-exchange", Argument::Text(dead)));
        arguments.push(("x-dead-letter-strategy", text("at-least-once")));
    }
    arguments
}

/// Makes a regular expression for a name. Names hold only letters, digits, `-`, `_` and `.`, and of these only the dot
/// has a meaning there.
fn escape(name: &str) -> String {
    name.replace('.', "\\.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stage_has_a_queue_a_lane_and_its_event() {
        let layout = Layout::new("debrief");
        assert_eq!(layout.queues.len(), 2 * table::ALL.len() + 1);
        let bound = |queue: &str| -> Vec<&str> {
            layout.bindings.iter().filter(|b| b.queue == queue).map(|b| b.key.as_str()).collect()
        };
        assert_eq!(bound("debrief.crm"), ["call.analyzed.v1"]);
        assert_eq!(bound("debrief.crm.bulk"), ["call.analyzed.v1.bulk"]);
        assert_eq!(bound("debrief.dead"), ["#"]);
        assert_eq!(bound("debrief.score"), [""; 0], "what nobody switched on must not fill a queue");
    }

    #[test]
    fn only_the_first_queue_has_a_length_limit_and_both_its_lanes_have_it() {
        let layout = Layout::new("debrief");
        assert_eq!(
            layout.limits,
            [Limit {
                name: "debrief.dedup.limit".into(),
                pattern: r"^debrief\.dedup(\.bulk)?$".into(),
                max_length: 1_000_000
            }]
        );
    }

    #[test]
    fn the_stage_is_read_back_from_a_queue_name() {
        let layout = Layout::new("team.a");
        for lane in Lane::BOTH {
            assert_eq!(layout.stage_of(&layout.queue("slack", lane)).as_deref(), Some("slack"));
        }
        assert_eq!(layout.stage_of("other.slack"), None);
    }

    #[test]
    fn the_definitions_file_names_every_object_in_the_vhost() {
        let definitions = Layout::new("debrief").definitions("/calls");
        assert_eq!(definitions["exchanges"].as_array().unwrap().len(), 2);
        assert_eq!(definitions["policies"][0]["definition"], json!({"max-length": 1_000_000}));
        let dedup = &definitions["queues"][1];
        assert_eq!(
            *dedup,
            json!({"name": "debrief.dedup", "vhost": "/calls", "durable": true, "auto_delete": false,
                   "arguments": {"x-queue-type": "quorum", "x-delivery-limit": 1000,
                                 "x-overflow": "reject-publish", "x-dead-letter-exchange": "debrief.dead",
                                 "x-dead-letter-strategy": "at-least-once"}})
        );
    }
}
