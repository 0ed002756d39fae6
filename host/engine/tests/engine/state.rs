//! State: wherever batches are cut and whatever fails, it is what the events that got through make of it.

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::{Value, json};
use wasmill_core::{Batch, RawBatch};
use wasmill_engine::{
    Clock, Generation, Held, LaneMemory, Limit, Limits, Outcome, Plugin, PluginSpec, StateRows, Worker,
};

use crate::home::{Home, Stored};
use crate::support::{batch_of, component, engine, partition, spec};

const SECOND: i64 = 1_000_000_000;

/// A lane with the counting guest, and what home would hold of its state.
struct Lane {
    plugin: Arc<Plugin>,
    memory: LaneMemory,
    worker: Worker,
    next_offset: i64,
    home: Home,
    held: Held,
}

impl Lane {
    fn new(limits: &Limits) -> Option<Self> {
        let spec = spec(&component("counter")?, json!({}), limits.clone());
        let plugin = engine().load(&spec).unwrap();
        Some(Self {
            plugin,
            memory: LaneMemory::new(),
            worker: Worker::new(),
            next_offset: 0,
            home: Home::default(),
            held: Held::default(),
        })
    }

    /// Runs events, each with its second; gives what was said about them, by offset.
    fn run(&mut self, events: &[(i64, Value)]) -> Vec<(i64, String)> {
        let mut raw = RawBatch::new(Arc::new(partition()), self.next_offset);
        for (offset, (second, event)) in (self.next_offset..).zip(events) {
            raw.push(offset, second * SECOND, None, Some(event.to_string().as_bytes()), []);
        }
        let (generation, mut batch): (Generation, Batch) = batch_of(std::slice::from_ref(&self.plugin), raw);
        let outcome = generation.run(&mut batch, &mut self.memory, &mut self.worker).unwrap();
        let first = self.next_offset;
        self.next_offset += events.len() as i64;
        self.take(&outcome);
        let said = outcome.alerts.iter().map(|alert| (alert.event, format!("{}: {}", alert.rule, alert.summary)));
        let rejected = outcome.rejections.iter().map(|rejection| (rejection.event, rejection.code.to_string()));
        let mut said: Vec<_> = said.chain(rejected).map(|(event, what)| (first + i64::from(event), what)).collect();
        said.sort_by_key(|(offset, _)| *offset);
        said
    }

    fn take(&mut self, outcome: &Outcome) {
        for delta in &outcome.state {
            assert_eq!((&*delta.plugin, delta.version), ("counter", 1));
            self.home.take(delta);
        }
        self.held.add(&outcome.costs[0].held);
    }
}

/// What was said at which offset, what is kept, where the clock stands, and how many keys had to go.
type Outcomes = (Vec<(i64, String)>, Stored, Clock, u64);

/// Runs events cut at `cuts`.
fn cut(events: &[(i64, Value)], cuts: &[usize], limits: &Limits) -> Option<Outcomes> {
    let mut lane = Lane::new(limits)?;
    let mut bounds: Vec<usize> = cuts.iter().map(|cut| cut % (events.len() + 1)).chain([0, events.len()]).collect();
    bounds.sort_unstable();
    bounds.dedup();
    let said = bounds.windows(2).flat_map(|pair| lane.run(&events[pair[0]..pair[1]])).collect();
    Some((said, lane.home.living(), lane.home.clock, lane.held.of(Limit::StateBytes)))
}

fn count(key: &str) -> Value {
    json!({ "key": key })
}

prop_compose! {
    fn some_event()(key in 0..12u8, deed in 0..100u8, time in 0..40i64, bytes in 0..120i64) -> (i64, Value) {
        let mut event = json!({ "key": format!("key-{key}"), "bytes": bytes });
        match deed {
            0..4 => event["act"] = json!("trap"),
            4..14 => event["act"] = json!("remove"),
            14..24 => event["act"] = json!("look"),
            24..44 => event["life"] = json!(i64::from(deed) - 23),
            44..64 => event["wake"] = json!(i64::from(deed) - 43),
            64..74 => { event["life"] = json!(9); event["wake"] = json!(i64::from(deed) - 63); }
            _ => {}
        }
        (if deed == 99 { 1_000_000_000 } else { time }, event)
    }
}

proptest! {
    #![proptest_config(crate::support::property_config())]

    #[test]
    fn state_and_results_do_not_depend_on_where_batches_were_cut_or_on_what_failed(
        events in proptest::collection::vec(some_event(), 1..120),
        cuts in proptest::collection::vec(0usize..120, 0..12),
        small in any::<bool>(),
    ) {
        // Time goes on by and large; some events come late, and a few claim to be years ahead.
        let mut events: Vec<_> = (0..).zip(events).map(|(n, (second, event))| (second + n, event)).collect();
        // With more it would be the plugin that is to blame.
        for (_, event) in events.iter_mut().filter(|(_, event)| event["act"] == "trap").skip(8) {
            event["act"] = json!("look");
        }
        let limits = Limits { state_bytes: if small { 900 } else { 16 << 20 }, ..Limits::default() };
        let Some(whole) = cut(&events, &[], &limits) else { return Ok(()) };
        let some = cut(&events, &cuts, &limits);
        prop_assert_eq!(Some(&whole), some.as_ref());
        let every = cut(&events, &(0..events.len()).collect::<Vec<_>>(), &limits);
        prop_assert_eq!(Some(&whole), every.as_ref());
        // As if those that failed had never come.
        let failed: Vec<i64> =
            whole.0.iter().filter(|(_, what)| what == "trap").map(|(offset, _)| *offset).collect();
        let expected: Vec<i64> =
            (0..).zip(&events).filter(|(_, (_, event))| event["act"] == "trap").map(|(offset, _)| offset).collect();
        prop_assert_eq!(&failed, &expected);
        if !small {
            let without: Vec<_> = events.iter().filter(|(_, event)| event["act"] != "trap").cloned().collect();
            let without = cut(&without, &[], &limits).unwrap();
            prop_assert_eq!((&whole.1, whole.2), (&without.1, without.2));
        }
    }
}

