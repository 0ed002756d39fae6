//! Dead letters: stored with the rows, read back as they were, in the order of commits.

use std::sync::Arc;

use wasmill::config::ColumnType;
use wasmill::delivery::DeadLetter;
use wasmill::letters::{LetterFilter, LetterState, Page, Replay};
use wasmill::store::Forget;
use wasmill_core::{Digest, PluginRef, Stage};

use crate::database::{Database, in_fresh_database};
use crate::pipeline::{Pipeline, RECORD_TIME_NS, column, partition, table};

fn events() -> wasmill::config::TableConfig {
    table("events", true, vec![column("n", "n", ColumnType::SmallInt)])
}

fn hostile_letter() -> DeadLetter {
    DeadLetter {
        offset: 1,
        timestamp_ns: RECORD_TIME_NS,
        stage: Stage::Validate,
        plugin: Some(Arc::new(PluginRef { name: "v\0".into(), version: "1".into(), digest: Digest::of(b"v") })),
        sink: None,
        code: "bad\0code".into(),
        reason: "a reason\0with a NUL, as a plugin may write it".into(),
        key: None,
        payload: Some(vec![0xff, 0, b'"']),
        headers: vec![(vec![0xfe, 0], Some(vec![])), (vec![], None)],
    }
}

#[tokio::test]
async fn dead_letters_come_back_as_they_were_but_for_nuls_in_sentences() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let mut delivery = pipeline.delivery(0, &["{\"n\":70000}", "{}"]);
        delivery.dead_letters.push(hostile_letter());
        let committed = pipeline.store.commit(&mut lease, &[delivery]).await.unwrap();
        assert_eq!((committed.delivered, committed.dead_letters), (vec![1], 2));
        let letters = pipeline.store.dead_letters_after(0, 10).await.unwrap();
        assert_eq!(letters[0].partition, *partition(0));
        let refused = &letters[0].letter;
        assert_eq!((refused.offset, refused.timestamp_ns, &*refused.code), (0, RECORD_TIME_NS, "out_of_range"));
        assert_eq!(refused.reason, "column \"n\" (smallint) from n: \"70000\" is beyond what the column can hold");
        assert_eq!((refused.key.as_deref(), refused.sink.as_deref()), (Some(&b"key0"[..]), Some("sink0")));
        assert_eq!(refused.headers, [(b"trace".to_vec(), Some(b"abc".to_vec())), (b"empty".to_vec(), None)]);
        let plugin =
            Some(Arc::new(PluginRef { name: "v\u{fffd}".into(), version: "1".into(), digest: Digest::of(b"v") }));
        let expected = DeadLetter {
            plugin,
            code: "bad\u{fffd}code".into(),
            reason: "a reason\u{fffd}with a NUL, as a plugin may write it".into(),
            ..hostile_letter()
        };
        assert_eq!(letters[1].letter, expected);
        assert_eq!(pipeline.store.dead_letters_after(letters[0].id, 10).await.unwrap(), letters[1..]);
        assert_eq!(pipeline.store.dead_letters_after(0, 1).await.unwrap(), letters[..1]);
    })
    .await;
}

#[tokio::test]
async fn relay_mark_begins_at_zero_and_never_goes_back() {
    in_fresh_database(async |database: Database| {
        let store = Pipeline::home(&database, vec![events()]).await.store;
        assert_eq!(store.relay_mark("dead.jsonl").await.unwrap(), 0);
        store.set_relay_mark("dead.jsonl", 9).await.unwrap();
        store.set_relay_mark("dead.jsonl", 5).await.unwrap();
        assert_eq!(store.relay_mark("dead.jsonl").await.unwrap(), 9);
        assert_eq!(store.relay_mark("other").await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn relay_that_reads_while_lanes_commit_passes_over_nothing() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let reader = Pipeline::home(&database, vec![events()]).await;
        let lane = async |number: i32| {
            let mut lease = pipeline.store.acquire(&partition(number), 0).await.unwrap();
            for offset in 0..40 {
                pipeline.store.commit(&mut lease, &[pipeline.delivery(offset, &["{\"n\":70000}"])]).await.unwrap();
            }
        };
        let relay = async {
            let (mut last, mut seen) = (0, 0);
            while seen < 80 {
                let letters = reader.store.dead_letters_after(last, 7).await.unwrap();
                last = letters.last().map_or(last, |letter| letter.id);
                seen += letters.len();
            }
        };
        let all = async { tokio::join!(lane(0), lane(1), relay) };
        tokio::time::timeout(std::time::Duration::from_secs(60), all).await.expect("no letter was passed over");
    })
    .await;
}

#[tokio::test]
async fn what_is_older_than_it_is_kept_is_forgotten_a_part_at_a_time() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        for offset in 0..6 {
            pipeline.store.commit(&mut lease, &[pipeline.delivery(offset, &["{\"n\":70000}"])]).await.unwrap();
        }
        database
            .run(
                "UPDATE wasmill_dead_letters SET rejected_at = now() - interval '30 days 1 minute' WHERE \"offset\" < 4;
                 UPDATE wasmill_dead_letters SET rejected_at = now() - interval '29 days 23 hours' WHERE \"offset\" = 4;
                 UPDATE wasmill_dead_letters SET pipeline = 'another' WHERE \"offset\" = 0;
                 INSERT INTO wasmill_commits (pipeline, source, cluster, topic, topic_id, partition, first_offset, next_offset,
                   generation, config, engine, committed_at)
                 SELECT pipeline, source, cluster, topic, topic_id, partition, 100, 200, generation, config, engine,
                   now() - interval '400 days 1 minute' FROM wasmill_commits",
            )
            .await;
        let letters = pipeline.store.dead_letters_after(0, 10).await.unwrap();
        let second = letters[1].id;
        let forget = async |id_max, limit| {
            pipeline.store.forget(Forget::DeadLetters { days: 30, id_max }, limit).await.unwrap()
        };
        assert_eq!(forget(i64::MAX, 1).await, 1, "the limit");
        assert_eq!(forget(second, 10).await, 1, "up to what is relayed");
        assert_eq!(forget(second, 10).await, 0);
        assert_eq!(forget(i64::MAX, 10).await, 1);
        let kept = database.texts("SELECT pipeline || ' ' || \"offset\" FROM wasmill_dead_letters ORDER BY \"offset\"").await;
        assert_eq!(kept, ["another 0", "test 4", "test 5"]);

        assert_eq!(pipeline.store.forget(Forget::Commits { days: 400 }, 10).await.unwrap(), 1);
        let kept = database.texts("SELECT first_offset || '-' || next_offset FROM wasmill_commits").await;
        assert_eq!(kept, ["0-6"], "the record that is still extended stays");
    })
    .await;
}

