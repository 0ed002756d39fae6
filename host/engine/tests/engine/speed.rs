//! Nothing here asserts a time: the benchmarks do. What is asserted is what speed rests on.

use wasmill_engine::{LaneMemory, Limits, Worker};

use crate::support::{batch, decent, events, rogue};

#[test]
fn good_batch_takes_one_call_for_each_kind() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits::default());
    let (generation, mut batch) = batch(&[plugin], 0, &events(2_000, &[]));
    let outcome = generation.run(&mut batch, &mut LaneMemory::new(), &mut Worker::new()).unwrap();
    assert_eq!((outcome.costs[0].calls, outcome.costs[0].events), (3, 6_000));
}

#[test]
fn worker_in_a_plugin_is_seen_from_another_thread_and_outside_it_is_not() {
    let Some(bytes) = rogue() else { return };
    let plugin = decent(&bytes, Limits { slow_batch_ms: 0, ..Limits::default() });
    let mut worker = Worker::new();
    let watch = worker.watch();
    assert_eq!(watch.running(), None);
    let watcher = std::thread::spawn({
        let watch = watch.clone();
        move || loop {
            if let Some(running) = watch.running() {
                return running;
            }
            std::thread::yield_now();
        }
    });
    let payloads = events(100, &[(50, "v:burn:1000000")]);
    while !watcher.is_finished() {
        let (generation, mut batch) = batch(&[plugin.clone()], 0, &payloads);
        generation.run(&mut batch, &mut LaneMemory::new(), &mut worker).unwrap();
    }
    assert_eq!(watcher.join().unwrap().plugin, 0);
    assert_eq!(watch.running(), None);
}
