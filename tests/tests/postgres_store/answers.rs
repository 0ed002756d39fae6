//! The answers of look-ups, kept with the commit.

use std::sync::Arc;

use wasmill::config::Provenance;
use wasmill::delivery::Delivery;
use wasmill::store::Forget;

use crate::database::{Database, in_fresh_database};
use crate::pipeline::{Pipeline, column, partition, spec, table};

async fn home(database: &Database, provenance: Provenance) -> Pipeline {
    let mut spec = spec(database.secret(), vec![table("events", true, vec![column("id", "id", None)])]);
    spec.facts.provenance = provenance;
    Pipeline::open(spec).await.expect("the store opens")
}

/// One event at `offset` whose batch was told these answers.
fn told(pipeline: &Pipeline, offset: i64, answers: &[(&str, Option<&str>)]) -> Delivery {
    let mut delivery = pipeline.delivery(offset, &["{\"id\":\"1\"}"]);
    let answers = answers.iter().map(|(address, name)| ((*address).to_owned(), name.map(Arc::from)));
    delivery.looked_up = answers.collect();
    delivery
}

const KEPT: &str = "SELECT first_offset || ' ' || lookup || ' ' || address || ' ' || coalesce(answer, '-') FROM wasmill_answers ORDER BY id";

#[tokio::test]
async fn answers_are_kept_once_per_change_and_per_partition() {
    in_fresh_database(async |database: Database| {
        let pipeline = home(&database, Provenance::Full).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let (a, b) = (("192.0.2.1", Some("a.example")), ("192.0.2.1", Some("b.example")));
        let none = ("192.0.2.1", None);
        // One group: what changes within a transaction is seen.
        let group = [(0, a), (1, a), (2, b), (3, a)].map(|(offset, answer)| told(&pipeline, offset, &[answer]));
        pipeline.store.commit(&mut lease, &group).await.unwrap();
        for (offset, answer) in [(4, a), (5, none), (6, none), (7, ("192.0.2.9", None))] {
            pipeline.store.commit(&mut lease, &[told(&pipeline, offset, &[answer])]).await.unwrap();
        }
        let of = |offset: i64, answer: &str| format!("{offset} reverse_dns 192.0.2.1 {answer}");
        let expected = [of(0, "a.example"), of(2, "b.example"), of(3, "a.example"), of(5, "-")];
        assert_eq!(database.texts(KEPT).await, expected);

        // Read again from an earlier offset: what is told now counts, also where it is what was told there before.
        pipeline.store.set_offset(&partition(0), 4).await.unwrap();
        let mut lease = pipeline.store.acquire(&partition(0), 4).await.unwrap();
        pipeline.store.commit(&mut lease, &[told(&pipeline, 4, &[none])]).await.unwrap();
        assert_eq!(database.texts(KEPT).await.last(), Some(&of(4, "-")));
    })
    .await;
}

#[tokio::test]
async fn answers_are_not_kept_unless_provenance_is_full() {
    in_fresh_database(async |database: Database| {
        let pipeline = home(&database, Provenance::Digest).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let delivery = told(&pipeline, 0, &[("192.0.2.1", Some("a.example"))]);
        pipeline.store.commit(&mut lease, &[delivery]).await.unwrap();
        assert_eq!(database.count("SELECT count(*) FROM wasmill_answers").await, 0);
        assert_eq!(pipeline.store.forget(Forget::Answers { days: 1 }, 10).await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn answers_in_use_are_written_anew_each_day_so_that_old_ones_can_be_forgotten() {
    in_fresh_database(async |database: Database| {
        let pipeline = home(&database, Provenance::Full).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let answer = ("192.0.2.1", Some("a.example"));
        pipeline.store.commit(&mut lease, &[told(&pipeline, 0, &[answer])]).await.unwrap();
        database.run("UPDATE wasmill_answers SET recorded_at = now() - interval '401 days 1 minute'").await;
        pipeline.store.commit(&mut lease, &[told(&pipeline, 1, &[answer])]).await.unwrap();
        let both = ["0 reverse_dns 192.0.2.1 a.example", "1 reverse_dns 192.0.2.1 a.example"];
        assert_eq!(database.texts(KEPT).await, both);
        assert_eq!(pipeline.store.forget(Forget::Answers { days: 401 }, 10).await.unwrap(), 0);
        assert_eq!(pipeline.store.forget(Forget::Answers { days: 400 }, 10).await.unwrap(), 1);
        assert_eq!(database.texts(KEPT).await, both[1..]);
    })
    .await;
}
