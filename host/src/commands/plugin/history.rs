//! `wasmill plugin history`: which plugins served when.

use std::fmt::Write;
use std::path::Path;

use serde_json::json;

use crate::cli::{HistoryArgs, Output};
use crate::commands::{Exit, home_of, load, print};
use crate::history::{Served, ServedPlugin};
use crate::store::Store;

/// Hexadecimal digits of a digest that people are shown.
const SHOWN: usize = 12;

/// Prints every generation that home knows of, in their order.
///
/// # Errors
/// When home does not answer.
pub(super) async fn run(args: &HistoryArgs) -> anyhow::Result<Exit> {
    let home = match home(&args.config).await {
        Ok(home) => home,
        Err(exit) => return Ok(exit),
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

async fn home(file: &Path) -> Result<Store, Exit> {
    home_of(&load(file)?, "this pipeline has no home, which is what keeps the history of its plugins").await
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
