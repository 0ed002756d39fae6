//! `wasmill plugin history`: which plugins served when.

use std::fmt::Write;

use serde_json::json;

use crate::cli::{HistoryArgs, Output};
use crate::commands::{Exit, print};
use crate::config::Config;
use crate::history::{Served, ServedPlugin};
use crate::pipeline::open_home;

/// Hexadecimal digits of a digest that people are shown.
const SHOWN: usize = 12;

/// Prints every generation that home knows of, in their order.
///
/// # Errors
/// When home does not answer.
pub async fn run(args: &HistoryArgs) -> anyhow::Result<Exit> {
    let config = match Config::load(&args.config) {
        Ok(config) => config,
        Err(mistakes) => return Ok(Exit::bad_setup(mistakes.to_string())),
    };
    let home = match open_home(&config).await {
        Ok(Some(home)) => home,
        Ok(None) => {
            return Ok(Exit::failed("this pipeline has no home, which is what keeps the history of its plugins"));
        }
        Err(error) => return Ok(Exit::bad_setup(error.to_string())),
    };
    let generations = home.generations().await?;
    for served in &generations {
        match args.format {
            Output::Json => print(&format!("{}\n", json!(served))),
            Output::Text => print(&shown(served)),
        }
    }
    if generations.is_empty() && args.format == Output::Text {
        print("no plugins have served yet\n");
    }
    Ok(Exit::success())
}

fn shown(served: &Served) -> String {
    let mut text = format!("{}  {}\n", served.served_at, short(&served.generation));
    for ServedPlugin { file, name, version, digest, config_digest } in &served.plugins {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "  {file}  {name} {version} ({})  config {}", short(digest), short(config_digest));
    }
    let starts = served.from.iter().map(|from| format!("{}[{}] {}", from.topic, from.partition, from.offset));
    let starts: Vec<String> = starts.collect();
    if !starts.is_empty() {
        let _ = writeln!(text, "  from {}", starts.join(", "));
    }
    text
}

fn short(digest: &str) -> &str {
    digest.get(..SHOWN).unwrap_or(digest)
}
