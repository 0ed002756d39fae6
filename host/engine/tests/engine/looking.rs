//! Who looks on is told of each step, and changes nothing.

use wasmill_core::Stage;
use wasmill_engine::{LaneMemory, Limits, Step, Worker};

use crate::support::{batch, decent, events, rogue};

#[test]
fn each_step_is_told_with_whom_it_failed_on_and_the_outcome_is_the_same() {
    let Some(bytes) = rogue() else { return };
    let plugins = [decent(&bytes, Limits::default())];
    let payloads = events(5, &[(1, "v:trap")]);
    let (generation, mut unseen) = batch(&plugins, 0, &payloads);
    let expected = generation.run(&mut unseen, &mut LaneMemory::new(), &mut Worker::new()).unwrap();

    let (generation, mut seen) = batch(&plugins, 0, &payloads);
    let mut told = Vec::new();
    let mut look = |step: &Step<'_>| {
        assert_eq!((step.plugin, step.outcome.rejections.len()), (0, 1));
        assert!(step.fuel > 0 && step.batch.live == [0, 2, 3, 4]);
        told.push((step.stage, step.failed.to_vec(), step.events));
    };
    let outcome = generation.run_seen(&mut seen, &mut LaneMemory::new(), &mut Worker::new(), Some(&mut look)).unwrap();
    let steps = [(Stage::Validate, vec![1], 5), (Stage::Enrich, vec![], 4), (Stage::Alert, vec![], 4)];
    assert_eq!(told, steps);
    assert_eq!((outcome.rejections, seen.live), (expected.rejections, unseen.live));
    assert_eq!(outcome.costs[0].fuel, expected.costs[0].fuel);
}
