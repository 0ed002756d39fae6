//! Rows and position in one transaction, whatever is lost, repeated or taken over.

use wasmill::config::ColumnType;
use wasmill::store::StoreError;
use wasmill_tests::proxy::{Cut, Proxy};

use crate::database::{Database, in_fresh_database};
use crate::pipeline::{Pipeline, column, partition, spec, table};
use crate::server::{PASSWORD, Server};

fn events() -> wasmill::config::TableConfig {
    table("events", true, vec![column("n", "n", ColumnType::BigInt), column("at", "$offset", None)])
}

fn payloads(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("{{\"n\":{n}}}")).collect()
}

const COUNT: &str = "SELECT count(*) FROM events";
const DISTINCT: &str = "SELECT count(DISTINCT at) FROM events";

#[tokio::test]
async fn commit_stores_rows_and_moves_the_ledger_on() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        assert_eq!(pipeline.store.read(&partition(0)).await.unwrap(), None);
        let mut lease = pipeline.store.acquire(&partition(0), 5).await.unwrap();
        assert_eq!((lease.epoch, lease.next_offset), (1, 5));
        let group = [pipeline.delivery(5, &payloads(3)), pipeline.delivery(8, &payloads(2))];
        let committed = pipeline.store.commit(&mut lease, &group).await.unwrap();
        assert_eq!((committed.delivered, committed.refused, committed.dead_letters), (vec![5], vec![0], 0));
        assert_eq!(lease.next_offset, 10);
        assert_eq!(pipeline.store.read(&partition(0)).await.unwrap(), Some(10));
        assert_eq!(database.texts("SELECT at::text FROM events ORDER BY at").await, ["5", "6", "7", "8", "9"]);
    })
    .await;
}

#[tokio::test]
async fn batch_without_rows_moves_the_ledger_on() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let mut raw = wasmill_core::RawBatch::new(partition(0), 0);
        raw.advance_to(7);
        pipeline.store.commit(&mut lease, &[pipeline.delivery_of(raw)]).await.unwrap();
        assert_eq!(pipeline.store.read(&partition(0)).await.unwrap(), Some(7));
    })
    .await;
}

#[tokio::test]
async fn repeated_commit_stores_nothing_twice() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let mut stale = lease.clone();
        pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads(4))]).await.unwrap();
        let repeated = pipeline.store.commit(&mut stale, &[pipeline.delivery(0, &payloads(4))]).await.unwrap();
        assert_eq!((repeated.delivered, stale.next_offset), (vec![0], 4));
        let mut behind = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        behind.next_offset = 0;
        let longer = pipeline.store.commit(&mut behind, &[pipeline.delivery(0, &payloads(6))]).await.unwrap();
        assert_eq!((longer.delivered, behind.next_offset), (vec![2], 6));
        assert_eq!((database.count(COUNT).await, database.count(DISTINCT).await), (6, 6));
    })
    .await;
}

#[tokio::test]
async fn lane_that_was_taken_over_commits_nothing() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let other = Pipeline::home(&database, vec![events()]).await;
        let mut old = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let mut new = other.store.acquire(&partition(0), 99).await.unwrap();
        assert_eq!((new.epoch, new.next_offset), (2, 0));
        let fenced = pipeline.store.commit(&mut old, &[pipeline.delivery(0, &payloads(3))]).await;
        assert!(matches!(fenced, Err(StoreError::Fenced { mine: 1, found: 2, .. })), "{fenced:?}");
        assert_eq!(database.count(COUNT).await, 0);
        other.store.commit(&mut new, &[other.delivery(0, &payloads(3))]).await.unwrap();
        assert_eq!(database.count(COUNT).await, 3);
    })
    .await;
}

#[tokio::test]
async fn lost_answer_to_commit_is_found_out() {
    in_fresh_database(async |database: Database| {
        let proxy = Proxy::to(database.server()).await;
        let pipeline = Pipeline::open(spec(database.url_through(proxy.port), vec![events()])).await.unwrap();
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        proxy.arm(Cut::AfterCommit).await;
        let committed = pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads(3))]).await.unwrap();
        assert_eq!((committed.delivered, lease.next_offset), (vec![3], 3));
        assert_eq!(database.count(COUNT).await, 3);
        pipeline.store.commit(&mut lease, &[pipeline.delivery(3, &payloads(2))]).await.unwrap();
        assert_eq!(database.count(COUNT).await, 5);
    })
    .await;
}

