//! SQLite as a store, where a run cannot bring it: an answer to COMMIT that is lost, and a ledger that moves under an operator's hand.

use std::sync::Arc;

use wasmill::config::Provenance;
use wasmill::delivery::{DeadLetter, Delivery};
use wasmill::sqlite::SqliteStore;
use wasmill::store::{Facts, StoreError};
use wasmill_core::{Digest, EventTime, PartitionId, ProjectionBuilder, RawBatch};

fn partition() -> Arc<PartitionId> {
    Arc::new(PartitionId {
        source: "kafka".into(),
        cluster: "c1".into(),
        topic: "raw-events".into(),
        topic_id: "t1".into(),
        partition: 0,
    })
}

/// Home alone, without rows: its dead letters tell what was stored.
async fn home(folder: &tempfile::TempDir) -> SqliteStore {
    let facts = Facts { provenance: Provenance::Digest, config: Digest::of(b"config"), engine: "0.1.0".into() };
    let opened = SqliteStore::open(&folder.path().join("home.db"), "test", Vec::new(), true, facts).await;
    opened.expect("the database opens")
}

/// So many events from `first_offset` on, each of them a dead letter.
fn delivery(first_offset: i64, count: i64) -> Delivery {
    let mut raw = RawBatch::new(partition(), first_offset);
    (first_offset..first_offset + count).for_each(|offset| raw.push(offset, 0, None, Some(b"no JSON"), []));
    let (events, rejections) = ProjectionBuilder::new(EventTime::Record, 1 << 20).build().extract(raw);
    Delivery {
        dead_letters: rejections.into_iter().map(|rejection| DeadLetter::new(&events, rejection)).collect(),
        events,
        alerts: None,
        encoded: Vec::new(),
        generation: Digest::of(b"generation"),
        plugins: Arc::default(),
        received: std::time::Instant::now(),
        dropped: 0,
        rejected: count as u64,
        alerts_raised: 0,
        costs: Vec::new(),
        turns: Vec::new(),
        looked_up: Default::default(),
        state: Vec::new(),
    }
}

async fn offsets_stored(store: &SqliteStore) -> Vec<i64> {
    let letters = store.dead_letters_after(0, 100).await.expect("the letters");
    letters.iter().map(|stored| stored.letter.offset).collect()
}

#[tokio::test]
async fn commit_whose_answer_was_lost_is_found_out_and_stores_nothing_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = home(&folder).await;
    let mut lease = store.acquire(&partition(), 0).await.expect("a lease");
    let mut unanswered = lease.clone();
    store.commit(&mut lease, &[delivery(0, 3)]).await.expect("it is stored");
    let again = store.commit(&mut unanswered, &[delivery(0, 3)]).await;
    assert!(again.is_ok(), "{again:?}");
    assert_eq!(unanswered.next_offset, 3);
    store.commit(&mut unanswered, &[delivery(3, 2)]).await.expect("it goes on");
    assert_eq!(offsets_stored(&store).await, [0, 1, 2, 3, 4]);
}

#[tokio::test]
async fn lane_that_was_taken_over_commits_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (store, other) = (home(&folder).await, home(&folder).await);
    let mut old = store.acquire(&partition(), 0).await.expect("a lease");
    let mut new = other.acquire(&partition(), 99).await.expect("another lease");
    assert_eq!((new.epoch, new.next_offset), (2, 0));
    let fenced = store.commit(&mut old, &[delivery(0, 3)]).await;
    assert!(matches!(fenced, Err(StoreError::Fenced { mine: 1, found: 2, .. })), "{fenced:?}");
    other.commit(&mut new, &[delivery(0, 3)]).await.expect("it is stored");
    assert_eq!(offsets_stored(&store).await, [0, 1, 2]);
}

#[tokio::test]
async fn gap_is_accepted_only_where_the_ledger_stands() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = home(&folder).await;
    store.acquire(&partition(), 4).await.expect("a lease");
    let elsewhere = store.accept_gap(&partition(), 3, 9).await;
    assert!(matches!(&elsewhere, Err(StoreError::Setup(said)) if said.contains("the ledger is at 4")), "{elsewhere:?}");
    assert_eq!(store.read(&partition()).await.expect("a position"), Some(4));
    store.accept_gap(&partition(), 4, 9).await.expect("it is accepted");
    assert_eq!(store.read(&partition()).await.expect("a position"), Some(9));
}