#[tokio::test]
async fn what_became_of_a_letter_is_written_only_where_it_is_as_it_was_read_and_goes_with_it() {
    const ALL: Page = Page { after: 0, before: i64::MAX, is_newest_first: false, limit: 10 };
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &["{\"n\":70000}"])]).await.unwrap();
        let read = async || pipeline.store.letters(&LetterFilter::default(), ALL).await.unwrap().remove(0);
        let letter = read().await;
        assert_eq!((letter.standing.state, letter.standing.attempts), (LetterState::Waiting, 1));

        let delivery = pipeline.delivery(0, &["{\"n\":7}"]);
        let identity = letter.identity();
        let replay = Replay { letter: &letter, identity: &identity, delivery: &delivery, attempts_max: Some(5) };
        assert!(pipeline.store.settle_letter(&letter, &letter.discarded("no\0use")).await.unwrap());
        assert!(!pipeline.store.settle_letter(&letter, &letter.discarded("again")).await.unwrap());
        assert_eq!(pipeline.store.replay(replay).await.unwrap(), None);
        assert_eq!(
            database.count("SELECT (SELECT count(*) FROM events) + (SELECT count(*) FROM wasmill_replayed)").await,
            0
        );
        let discarded = read().await;
        assert_eq!(
            (discarded.standing.state, discarded.standing.note.as_deref()),
            (LetterState::Discarded, Some("no\u{fffd}use"))
        );

        database.run("DELETE FROM wasmill_letter_states").await;
        let replayed = pipeline.store.replay(replay).await.unwrap().unwrap();
        assert_eq!((replayed.was_there, replayed.standing.unwrap().state), (false, LetterState::Replayed));
        assert!(pipeline.store.was_replayed(&identity).await.unwrap());
        database.run("DELETE FROM wasmill_letter_states").await;
        assert!(pipeline.store.replay(replay).await.unwrap().unwrap().was_there);
        assert_eq!(database.count("SELECT count(*) FROM events").await, 1);

        database.run("DELETE FROM wasmill_dead_letters").await;
        assert_eq!(database.count("SELECT count(*) FROM wasmill_letter_states").await, 0);
        assert_eq!(pipeline.store.forget(Forget::Replayed { days: 1 }, 10).await.unwrap(), 0);
        database.run("UPDATE wasmill_replayed SET replayed_at = now() - interval '2 days 1 minute'").await;
        assert_eq!(
            pipeline.store.forget(Forget::Replayed { days: 2 }, 10).await.unwrap(),
            0,
            "as long as its letter at least"
        );
        assert_eq!(pipeline.store.forget(Forget::Replayed { days: 1 }, 10).await.unwrap(), 1);
    })
    .await;
}

#[tokio::test]
async fn one_process_at_a_time_works_on_letters() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![events()]).await;
        let locked = pipeline.store.lock_letters().await.unwrap();
        let mut second = std::pin::pin!(pipeline.store.lock_letters());
        tokio::select! {
            biased;
            _ = &mut second => panic!("two have the lock"),
            () = somebody_waits(&database) => {}
        }
        drop(locked);
        second.await.unwrap();
    })
    .await;
}

/// Until a session waits for an advisory lock.
async fn somebody_waits(database: &Database) {
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    while database.count(waiting).await == 0 {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
