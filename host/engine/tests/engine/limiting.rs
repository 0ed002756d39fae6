//! Each limit at the limit and just above, and that what passes it is the one event's loss.

use std::sync::Arc;

use serde_json::json;
use wasmill_core::Batch;
use wasmill_engine::{Generation, InstanceMode, LaneMemory, Limit, Limits, Plugin, PluginSpec, Reason, Worker};

use crate::adversaries::crafted::Core;
use crate::support::{batch, decent, engine, event, events, least, load, passes, rejected_for, rogue, run, spec};

#[test]
fn traps_panics_exits_and_deep_recursion_are_traps_with_their_place() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    for (deed, words) in [
        ("v:trap", "unreachable"),
        ("v:panic:pears", "a panic about pears"),
        ("v:exit", "exit"),
        ("v:stack", "stack"),
        ("e:trap", "unreachable"),
        ("a:trap", "unreachable"),
    ] {
        let (code, reason) = rejected_for(&plugin, deed);
        assert_eq!(code, "trap", "{deed}: {reason}");
        assert!(reason.contains(words) && reason.contains("rogue"), "{deed}: {reason}");
        assert!(reason.contains("deeds"), "the function is named: {reason}");
    }
}

#[test]
fn endless_loop_runs_out_of_fuel() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits { fuel_per_event: 1_000_000, ..Limits::default() });
    assert_eq!(rejected_for(&plugin, "v:loop").0, "fuel");
}

#[test]
fn fuel_is_limited_exactly_and_alike_every_time() {
    let Some(bytes) = rogue() else { return };
    let alone = [event(1, "v:burn:10000")];
    let used = |plugin: &Arc<Plugin>| {
        let (generation, mut batch) = batch(&[plugin.clone()], 0, &alone);
        generation.run(&mut batch, &mut LaneMemory::new(), &mut Worker::new()).map(|outcome| (outcome, batch)).unwrap()
    };
    let fuel_of_validate = |limit: u64| {
        let (outcome, _) = used(&decent(&bytes, Limits { fuel_per_event: limit, ..Limits::default() }));
        outcome
    };
    // What all three calls burn, the same at each run. The validator burns far the most, so a limit just below its part is
    // found by halving.
    assert_eq!(fuel_of_validate(20_000_000).costs[0].fuel, fuel_of_validate(20_000_000).costs[0].fuel);
    let holds = least(1_000, 20_000_000, |fuel| fuel_of_validate(fuel as u64).rejections.is_empty()) as u64;
    assert!(fuel_of_validate(holds).rejections.is_empty());
    assert_eq!(fuel_of_validate(holds - 1).rejections[0].code, "fuel");
}

#[test]
fn events_that_need_more_fuel_together_than_one_may_burn_are_split_and_none_is_blamed() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits { fuel_per_event: 1_000_000, ..Limits::default() });
    let payloads: Vec<String> = (0..64).map(|n| event(n, "v:burn:50000")).collect();
    let (mut memory, mut worker) = (LaneMemory::new(), Worker::new());
    let mut go = |first| {
        let (generation, mut batch) = batch(&[plugin.clone()], first, &payloads);
        let outcome = generation.run(&mut batch, &mut memory, &mut worker).unwrap();
        assert_eq!(batch.live.len(), 64);
        assert!(outcome.rejections.is_empty());
        outcome.costs[0]
    };
    let first = go(0);
    assert!(first.calls > 3 && first.faults.fuel > 0, "{first:?}");
    // The next batch is cut as it has to be from the start.
    let second = go(64);
    assert!(second.calls > 3 && second.faults.total() == 0, "{second:?}");
}

#[test]
fn memory_is_limited() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits { memory_bytes: 8 << 20, ..Limits::default() });
    assert!(passes(&plugin, "v:memory:4"));
    assert_eq!(rejected_for(&plugin, "v:memory:9").0, "memory");
    assert_eq!(rejected_for(&plugin, "v:memory").0, "memory");
}

