//! `debrief topology`: the queues on the broker, declared, compared, or printed.

use std::process::ExitCode;

use anyhow::Context as _;
use common::config::{ConfigError, Values};
use queue_topology::broker::{self, Amqp, Broker as _};
use queue_topology::export;

use crate::cli::{Ended, FAILED};
use crate::deployment::StartError;

fn connect(values: &Values) -> Result<Amqp, StartError> {
    let address = values
        .secret("AMQP_URL")
        .ok_or_else(|| ConfigError::new("AMQP_URL", "is not set: embedded queues need no topology"))?;
    Ok(Amqp::start(&address, &broker::prefix(values)?).context("connect to the broker")?)
}

pub(crate) async fn apply(values: &Values) -> Ended {
    let broker = connect(values)?;
    let declared = broker.declare().await;
    broker.close().await;
    declared.context("declare the queues")?;
    println!("every exchange, queue and binding is there");
    Ok(ExitCode::SUCCESS)
}

pub(crate) async fn check(values: &Values) -> Ended {
    let broker = connect(values)?;
    let differences = broker.check().await;
    broker.close().await;
    let differences = differences.context("compare the queues")?;
    for difference in &differences {
        println!("{difference}");
    }
    if differences.is_empty() {
        println!("every exchange, queue and binding is as it should be");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::from(FAILED))
}

pub(crate) fn export(values: &Values) -> Ended {
    let definitions = export::Layout::new(&broker::prefix(values)?).definitions("/");
    println!("{}", serde_json::to_string_pretty(&definitions).context("print the definitions")?);
    Ok(ExitCode::SUCCESS)
}
