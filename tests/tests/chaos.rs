//! Exactly once, through the real binary, while something dies: short runs of what `cargo xtask soak` does at length.
//! Each prints its seed when it fails.

use wasmill_tests::chaos::{Fault, Leave, Plan, Store, run};
use wasmill_tests::services::{self, Database};

const EVENTS: u64 = 40_000;

fn expect_exactly_once(fault: Fault<'_>, times: usize, is_static: bool, brokers: &str, store: &Store) {
    let seed = fastrand::u64(..);
    let plan = Plan { events: EVENTS, seed, fault, times, is_static };
    let outcome = run(plan, brokers, store).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(outcome.events >= EVENTS && outcome.alerts > 0, "{outcome}");
    assert_eq!(outcome.rows + outcome.dead_letters, outcome.events, "{outcome}");
}

#[test]
fn each_event_is_one_row_or_one_dead_letter_in_timescale_through_kills() {
    let Some(brokers) = services::kafka() else { return };
    let Some(database) = Database::create() else { return };
    expect_exactly_once(Fault::Kill, 5, true, &brokers, &Store::Timescale(database));
}

#[test]
fn each_event_is_one_row_or_one_dead_letter_in_sqlite_through_kills() {
    let Some(brokers) = services::kafka() else { return };
    expect_exactly_once(Fault::Kill, 3, false, &brokers, &Store::Sqlite);
}

#[test]
fn each_event_is_stored_once_through_restarts_of_the_database_and_the_worker_runs_on() {
    let Some(brokers) = services::kafka() else { return };
    let Some(mut server) = services::own_timescale() else { return };
    let database = Database::create_in(&server.url("postgres")).expect("a fresh server makes databases");
    expect_exactly_once(Fault::RestartDatabase(&mut server), 2, false, &brokers, &Store::Timescale(database));
}

#[test]
fn each_event_is_stored_once_through_a_restart_of_the_broker_and_the_worker_runs_on() {
    let Some(mut server) = services::own_kafka() else { return };
    let Some(database) = Database::create() else { return };
    let brokers = server.brokers();
    expect_exactly_once(Fault::RestartBroker(&mut server), 1, false, &brokers, &Store::Timescale(database));
}

#[test]
fn each_event_is_stored_once_while_a_second_worker_joins_and_is_stopped() {
    let Some(brokers) = services::kafka() else { return };
    let Some(database) = Database::create() else { return };
    expect_exactly_once(Fault::SecondWorker(Leave::Stop), 1, false, &brokers, &Store::Timescale(database));
}

#[test]
fn each_event_is_stored_once_while_a_second_worker_joins_and_is_killed() {
    let Some(brokers) = services::kafka() else { return };
    let Some(database) = Database::create() else { return };
    expect_exactly_once(Fault::SecondWorker(Leave::Kill), 1, false, &brokers, &Store::Timescale(database));
}