#[test]
fn memory_that_the_plugin_needs_to_start_is_limited_at_the_limit_and_one_page_below() {
    let Some(bytes) = rogue() else { return };
    let with = |pages: usize| load(&bytes, json!({}), Limits { memory_bytes: pages << 16, ..Limits::default() });
    let pages = least(1, 200, |pages| with(pages).is_ok());
    let error = with(pages - 1).unwrap_err();
    assert!(matches!(&error.reason, Reason::ConfigureTrapped { code, .. } if code == "memory"), "{error}");
}

#[test]
fn tables_are_limited_at_the_limit_and_one_below() {
    let Some(bytes) = rogue() else { return };
    let with = |table_elements| load(&bytes, json!({}), Limits { table_elements, ..Limits::default() });
    let elements = least(1, 2000, |elements| with(elements).is_ok());
    let error = with(elements - 1).unwrap_err();
    assert!(matches!(&error.reason, Reason::ConfigureTrapped { code, .. } if code == "memory"), "{error}");
}

#[test]
fn answers_are_limited_in_bytes() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits { output_bytes: 10_000, ..Limits::default() });
    assert!(passes(&plugin, "e:long:9000"));
    let (code, reason) = rejected_for(&plugin, "e:long:10001");
    assert_eq!(code, "output_too_large", "{reason}");
    assert_eq!(rejected_for(&plugin, "v:long_log:10001").0, "output_too_large");
}

#[test]
fn log_lines_are_limited_per_batch() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits { log_lines: 5, ..Limits::default() });
    for (deed, logged, suppressed) in
        [("v:log:5", 5, 0), ("v:log:6", 5, 1), ("v:print:5", 5, 0), ("v:print:1000", 5, 995)]
    {
        let (outcome, batch) = run(&[plugin.clone()], &events(3, &[(1, deed)])).unwrap();
        assert_eq!(batch.live.len(), 3, "{deed}: {:?}", outcome.rejections);
        let cost = outcome.costs[0];
        assert_eq!((cost.log_lines, cost.log_lines_suppressed()), (logged, suppressed), "{deed}");
    }
}

#[test]
fn instance_is_fresh_for_each_batch_unless_it_is_to_be_reused() {
    let Some(bytes) = rogue() else { return };
    let limits = || Limits { memory_bytes: 8 << 20, ..Limits::default() };
    // The guest frees what it took, but a memory never shrinks: a reused instance still has it.
    let fresh = load(&bytes, json!({}), limits()).unwrap();
    let reused = PluginSpec { instance: InstanceMode::Reuse, ..spec(&bytes, json!({}), limits()) };
    let reused = engine().load(&reused).unwrap();
    for plugin in [fresh, reused] {
        let mut worker = Worker::new();
        let mut memory = LaneMemory::new();
        let mut fuel = Vec::new();
        for n in 0..3 {
            let (generation, mut batch): (Generation, Batch) = batch(&[plugin.clone()], n, &[event(1, "")]);
            let outcome = generation.run(&mut batch, &mut memory, &mut worker).unwrap();
            assert_eq!(batch.live.len(), 1);
            fuel.push(outcome.costs[0].fuel);
        }
        if plugin.instance_mode() == InstanceMode::Fresh {
            assert!(fuel.windows(2).all(|pair| pair[0] == pair[1]), "{fuel:?}");
        }
    }
}

#[test]
fn reused_instance_is_thrown_away_after_a_trap() {
    let Some(bytes) = rogue() else { return };
    let spec = PluginSpec { instance: InstanceMode::Reuse, ..spec(&bytes, json!({}), Limits::default()) };
    let plugin = engine().load(&spec).unwrap();
    let mut worker = Worker::new();
    for first in [0, 10, 20] {
        let (generation, mut batch) = batch(&[plugin.clone()], first, &events(8, &[(3, "v:trap")]));
        let outcome = generation.run(&mut batch, &mut LaneMemory::new(), &mut worker).unwrap();
        assert_eq!((batch.live.len(), outcome.rejections.len()), (7, 1));
    }
}

