//! Results do not depend on where batches were cut.

use proptest::prelude::*;
use serde_json::json;
use wasmill_core::{Alert, Rejection};
use wasmill_engine::{LaneMemory, Limits, Worker};

use crate::support::{batch, decent, event, rogue};

/// Everything that leaves the engine about one partition, by offset.
#[derive(Debug, Default, PartialEq)]
struct Results {
    payloads: Vec<(i64, String)>,
    rejections: Vec<(i64, Rejection)>,
    dropped: Vec<i64>,
    alerts: Vec<(i64, Alert)>,
    broken_at: Option<String>,
}

const DEEDS: [&str; 12] = [
    "",
    "",
    "",
    "v:burn:30000",
    "v:loop",
    "v:trap",
    "e:trap",
    "a:panic:x",
    "v:reject:no",
    "v:drop",
    "e:long:3000",
    "v:memory:5",
];

fn results(payloads: &[String], cuts: &[usize], limits: &Limits) -> Option<Results> {
    let bytes = rogue()?;
    let plugins = [decent(&bytes, limits.clone()), decent(&bytes, limits.clone())];
    let (mut memory, mut worker, mut results) = (LaneMemory::new(), Worker::new(), Results::default());
    let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % (payloads.len() + 1)).chain([0, payloads.len()]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    for pair in bounds.windows(2) {
        let first = pair[0] as i64;
        let (generation, mut batch) = batch(&plugins, first, &payloads[pair[0]..pair[1]]);
        let outcome = match generation.run(&mut batch, &mut memory, &mut worker) {
            Ok(outcome) => outcome,
            Err(broken) => {
                results.broken_at = Some(broken.to_string());
                return Some(results);
            }
        };
        let offset = |event: u32| first + i64::from(event);
        let text = |event: u32| String::from_utf8(batch.payload(event).into_owned()).unwrap();
        results.payloads.extend(batch.live.iter().map(|event| (offset(*event), text(*event))));
        results
            .rejections
            .extend(outcome.rejections.into_iter().map(|r| (offset(r.event), Rejection { event: 0, ..r })));
        results.dropped.extend(outcome.dropped.into_iter().map(offset));
        results.alerts.extend(outcome.alerts.into_iter().map(|a| (offset(a.event), Alert { event: 0, ..a })));
    }
    Some(results)
}

proptest! {
    #![proptest_config(crate::support::property_config())]

    #[test]
    fn results_do_not_depend_on_where_batches_were_cut(
        deeds in proptest::collection::vec(0usize..200, 1..60),
        cuts in proptest::collection::vec(0usize..100, 0..12),
    ) {
        // Limits so small that many batches pass them together and few events alone.
        let limits = Limits {
            fuel_per_event: 600_000,
            memory_bytes: 8 << 20,
            output_bytes: 5_000,
            ..Limits::default()
        };
        let deed = |n: usize| DEEDS.get(n).copied().unwrap_or("");
        let payloads: Vec<String> = deeds.iter().enumerate().map(|(n, d)| event(n, deed(*d))).collect();
        let Some(whole) = results(&payloads, &[], &limits) else { return Ok(()) };
        let every = results(&payloads, &(0..payloads.len()).collect::<Vec<_>>(), &limits);
        let some = results(&payloads, &cuts, &limits);
        if whole.broken_at.is_none() {
            prop_assert_eq!(Some(&whole), every.as_ref());
            prop_assert_eq!(Some(&whole), some.as_ref());
        }
    }
}

#[test]
fn generation_is_named_by_its_plugins_and_their_configurations() {
    let Some(bytes) = rogue() else { return };
    let plain = decent(&bytes, Limits::default());
    let other = crate::support::load(&bytes, json!({ "remembers": 5 }), Limits::default()).unwrap();
    let id = |plugins: &[std::sync::Arc<wasmill_engine::Plugin>]| batch(plugins, 0, &[]).0.id();
    assert_eq!(id(&[plain.clone()]), id(&[plain.clone()]));
    assert_ne!(id(&[plain.clone()]), id(&[other.clone()]));
    assert_ne!(id(&[plain.clone(), other.clone()]), id(&[other, plain]));
}
