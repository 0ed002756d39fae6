//! What a plugin has the host do for it: the share of each function of the plugin interface, in a run of its own, since measuring each call
//! costs something too.

use std::sync::Arc;

use serde::Serialize;
use wasmill_engine::{HostCall, HostCallCost, Meter};

use super::{BATCH_EVENTS, Effort, lane, thread_ns};
use crate::commands::engine::engine;
use crate::commands::plugin::subject::Subject;
use crate::solo::Given;
use crate::terminal::aligned;

/// Most rounds of batches: a figure is their mean.
const ROUNDS_MAX: usize = 5;

/// What one function came to.
#[derive(Debug, Serialize)]
pub(super) struct Share {
    function: &'static str,
    /// Of all time, from the batch to the applied answer.
    share: f64,
    ns_per_event: f64,
    calls_per_event: f64,
    bytes_in_per_event: f64,
    bytes_out_per_event: f64,
}

/// Runs the plugin with a meter. The functions that it called, in the order of the interface.
///
/// # Errors
/// When it is broken.
pub(super) fn measure(subject: &Subject, events: &[Given<'_>], effort: Effort) -> Result<Vec<Share>, String> {
    let meter = Arc::new(Meter::default());
    let plugin = subject.load_in(&engine(None, Some(Arc::clone(&meter)))?)?;
    let mut lane = lane(plugin);
    let mut run = |batches: usize| -> Result<(), String> {
        (0..batches).try_for_each(|_| lane.run(events).map(drop).map_err(|broken| broken.to_string()))
    };
    let batches = effort.rounds.min(ROUNDS_MAX) * effort.batches;
    // The first batch warms up and is not counted.
    run(1)?;
    meter.take();
    let begun = thread_ns();
    run(batches)?;
    let all = thread_ns() - begun;
    Ok(shares(&meter.take(), all, (batches * BATCH_EVENTS) as f64))
}

fn shares(costs: &[(HostCall, HostCallCost)], all_ns: f64, events: f64) -> Vec<Share> {
    let each = |total: u64| total as f64 / events;
    let called = costs.iter().filter(|(_, cost)| cost.calls > 0);
    let share = |(call, cost): &(HostCall, HostCallCost)| Share {
        function: call.name(),
        share: cost.nanos as f64 / all_ns.max(1.0),
        ns_per_event: each(cost.nanos),
        calls_per_event: each(cost.calls),
        bytes_in_per_event: each(cost.bytes_in),
        bytes_out_per_event: each(cost.bytes_out),
    };
    called.map(share).collect()
}

/// A table of them.
pub(super) fn shown(shares: &[Share]) -> String {
    if shares.is_empty() {
        return "it calls no function of the host\n".to_owned();
    }
    let head = ["functions of the host", "of the time", "ns", "calls", "bytes in", "bytes out"];
    let row = |share: &Share| {
        vec![
            share.function.to_owned(),
            format!("{:.1} %", 100.0 * share.share),
            format!("{:.1}", share.ns_per_event),
            format!("{:.3}", share.calls_per_event),
            format!("{:.1}", share.bytes_in_per_event),
            format!("{:.1}", share.bytes_out_per_event),
        ]
    };
    let rows: Vec<Vec<String>> =
        std::iter::once(head.map(str::to_owned).to_vec()).chain(shares.iter().map(row)).collect();
    aligned(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_is_of_all_time_and_what_is_not_called_has_none() {
        let fetch = HostCallCost { calls: 2, nanos: 250, bytes_in: 40, bytes_out: 60 };
        let costs = [(HostCall::Log, HostCallCost::default()), (HostCall::Fetch, fetch)];
        let shares = shares(&costs, 1_000.0, 10.0);
        let [Share { function: "state.fetch", share, ns_per_event, calls_per_event, .. }] = shares.as_slice() else {
            panic!("{shares:?}")
        };
        assert_eq!((*share, *ns_per_event, *calls_per_event), (0.25, 25.0, 0.2));
        let table = shown(&shares);
        assert!(table.ends_with("state.fetch            25.0 %       25.0  0.200  4.0       6.0\n"), "{table}");
    }
}