/// The limits that held in a run of three events, of which the second does `deed`.
fn held(bytes: &Arc<[u8]>, limits: &Limits, deed: &str) -> Vec<(Limit, u64)> {
    let (outcome, _) = run(&[decent(bytes, limits.clone())], &events(3, &[(1, deed)])).unwrap();
    outcome.costs[0].held.iter().collect()
}

#[test]
fn limit_that_holds_is_counted_by_its_name_and_at_the_limit_none_is() {
    let Some(bytes) = rogue() else { return };
    let with = |change: fn(&mut Limits)| {
        let mut limits = Limits::default();
        change(&mut limits);
        limits
    };
    for (limits, at, above, limit) in [
        (with(|limits| limits.fuel_per_event = 1_000_000), "v:burn:10", "v:loop", Limit::FuelPerEvent),
        (with(|limits| limits.memory_bytes = 8 << 20), "v:memory:4", "v:memory:9", Limit::MemoryBytes),
        (with(|limits| limits.output_bytes = 10_000), "e:long:9000", "e:long:10001", Limit::OutputBytes),
        (with(|limits| limits.field_bytes = 1000), "e:long:1000", "e:long:1001", Limit::FieldBytes),
        (with(|limits| limits.field_bytes = 100), "a:long_key:100", "a:long_key:101", Limit::FieldBytes),
        (with(|limits| limits.reason_bytes = 10), "v:reject_long:10", "v:reject_long:11", Limit::ReasonBytes),
        (with(|limits| limits.alerts_per_event = 3), "a:many:3", "a:many:4", Limit::AlertsPerEvent),
        (with(|limits| limits.labels_per_alert = 2), "a:labels:2", "a:labels:3", Limit::LabelsPerAlert),
        (with(|limits| limits.log_lines = 5), "v:log:5", "v:log:6", Limit::LogLines),
        (with(|limits| limits.log_lines_per_second = 5), "v:log:5", "v:log:6", Limit::LogLinesPerSecond),
        (with(|limits| limits.log_line_bytes = 6), "v:log:1", "v:log:11", Limit::LogLineBytes),
        (with(|limits| limits.resources = 0), "", "v:print:1", Limit::Resources),
        (
            with(|limits| (limits.slow_batch_ms, limits.fuel_per_event) = (0, 1 << 40)),
            "",
            "v:burn:100000000",
            Limit::SlowBatchMs,
        ),
    ] {
        assert_eq!(held(&bytes, &limits, at), [], "{at}");
        let held: Vec<Limit> = held(&bytes, &limits, above).into_iter().map(|(limit, _)| limit).collect();
        assert_eq!(held, [limit], "{above}");
    }
}

#[test]
fn growth_that_is_denied_is_counted_where_the_plugin_lives_with_it() {
    let good = Core::default().validate;
    let held = |grow: &str, by: usize| {
        let validate = format!("(drop ({grow} (i32.const {by}))) {good}");
        let component = Core { items: "(table $t 1 funcref)", validate: &validate, ..Core::default() }.component();
        let plugin = decent(&component.into(), Limits::default());
        let (outcome, batch) = run(&[plugin], &events(3, &[])).unwrap();
        assert_eq!(batch.live.len(), 3);
        outcome.costs[0].held.iter().collect::<Vec<_>>()
    };
    for (grow, most, limit) in [
        ("table.grow $t (ref.null func)", Limits::default().table_elements, Limit::TableElements),
        ("memory.grow", Limits::default().memory_bytes >> 16, Limit::MemoryBytes),
    ] {
        let at = (0..=most).rev().take(100).find(|by| held(grow, *by).is_empty());
        let at = at.expect("what the component has to begin with is small");
        assert_eq!(held(grow, at + 1), [(limit, 1)]);
    }
}
