//! `wasmill plugin pipe`: one plugin in the production engine, driven over a pipe. The SDK's harness speaks it.
//!
//! The first line out is `{"loaded":{"protocol":2,"name","version","digest","kinds","configured_per_instance",
//! "reads":[{"path","kind","required","lookup"}],"writes":[{"path","kind"}],"state","limits"}}`. Then each line in is a request, a JSON
//! object with one key, and each line out its answer. Bytes stand as text under a name, or as base64 under `NAME_base64`; times are
//! nanoseconds since 1970.
//!
//! | request | does |
//! |---|---|
//! | `{"events":[{"payload","time_ns"}]}` | runs a batch; an event without payload is a tombstone |
//! | `{"replay":true}` | runs the last batch again, with the state from before it: what a crash before its commit does |
//! | `{"restart":true}` | goes on as a new process would: with the state alone, the plugin in a fresh instance, its breaker closed |
//! | `{"swap":{"file","config","limits"}}` | has another file, configuration or limits serve from the next batch on; what is not named stays |
//! | `{"state":{"put":[{"key","value","expires_ns","wake_ns"}],"now_ns"}}` | seeds the state and its clock, where there is anything to put, and tells all of it |
//! | `{"lookups":{"192.0.2.7":"a name"}}` | sets what look-ups are answered from now on; also `null` and `{"name","delay_ms","fails"}` |
//! | `{"torture":true}` | tells the hostile events for this plugin ([`crate::torture`]), made for an event that is given in place of `true` |
//!
//! A batch, and one that is replayed, is answered by `{"events":[{"outcome":"passed","payload"} | {"outcome":"dropped"} |
//! {"outcome":"rejected","stage","code","reason"}],"alerts":[..],"log":[{"level","text"}],"looked_up":{"192.0.2.7":"a name"},"fuel",
//! "calls","memory_bytes","first_offset"}`, the state by `{"state":[{"key","value","expires_ns","wake_ns"}],"now_ns"}`, torture by
//! `{"torture":[{"what","payload","time_ns","code"}]}`, a swap as the first line, and the others by `{"done":true}`.
//!
//! Any answer may be `{"error":"..."}`, in the words that an operator would read: the plugin is broken, a swap is refused, the request is
//! wrong. The state is then as before, and a plugin that served serves on.

mod answer;
mod home;
mod lane;
mod names;
mod request;

use std::io::{BufRead, Write};

use serde_json::{Value, json};

use crate::cli::PipeArgs;
use crate::commands::Exit;
use lane::{Lane, Loader, Setup};
use names::Names;

/// Answers requests until standard input ends.
///
/// # Errors
/// When standard input or output fail.
pub fn run(args: &PipeArgs) -> anyhow::Result<Exit> {
    let mut out = std::io::stdout().lock();
    let mut lane = match begin(args) {
        Ok(lane) => lane,
        Err(reason) => {
            writeln!(out, "{}", json!({ "error": reason }))?;
            return Ok(Exit::bad_setup(reason));
        }
    };
    writeln!(out, "{}", answer::loaded(lane.plugin()))?;
    out.flush()?;
    for line in std::io::stdin().lock().lines() {
        writeln!(out, "{}", answer(&mut lane, &line?))?;
        out.flush()?;
    }
    Ok(Exit::success())
}

fn begin(args: &PipeArgs) -> Result<Lane, String> {
    let setup = Setup {
        file: args.file.clone(),
        config: serde_json::from_str(&args.config).map_err(|error| format!("--config is no JSON: {error}"))?,
        limits: serde_json::from_str(&args.limits).map_err(|error| format!("--limits: {error}"))?,
    };
    let names = args.reverse_dns.as_deref().map(serde_json::from_str::<Names>).transpose();
    let names = names.map_err(|error| format!("--reverse-dns: {error}"))?;
    Lane::begin(Loader::new(names.is_some(), args.cache.as_deref())?, setup, names.unwrap_or_default())
}

fn answer(lane: &mut Lane, line: &str) -> Value {
    let request = serde_json::from_str(line).map_err(|error| format!("the request is wrong: {error}"));
    request.and_then(|request| lane.answer(request)).unwrap_or_else(|reason| json!({ "error": reason }))
}