#[tokio::test]
async fn commit_that_never_arrived_is_transient_and_done_once_when_repeated() {
    in_fresh_database(async |database: Database| {
        let proxy = Proxy::to(database.server()).await;
        let pipeline = Pipeline::open(spec(database.url_through(proxy.port), vec![events()])).await.unwrap();
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let group = [pipeline.delivery(0, &payloads(3))];
        proxy.arm(Cut::BeforeCommit).await;
        let lost = pipeline.store.commit(&mut lease, &group).await;
        assert!(matches!(lost, Err(StoreError::Transient(_))), "{lost:?}");
        assert_eq!((lease.next_offset, database.count(COUNT).await), (0, 0));
        let committed = pipeline.store.commit(&mut lease, &group).await.unwrap();
        assert_eq!((committed.delivered, database.count(COUNT).await), (vec![3], 3));
    })
    .await;
}

#[tokio::test]
async fn server_that_crashes_in_mid_copy_costs_no_row() {
    let Some(server) = Server::start().await else { return };
    let database = Database { url: server.url(PASSWORD, "postgres") };
    let proxy = Proxy::to(database.server()).await;
    let pipeline = Pipeline::open(spec(database.url_through(proxy.port), vec![events()])).await.unwrap();
    let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
    pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads(10))]).await.unwrap();
    let group = [pipeline.delivery(10, &payloads(5_000))];
    proxy.arm(Cut::HoldCopy).await;
    let (interrupted, ()) = tokio::join!(pipeline.store.commit(&mut lease, &group), async {
        proxy.held().await;
        server.crash();
    });
    assert!(matches!(interrupted, Err(StoreError::Transient(_))), "{interrupted:?}");
    let away = pipeline.store.commit(&mut lease, &group).await;
    assert!(matches!(away, Err(StoreError::Transient(_))), "{away:?}");
    server.run();
    let committed = pipeline.store.commit(&mut lease, &group).await.unwrap();
    assert_eq!(committed.delivered, [5_000]);
    assert_eq!((database.count(COUNT).await, database.count(DISTINCT).await), (5_010, 5_010));
}

#[tokio::test]
async fn connections_that_a_restart_has_cut_are_replaced_without_an_error() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        database
            .run("SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE application_name = 'wasmill' AND datname = current_database()")
            .await;
        pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads(3))]).await.unwrap();
        assert_eq!(database.count(COUNT).await, 3);
    })
    .await;
}

#[tokio::test]
async fn sinks_of_one_database_share_the_transaction() {
    in_fresh_database(async |database: Database| {
        let copy = table("copies", true, vec![column("n", "n", ColumnType::BigInt)]);
        let pipeline = Pipeline::home(&database, vec![events(), copy]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let committed = pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads(3))]).await.unwrap();
        assert_eq!(committed.delivered, [3, 3]);
        database.run("ALTER TABLE copies RENAME TO elsewhere").await;
        let group = [pipeline.delivery(3, &payloads(2))];
        let failed = pipeline.store.commit(&mut lease, &group).await;
        assert!(matches!(&failed, Err(StoreError::Setup(message)) if message.contains("42P01")), "{failed:?}");
        assert_eq!(database.count(COUNT).await, 3);
        database.run("ALTER TABLE elsewhere RENAME TO copies").await;
        pipeline.store.commit(&mut lease, &group).await.unwrap();
        assert_eq!((database.count(COUNT).await, database.count("SELECT count(*) FROM copies").await), (5, 5));
    })
    .await;
}

#[tokio::test]
async fn mark_ahead_of_home_drops_event_by_event_what_is_stored() {
    in_fresh_database(async |database: Database| {
        let mut other = spec(database.secret(), vec![events()]);
        other.is_home = false;
        let pipeline = Pipeline::open(other).await.unwrap();
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads(5))]).await.unwrap();
        // Home stopped at 3, so the lane begins again there.
        let mut again = pipeline.store.acquire(&partition(0), 3).await.unwrap();
        assert_eq!(again.next_offset, 5);
        let committed = pipeline.store.commit(&mut again, &[pipeline.delivery(3, &payloads(4))]).await.unwrap();
        assert_eq!(committed.delivered, [2]);
        let wholly_known = pipeline.store.commit(&mut again, &[pipeline.delivery(3, &payloads(4))]).await.unwrap();
        assert_eq!(wholly_known.delivered, [0]);
        assert_eq!((database.count(COUNT).await, database.count(DISTINCT).await), (7, 7));
        assert_eq!(database.text("SELECT sink FROM wasmill_ledger").await, "sink0");
    })
    .await;
}

