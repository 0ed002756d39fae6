//! Exactly the guilty events are rejected, and the others fare as if the guilty ones had not been there.

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use wasmill_engine::{
    BreakerState, Broken, GUILTY_MIN, LaneMemory, Limits, OnOpen, Plugin, PluginSpec, REST_EVENTS, Worker,
};

use crate::support::{batch, codes, decent, engine, events, rogue, run, spec};

const DEEDS: [&str; 12] = [
    "v:trap",
    "e:trap",
    "a:trap",
    "v:panic:x",
    "v:few_actions",
    "e:far_slot",
    "a:twice",
    "v:reject:no",
    "v:drop",
    "v:loop",
    "e:memory:100",
    "e:long:70000",
];

proptest! {
    // All of them, 10 000 in a soak: blame is what must be right.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn exactly_the_guilty_are_rejected_and_the_innocent_fare_alike(
        size in 1usize..120,
        guilty in proptest::collection::vec((0usize..120, 0usize..DEEDS.len()), 0..7),
    ) {
        let Some(bytes) = rogue() else { return Ok(()) };
        let plugin = decent(&bytes, Limits { fuel_per_event: 2_000_000, memory_bytes: 8 << 20, ..Limits::default() });
        let deeds: Vec<(usize, &str)> = guilty.iter().filter(|(at, _)| *at < size).map(|(at, n)| (*at, DEEDS[*n])).collect();
        let at: BTreeSet<u32> = deeds.iter().map(|(at, _)| *at as u32).collect();
        let (outcome, batch) = run(&[plugin.clone()], &events(size, &deeds)).unwrap();
        let (innocent, innocent_batch) = run(&[plugin], &events(size, &[])).unwrap();

        let gone: BTreeSet<u32> = outcome.rejections.iter().map(|r| r.event).chain(outcome.dropped.clone()).collect();
        prop_assert_eq!(&gone, &at);
        let live: Vec<u32> = (0..size as u32).filter(|event| !at.contains(event)).collect();
        prop_assert_eq!(&batch.live, &live);
        for event in &live {
            prop_assert_eq!(batch.payload(*event), innocent_batch.payload(*event));
            let of = |alerts: &[wasmill_core::Alert]| alerts.iter().filter(|a| a.event == *event).cloned().collect::<Vec<_>>();
            prop_assert_eq!(of(&outcome.alerts), of(&innocent.alerts));
        }
    }
}

proptest! {
    #![proptest_config(crate::support::property_config())]

    #[test]
    fn search_is_bounded(exponent in 0u32..9, guilty in proptest::collection::btree_set(0usize..256, 1..8)) {
        let Some(bytes) = rogue() else { return Ok(()) };
        let plugin = decent(&bytes, Limits::default());
        let size = 1usize << exponent;
        let deeds: Vec<(usize, &str)> = guilty.iter().filter(|at| **at < size).map(|at| (*at, "v:trap")).collect();
        let (outcome, _) = run(&[plugin], &events(size, &deeds)).unwrap();
        // One call of each kind, and for each guilty event two calls at each halving; no later kind where all are gone.
        let most = 3 + 2 * deeds.len() as u64 * u64::from(exponent);
        prop_assert!(outcome.costs[0].calls <= most, "{} calls, at most {}", outcome.costs[0].calls, most);
    }
}

#[test]
fn eight_guilty_events_are_rejected_and_with_nine_the_plugin_is_broken() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    let deeds: Vec<(usize, &str)> = (0..GUILTY_MIN).map(|n| (n * 2, "v:trap")).collect();
    let (outcome, _) = run(&[plugin.clone()], &events(64, &deeds)).unwrap();
    assert_eq!(outcome.rejections.len(), GUILTY_MIN);
    assert!(codes(&outcome).iter().all(|(_, code)| code == "trap"));

    let deeds: Vec<(usize, &str)> = (0..=GUILTY_MIN).map(|n| (n * 2, "v:trap")).collect();
    let broken = run(&[plugin.clone()], &events(64, &deeds)).unwrap_err();
    let Broken::Plugin { plugin: named, guilty, .. } = &broken else { panic!("{broken}") };
    assert_eq!((named, *guilty), (plugin.reference(), GUILTY_MIN + 1));
    let text = broken.to_string();
    assert!(text.contains(&format!("{:#}", named.digest)) && text.contains("plugins.d/10-rogue.wasm"), "{text}");
    assert!(text.contains("replace or remove the plugin"), "{text}");
}

