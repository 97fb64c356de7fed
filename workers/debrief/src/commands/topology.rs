//! `debrief topology`: declares, compares or prints the queues on the broker.

use std::process::ExitCode;

use anyhow::Context as _;
use platform::config::{ConfigError, Values};
use queue_topology::broker::{self, Amqp, Broker as _};
use queue_topology::layout::Layout;

use crate::deployment::StartError;
use crate::management::{management, vhost};
use crate::outcome::{Ended, FAILED};

fn connect(values: &Values) -> Result<Amqp, StartError> {
    let address = values
        .secret("AMQP_URL")
        .ok_or_else(|| ConfigError::new("AMQP_URL", "is not set: embedded queues need no topology"))?;
    Ok(Amqp::start(&address, &broker::prefix(values)?).context("connect to the broker")?)
}

const NO_MANAGEMENT: &str =
    "bindings and policies can be compared, and policies set, only where RABBITMQ_MANAGEMENT_URL is set";

fn layout(values: &Values) -> Result<Layout, ConfigError> {
    Ok(Layout::new(&broker::prefix(values)?))
}

pub(crate) async fn apply(values: &Values) -> Ended {
    let broker = connect(values)?;
    let declared = broker.declare().await;
    broker.close().await;
    declared.context("declare the queues")?;
    say!("every exchange, queue and binding is there");
    match management(values)? {
        Some(management) => {
            management.apply(&layout(values)?).await.context("set the policies")?;
            say!("every policy is there");
        }
        None => say!("{NO_MANAGEMENT}"),
    }
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn check(values: &Values) -> Ended {
    let broker = connect(values)?;
    let differences = broker.check().await;
    broker.close().await;
    let mut differences = differences.context("compare the queues")?;
    match management(values)? {
        Some(management) => {
            let more = management.check(&layout(values)?).await.context("compare bindings and policies")?;
            differences.extend(more);
        }
        None => say!("{NO_MANAGEMENT}"),
    }
    for difference in &differences {
        say!("{difference}");
    }
    if differences.is_empty() {
        say!("everything that was looked at is as it should be");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(FAILED))
}

pub(crate) fn export(values: &Values) -> Ended {
    let definitions = layout(values)?.definitions(&vhost(values));
    say!("{}", serde_json::to_string_pretty(&definitions).context("print the definitions")?);
    Ok(ExitCode::SUCCESS)
}