#[tokio::test]
async fn lanes_commit_side_by_side() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let lane = async |number: i32| {
            let mut lease = pipeline.store.acquire(&partition(number), 0).await.unwrap();
            for round in 0..10 {
                let group = [pipeline.delivery(round * 20, &payloads(20))];
                pipeline.store.commit(&mut lease, &group).await.unwrap();
            }
        };
        tokio::join!(lane(0), lane(1), lane(2), lane(3));
        assert_eq!(database.count(COUNT).await, 800);
        assert_eq!(pipeline.store.offsets().await.unwrap().iter().map(|row| row.next_offset).sum::<i64>(), 800);
    })
    .await;
}

#[tokio::test]
async fn offset_that_is_set_stops_the_running_lane_and_is_where_the_next_begins() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads(5))]).await.unwrap();
        pipeline.store.set_offset(&partition(0), 2).await.unwrap();
        let fenced = pipeline.store.commit(&mut lease, &[pipeline.delivery(5, &payloads(1))]).await;
        assert!(matches!(fenced, Err(StoreError::Fenced { .. })), "{fenced:?}");
        assert_eq!(pipeline.store.acquire(&partition(0), 0).await.unwrap().next_offset, 2);
    })
    .await;
}

#[tokio::test]
async fn topic_is_known_by_any_of_its_partitions_and_not_by_its_name() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        assert!(!pipeline.store.knows_topic(&partition(0)).await.unwrap());
        pipeline.store.acquire(&partition(0), 0).await.unwrap();
        assert!(pipeline.store.knows_topic(&partition(1)).await.unwrap());
        let anew = wasmill_core::PartitionId { topic_id: "t2".into(), ..(*partition(0)).clone() };
        assert!(!pipeline.store.knows_topic(&anew).await.unwrap());
    })
    .await;
}

#[tokio::test]
async fn gap_is_accepted_where_the_ledger_stands_and_is_recorded() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        pipeline.store.acquire(&partition(0), 4).await.unwrap();
        let elsewhere = pipeline.store.accept_gap(&partition(0), 3, 9).await;
        assert!(matches!(elsewhere, Err(StoreError::Setup(_))), "{elsewhere:?}");
        assert_eq!(database.count("SELECT count(*) FROM wasmill_gaps").await, 0);
        pipeline.store.accept_gap(&partition(0), 4, 9).await.unwrap();
        assert_eq!(pipeline.store.read(&partition(0)).await.unwrap(), Some(9));
        assert_eq!(database.text("SELECT first_offset || '-' || next_offset FROM wasmill_gaps").await, "4-9");
    })
    .await;
}

#[tokio::test]
async fn commit_records_of_equal_facts_merge_and_others_do_not() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        for round in 0..3 {
            pipeline.store.commit(&mut lease, &[pipeline.delivery(round * 2, &payloads(2))]).await.unwrap();
        }
        let mut swapped = pipeline.delivery(8, &payloads(2));
        swapped.generation = wasmill_core::Digest::of(b"another");
        pipeline.store.commit(&mut lease, &[pipeline.delivery(6, &payloads(2)), swapped]).await.unwrap();
        let ranges = "SELECT first_offset || '-' || next_offset || ' ' || engine FROM wasmill_commits ORDER BY id";
        assert_eq!(database.texts(ranges).await, ["0-8 0.1.0", "8-10 0.1.0"]);
    })
    .await;
}

#[tokio::test]
async fn plugin_file_is_archived_once() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let digest = wasmill_core::Digest::of(b"file");
        for _ in 0..2 {
            pipeline.store.archive_plugin(&digest, "validate-event", "0.1.0", b"file").await.unwrap();
        }
        let archived = database.text("SELECT name || ' ' || encode(file, 'escape') FROM wasmill_plugins").await;
        assert_eq!(archived, "validate-event file");
    })
    .await;
}