#[test]
fn plugin_that_fails_on_every_event_is_broken_and_nobody_is_blamed() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    let deeds: Vec<(usize, &str)> = (0..200).map(|n| (n, "v:trap")).collect();
    assert!(matches!(run(&[plugin], &events(200, &deeds)), Err(Broken::Plugin { .. })));
}

#[test]
fn blame_goes_on_from_batch_to_batch_and_stays_as_it_was_when_the_batch_is_not_run() {
    let Some(bytes) = rogue() else { return };
    let plugins = [decent(&bytes, Limits::default())];
    let (mut memory, mut worker) = (LaneMemory::new(), Worker::new());
    let mut go = |first: i64, deeds: &[(usize, &str)]| {
        let (generation, mut batch) = batch(&plugins, first, &events(10, deeds));
        generation.run(&mut batch, &mut memory, &mut worker).map(|outcome| outcome.rejections.len())
    };
    let five: Vec<(usize, &str)> = (0..5).map(|n| (n, "v:trap")).collect();
    assert_eq!(go(0, &five).unwrap(), 5);
    assert!(go(10, &five).is_err());
    assert_eq!(go(10, &five[..3]).unwrap(), 3);
    assert!(go(20, &five[..1]).is_err());
}

/// The guest, which may be passed by when it is broken.
fn skippable() -> Option<Arc<Plugin>> {
    let spec = PluginSpec { on_open: OnOpen::Skip, ..spec(&rogue()?, serde_json::json!({}), Limits::default()) };
    Some(engine().load(&spec).unwrap())
}

#[test]
fn events_pass_by_a_plugin_that_may_be_skipped_from_the_first_that_it_did_not_settle_and_nobody_is_blamed() {
    let Some(plugin) = skippable() else { return };
    let deeds: Vec<(usize, &str)> = [3, 5].into_iter().chain(20..60).map(|n| (n, "e:trap")).collect();
    let (outcome, batch) = run(&[plugin.clone()], &events(64, &deeds)).unwrap();
    assert_eq!(outcome.rejections, []);
    assert_eq!(batch.live.len(), 64);
    let [turn] = &outcome.turns[..] else { panic!("{:?}", outcome.turns) };
    let BreakerState::Open { reason, events, on_open } = &turn.state else { panic!("{turn:?}") };
    assert!(reason.contains("trapped"), "{reason}");
    assert_eq!((*events, *on_open, turn.offset), (REST_EVENTS, OnOpen::Skip, 26));
    // As an alerter it is passed by altogether, as an enricher by those that it failed on and by the rest.
    let by_enricher = |event: u32| [3, 5].contains(&event) || event >= 20;
    assert!((0..64).all(|event| batch.skipped_by(event).any(|by| by == plugin.reference())), "{:?}", batch.skipped);
    let enriched = |event: u32| batch.payload(event).windows(5).any(|window| window == b"\"out\"");
    assert!((0..64).all(|event| enriched(event) != by_enricher(event)));
    assert_eq!(outcome.alerts, []);
    assert_eq!(outcome.costs[0].skipped, 2 + 44 + 64);
}

#[test]
fn breaker_is_tried_after_its_rest_with_one_batch_and_closes_when_that_comes_through() {
    let Some(plugin) = skippable() else { return };
    let plugins = [plugin];
    let (mut memory, mut worker, mut first) = (LaneMemory::new(), Worker::new(), 0);
    let mut go = |count: usize, deed: &str| {
        let deeds: Vec<(usize, &str)> = (0..count).map(|n| (n, deed)).collect();
        let (generation, mut batch) = batch(&plugins, first, &events(count, &deeds));
        first += count as i64;
        let outcome = generation.run(&mut batch, &mut memory, &mut worker).unwrap();
        let states = outcome.turns.iter().map(|turn| turn.state.clone()).collect::<Vec<_>>();
        (outcome.costs[0].calls, states, outcome.rejections.len())
    };
    assert!(matches!(&go(100, "v:trap").1[..], [BreakerState::Open { .. }]));
    // It rests from the ninth event on.
    assert_eq!(go(1_900, ""), (0, vec![], 0));
    assert_eq!(go(8, ""), (0, vec![], 0));
    let (calls, states, rejected) = go(10, "v:trap");
    assert!(calls > 0 && rejected == 0);
    assert!(
        matches!(&states[..], [BreakerState::HalfOpen, BreakerState::Open { events, .. }] if *events == 2 * REST_EVENTS)
    );
    assert_eq!(go(4_000, ""), (0, vec![], 0));
    assert_eq!(go(10, ""), (3, vec![BreakerState::HalfOpen, BreakerState::Closed], 0));
    assert_eq!(go(10, "").0, 3);
}
