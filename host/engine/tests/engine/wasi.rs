//! What a guest finds outside of itself: nothing, and nothing to wait for.

use std::time::{Duration, Instant};

use wasmill_engine::Limits;

use crate::support::{decent, events, passes, rejected_for, rogue, run};

#[test]
fn there_is_no_file_argument_variable_or_input() {
    let Some(bytes) = rogue() else { return };
    assert!(passes(&decent(&bytes, Limits::default()), "v:outside"));
}

#[test]
fn clocks_stand_still_and_sleeping_takes_no_time() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    assert!(passes(&plugin, "v:clock"));
    let start = Instant::now();
    // It asks for an hour.
    assert!(passes(&plugin, "v:sleep"));
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn randomness_is_the_same_in_every_instance() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    let deeds: Vec<(usize, &str)> = (0..8).map(|n| (n, "v:remembers")).collect();
    let (first, _) = run(&[plugin.clone()], &events(8, &deeds)).unwrap();
    let (second, _) = run(&[plugin], &events(8, &deeds)).unwrap();
    assert_eq!(first.rejections[0].code, "remembered");
    assert_eq!(first.rejections, second.rejections);
}

#[test]
fn handles_are_limited() {
    let Some(bytes) = rogue() else { return };
    // Writing to stdout takes at least one handle.
    assert!(passes(&decent(&bytes, Limits { resources: 8, ..Limits::default() }), "v:print:1"));
    let (code, reason) = rejected_for(&decent(&bytes, Limits { resources: 0, ..Limits::default() }), "v:print:1");
    assert!(code == "trap" && reason.contains("holds more than 0 handles at once (see limits.resources)"), "{reason}");
}
