//! `wasmill offsets`: look at the positions of a pipeline, or change them. A lane that holds the partition is fenced and goes on
//! from the new position.

use std::path::Path;

use serde_json::json;
use wasmill_core::PartitionId;

use crate::cli::{OffsetsArgs, OffsetsCommand, Output};
use crate::commands::{Exit, home_of, load, print};
use crate::config::{Config, SourceConfig};
use crate::kafka;
use crate::store::Store;

/// Runs one of the sub-commands.
///
/// # Errors
/// When home or the brokers do not answer.
pub async fn run(args: &OffsetsArgs) -> anyhow::Result<Exit> {
    let file = match &args.command {
        OffsetsCommand::Show(args) => &args.config,
        OffsetsCommand::Set(args) => &args.config,
        OffsetsCommand::AcceptGap(args) => &args.config,
    };
    let (config, home) = match opened(file).await {
        Ok(opened) => opened,
        Err(exit) => return Ok(exit),
    };
    match &args.command {
        OffsetsCommand::Show(args) => show(&home, args.format).await,
        OffsetsCommand::Set(args) => {
            let place = (args.topic.as_str(), args.partition);
            set(&home, place, args.offset).await
        }
        OffsetsCommand::AcceptGap(args) => {
            let SourceConfig::Kafka(kafka) = &config.source else {
                return Ok(Exit::failed("only a Kafka source has gaps to accept"));
            };
            let earliest = kafka::earliest_offset(kafka, &args.topic, args.partition).await?;
            accept_gap(&home, (&args.topic, args.partition), earliest).await
        }
    }
}

async fn opened(file: &Path) -> Result<(Config, Store), Exit> {
    let config = load(file)?;
    let without = "this pipeline has no home with a ledger: its position is the consumer group's committed offset, which Kafka's own \
                   tools show and set";
    let home = home_of(&config, without).await?;
    Ok((config, home))
}

async fn show(home: &Store, format: Output) -> anyhow::Result<Exit> {
    let positions = home.positions().await?;
    for (partition, next_offset) in &positions {
        let line = match format {
            Output::Json => json!({ "partition": partition, "next_offset": next_offset }).to_string(),
            Output::Text => format!("{partition}  next offset {next_offset}  topic id {}", partition.topic_id),
        };
        print(&format!("{line}\n"));
    }
    if positions.is_empty() && format == Output::Text {
        print("no partition is known yet\n");
    }
    Ok(Exit::success())
}

async fn set(home: &Store, place: (&str, i32), next_offset: i64) -> anyhow::Result<Exit> {
    match known(home, place).await? {
        None => Ok(unknown(place)),
        Some((partition, before)) => {
            home.set_offset(&partition, next_offset).await?;
            print(&format!("{partition}: {before} -> {next_offset}\n"));
            Ok(Exit::success())
        }
    }
}

async fn accept_gap(home: &Store, place: (&str, i32), earliest: i64) -> anyhow::Result<Exit> {
    match known(home, place).await? {
        None => Ok(unknown(place)),
        Some((partition, before)) if earliest <= before => Ok(Exit::failed(format!(
            "{partition} has no gap: the ledger is at {before}, and the broker has events from {earliest} on"
        ))),
        Some((partition, before)) => {
            home.accept_gap(&partition, before, earliest).await?;
            print(&format!("{partition}: offsets {before} to {earliest} (exclusive) are recorded as lost\n"));
            Ok(Exit::success())
        }
    }
}

/// The ledger's row; of topics that were made anew under the same name, the one that moved last.
async fn known(home: &Store, (topic, number): (&str, i32)) -> anyhow::Result<Option<(PartitionId, i64)>> {
    let mut positions = home.positions().await?;
    positions.retain(|(partition, _)| partition.topic == topic && partition.partition == number);
    Ok(positions.pop())
}

fn unknown((topic, number): (&str, i32)) -> Exit {
    Exit::failed(format!(
        "the ledger does not know partition {number} of {topic}; `wasmill offsets show` lists what it knows"
    ))
}