#[test]
fn what_was_stored_goes_on_in_another_process() {
    let Some(mut first) = Lane::new(&Limits::default()) else { return };
    let events: Vec<_> = [
        json!({ "key": "a", "life": 5 }),
        json!({ "key": "b", "wake": 3 }),
        count("c"),
        count("c"),
        json!({ "key": "c", "act": "remove" }),
        count("d"),
    ]
    .into_iter()
    .map(|event| (10, event))
    .collect();
    first.run(&events);
    let mut second = Lane::new(&Limits::default()).unwrap();
    let mut rows = StateRows::default();
    for (key, (value, expires, wake)) in &first.home.stored {
        rows.push(&wasmill_engine::StateRow { key, value: Some(value), expires: *expires, wake: *wake, offset: 0 });
    }
    second.memory.restore("counter", first.home.clock, &rows);
    second.next_offset = first.next_offset;
    let next: Vec<_> = ["a", "b", "c", "d"].map(|key| (14, count(key))).to_vec();
    let expected = [
        (6, "due: b had 1 at 13"),
        (6, "count: 2 at 14"),
        (7, "count: 2 at 14"),
        (8, "count: 1 at 14"),
        (9, "count: 2 at 14"),
    ];
    let expected: Vec<_> = expected.map(|(offset, what)| (offset, what.to_owned())).to_vec();
    assert_eq!(first.run(&next), expected);
    assert_eq!(second.run(&next), expected);
    assert_eq!(first.home.stored, {
        let mut stored = first.home.stored.clone();
        stored.extend(second.home.stored);
        stored
    });
}

#[test]
fn a_full_state_loses_the_keys_that_were_written_longest_ago_at_the_limit_plus_one() {
    // Each key counts 64, its own 2 and the value's 8.
    let limit = 74 * 10;
    let keys = |n: usize| (0..n).map(|n| (0, count(&format!("{n:02}")))).collect::<Vec<_>>();
    let run =
        |events: &[(i64, Value)], bytes: usize| cut(events, &[], &Limits { state_bytes: bytes, ..Limits::default() });
    let Some((_, at, _, evicted)) = run(&keys(10), limit) else { return };
    assert_eq!((at.len(), evicted), (10, 0));
    let (_, above, _, evicted) = run(&keys(11), limit).unwrap();
    assert_eq!((above.len(), evicted), (9, 2));
    assert!(!above.contains_key(&b"00"[..]) && !above.contains_key(&b"01"[..]));
    // Written again, the first is no longer the oldest.
    let again = [&keys(10)[..], &keys(1), &[(0, count("10"))]].concat();
    let (_, above, ..) = run(&again, limit).unwrap();
    assert!(above.contains_key(&b"00"[..]) && !above.contains_key(&b"01"[..]));
    assert_eq!(above[&b"00"[..]].0[0], 2);
}

#[test]
fn values_and_keys_are_limited_at_the_limit_and_one_above() {
    let limits = Limits { state_value_bytes: 100, state_key_bytes: 50, ..Limits::default() };
    let key = |bytes| count(&"k".repeat(bytes));
    for (at, above, limit) in [
        (json!({ "key": "a", "bytes": 92 }), json!({ "key": "a", "bytes": 93 }), Limit::StateValueBytes),
        (key(50), key(51), Limit::StateKeyBytes),
    ] {
        let Some(mut lane) = Lane::new(&limits) else { return };
        assert_eq!(lane.run(&[(0, at)])[0].1, "count: 1 at 0");
        assert_eq!(lane.held, Held::default());
        assert_eq!(lane.run(&[(0, above)])[0].1, "output_too_large");
        let held: Vec<Limit> = lane.held.iter().map(|(limit, _)| limit).collect();
        assert_eq!(held, [limit]);
    }
}

#[test]
fn state_needs_its_grant() {
    let Some(bytes) = component("counter") else { return };
    let refused = engine().load(&PluginSpec { grants: Vec::new(), ..spec(&bytes, json!({}), Limits::default()) });
    let sentence = refused.unwrap_err().to_string();
    assert!(sentence.contains("it asks for \"state\", which it is not granted; write `grants: [state]`"), "{sentence}");
}

#[test]
fn partitions_do_not_share_state() {
    let Some(mut one) = Lane::new(&Limits::default()) else { return };
    let mut other = Lane::new(&Limits::default()).unwrap();
    one.run(&[(0, count("a"))]);
    assert_eq!(other.run(&[(0, count("a"))]), [(0, "count: 1 at 0".to_owned())]);
}

#[test]
fn lane_without_a_home_passes_states_on_to_the_plugins_that_keep_them_and_forgets_the_others() {
    let Some(mut lane) = Lane::new(&Limits::default()) else { return };
    let generation = |plugins: &[Arc<Plugin>]| batch_of(plugins, RawBatch::new(Arc::new(partition()), 0)).0;
    let (with, without) = (generation(std::slice::from_ref(&lane.plugin)), generation(&[]));
    assert!(without.continues(&with) && !with.continues(&without));
    let counted = |lane: &mut Lane| lane.run(&[(0, count("k"))])[0].1.split(' ').nth(1).unwrap().to_owned();
    assert_eq!(counted(&mut lane), "1");
    lane.memory.pass_on(&with, &with);
    assert_eq!(counted(&mut lane), "2");
    lane.memory.pass_on(&with, &without);
    lane.memory.pass_on(&without, &with);
    assert_eq!(counted(&mut lane), "1");
}
