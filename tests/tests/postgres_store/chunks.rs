//! Chunks of hypertables are made ahead, so that writers do not wait for one another.

use std::time::Duration;

use sqlx::{Connection, Executor};
use tokio::time::timeout;
use wasmill::config::{ColumnType, TableConfig};

use crate::database::{Database, in_fresh_database};
use crate::pipeline::{Pipeline, column, hypertable, partition};

fn events() -> TableConfig {
    let columns = vec![column("at", "at", ColumnType::TimestampTz), column("n", "n", ColumnType::BigInt)];
    hypertable("events", true, "at", columns)
}

const PAYLOADS: [&str; 3] = [
    r#"{"at":"2024-02-01T00:00:00Z","n":1}"#,
    r#"{"at":"2024-02-29T00:00:00Z","n":2}"#,
    r#"{"at":"2024-02-29T01:00:00Z"}"#,
];

const CHUNKS: &str = "SELECT count(*) FROM timescaledb_information.chunks";

/// Commits rows of new chunks, and holds the transaction up just before it ends; then another session writes to yet
/// another new chunk. Answers whether that one got through.
async fn other_session_gets_through(database: &Database, pipeline: &Pipeline) -> bool {
    let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
    let mut blocker = database.connect().await;
    let mut blocking = blocker.begin().await.unwrap();
    blocking.execute("SELECT 1 FROM wasmill_ledger FOR UPDATE").await.unwrap();
    let group = [pipeline.delivery(0, &PAYLOADS)];
    let commit = pipeline.store.commit(&mut lease, &group);
    let other = async {
        // The commit's UPDATE of the ledger waits for us.
        while database.count("SELECT count(*) FROM pg_locks WHERE NOT granted").await == 0 {
            tokio::task::yield_now().await;
        }
        let mut session = database.connect().await;
        session.execute("SET lock_timeout = '300ms'").await.unwrap();
        let inserted = session.execute("INSERT INTO events (at) VALUES ('2020-01-01T00:00:00Z')").await.is_ok();
        blocking.rollback().await.unwrap();
        inserted
    };
    let (committed, inserted) = timeout(Duration::from_secs(60), async { tokio::join!(commit, other) }).await.unwrap();
    assert_eq!(committed.unwrap().delivered, [3]);
    inserted
}

#[tokio::test]
async fn commit_that_needs_a_new_chunk_blocks_no_other_session() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        assert!(other_session_gets_through(&database, &pipeline).await);
        assert_eq!(database.count("SELECT count(*) FROM events").await, 4);
        assert_eq!(database.count(CHUNKS).await, 3);
    })
    .await;
}

#[tokio::test]
async fn table_with_triggers_gets_its_chunks_from_the_copy_and_no_phantom_rows() {
    const TRIGGER: &str = "
        CREATE TABLE seen (n bigint);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO seen VALUES (NEW.n); RETURN NEW; END$$;
        CREATE TRIGGER g AFTER INSERT ON events FOR EACH ROW EXECUTE FUNCTION f();";
    in_fresh_database(async |database: Database| {
        Pipeline::home(&database, vec![events()]).await;
        database.run(TRIGGER).await;
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        assert!(!other_session_gets_through(&database, &pipeline).await);
        assert_eq!(database.count("SELECT count(*) FROM seen").await, 3);
    })
    .await;
}

#[tokio::test]
async fn row_that_is_refused_makes_no_chunk_fail() {
    in_fresh_database(async |database: Database| {
        Pipeline::home(&database, vec![events()]).await;
        database.run("ALTER TABLE events ADD CHECK (n <> 1)").await;
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let committed = pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &PAYLOADS)]).await.unwrap();
        assert_eq!((committed.delivered, committed.refused), (vec![2], vec![1]));
    })
    .await;
}
