//! Exactly once, through the real binary, while something dies: short runs of what `cargo xtask soak` does at length.
//! Each prints its seed when it fails.

use std::time::Duration;

use wasmill_tests::chaos::{Away, Changes, Fault, Leave, Plan, Store, run};
use wasmill_tests::services::{self, Database};

const EVENTS: u64 = 40_000;

fn expect_exactly_once(fault: Fault<'_>, times: usize, is_static: bool, brokers: &str, store: &Store) {
    let seed = fastrand::u64(..);
    expect(Plan { events: EVENTS, seed, fault, times, is_static, has_topics: false }, brokers, store);
}

fn expect(plan: Plan<'_>, brokers: &str, store: &Store) {
    let events = plan.events;
    let outcome = run(plan, brokers, store).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(outcome.events >= events && outcome.alerts > 0, "{outcome}");
    assert_eq!(outcome.rows + outcome.dead_letters, outcome.events, "{outcome}");
}

#[test]
fn each_event_is_stored_once_in_timescale_through_kills_and_topics_and_states_are_those_of_an_undisturbed_run() {
    let Some(brokers) = services::kafka() else { return };
    let Some(database) = Database::create() else { return };
    let (seed, fault) = (fastrand::u64(..), Fault::Kill);
    let plan = Plan { events: EVENTS / 2, seed, fault, times: 5, is_static: true, has_topics: true };
    expect(plan, &brokers, &Store::Timescale(database));
}

#[test]
fn each_alert_is_at_every_sink_and_each_event_stored_once_after_each_sink_was_away_under_load() {
    const RATE: u64 = 1_000;
    const LASTS: Duration = Duration::from_secs(1);
    let Some(brokers) = services::kafka() else { return };
    let starting = std::thread::spawn(services::own_kafka);
    let Some(mut database) = services::own_timescale() else { return };
    let Some(mut broker) = starting.join().expect("it starts or is skipped") else { return };
    let store =
        Store::Timescale(Database::create_in(&database.url("postgres")).expect("a fresh server makes databases"));
    let fault = Fault::TakeAway(Away { database: &mut database, broker: &mut broker, lasts: LASTS, rate: RATE });
    let seed = fastrand::u64(..);
    let plan = Plan { events: 10 * RATE, seed, fault, times: 1, is_static: false, has_topics: false };
    expect(plan, &brokers, &store);
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
fn each_event_is_stored_once_while_the_plugins_change_and_the_worker_is_killed() {
    let Some(brokers) = services::kafka() else { return };
    let Some(database) = Database::create() else { return };
    expect_exactly_once(Fault::Swap(Changes::HalfBad), 12, true, &brokers, &Store::Timescale(database));
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
