//! Look-ups whose answers are a script: what is answered for an address, and how late. No time passes; an answer that would come after a
//! pipeline's deadline is not there for the batch that asked, and is there for the next.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;

use crate::lookups::{LookedUp, ReverseDns};

/// Milliseconds that a batch waits for names, as in a pipeline by default (`lookups.reverse_dns.deadline`).
const DEADLINE_MS: u64 = 100;

/// What is answered, by address. What is not there has no name.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Names(HashMap<IpAddr, Script>);

/// What is answered for one address.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Script {
    Name(Option<Arc<str>>),
    Scripted(Answer),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    name: Option<Arc<str>>,
    #[serde(default)]
    delay_ms: u64,
    /// Nobody answers, or with an error: nothing is known of the address, whoever asks how often.
    #[serde(default)]
    fails: bool,
}

impl Names {
    /// Whom the next batch asks.
    pub(super) fn service(&self) -> ReverseDns {
        let in_time = self.0.iter().filter_map(|(address, script)| {
            let name = match script {
                Script::Name(name) => name,
                Script::Scripted(answer) if answer.fails || answer.is_late() => return None,
                Script::Scripted(answer) => &answer.name,
            };
            Some((address.to_canonical(), name.clone()))
        });
        ReverseDns::of_table(in_time.collect())
    }

    /// Takes note that these addresses have been asked for: what came too late for this batch is there for the next. Whether there is any.
    pub(super) fn asked(&mut self, looked_up: &LookedUp) -> bool {
        let mut is_late = false;
        for (address, script) in &mut self.0 {
            if let Script::Scripted(answer) = script
                && answer.is_late()
                && looked_up.contains_key(&address.to_canonical().to_string())
            {
                answer.delay_ms = 0;
                is_late = true;
            }
        }
        is_late
    }
}

impl Answer {
    fn is_late(&self) -> bool {
        self.delay_ms > DEADLINE_MS
    }
}
