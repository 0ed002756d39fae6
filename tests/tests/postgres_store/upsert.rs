//! Rows whose key is in the table already.

use wasmill::config::{ColumnType, OnDuplicate, TableConfig};
use wasmill::store::StoreError;

use crate::database::{Database, in_fresh_database};
use crate::pipeline::{Pipeline, column, hypertable, partition, spec, table};

fn keyed(on_duplicate: OnDuplicate) -> TableConfig {
    let columns = vec![column("id", "id", ColumnType::Text), column("n", "n", ColumnType::BigInt)];
    TableConfig { key: vec!["id".parse().unwrap()], on_duplicate, ..table("events", true, columns) }
}

fn events(rows: &[(&str, i64)]) -> Vec<String> {
    rows.iter().map(|(id, n)| format!("{{\"id\":\"{id}\",\"n\":{n}}}")).collect()
}

/// Commits these groups one after the other; answers what is in the table.
async fn stored(database: &Database, table: TableConfig, groups: &[&[(&str, i64)]]) -> Vec<String> {
    let pipeline = Pipeline::home(database, vec![table]).await;
    let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
    for group in groups {
        let delivery = pipeline.delivery(lease.next_offset, &events(group));
        let committed = pipeline.store.commit(&mut lease, &[delivery]).await.unwrap();
        assert_eq!((committed.delivered, committed.refused), (vec![group.len() as u64], vec![0]));
    }
    database.texts("SELECT id || n FROM events ORDER BY id").await
}

#[tokio::test]
async fn first_row_of_a_key_stays_where_duplicates_are_ignored() {
    in_fresh_database(async |database: Database| {
        let groups: [&[_]; 2] = [&[("a", 1), ("b", 1), ("a", 2)], &[("b", 3), ("c", 3), ("c", 4)]];
        assert_eq!(stored(&database, keyed(OnDuplicate::Ignore), &groups).await, ["a1", "b1", "c3"]);
    })
    .await;
}

#[tokio::test]
async fn last_row_of_a_key_counts_where_duplicates_update() {
    in_fresh_database(async |database: Database| {
        let groups: [&[_]; 2] = [&[("a", 1), ("b", 1), ("a", 2)], &[("b", 3), ("c", 3), ("c", 4)]];
        assert_eq!(stored(&database, keyed(OnDuplicate::Update), &groups).await, ["a2", "b3", "c4"]);
    })
    .await;
}

#[tokio::test]
async fn row_that_the_table_refuses_is_found_among_those_that_are_there_already() {
    in_fresh_database(async |database: Database| {
        database
            .run("CREATE TABLE events (id text PRIMARY KEY, n bigint CHECK (n < 100), made int NOT NULL DEFAULT 7)")
            .await;
        let pipeline = Pipeline::home(&database, vec![keyed(OnDuplicate::Update)]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let rows: Vec<(String, i64)> =
            (0..50).map(|n| (format!("k{}", n % 20), if n == 33 { 100 } else { n })).collect();
        let rows: Vec<(&str, i64)> = rows.iter().map(|(id, n)| (id.as_str(), *n)).collect();
        let committed = pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &events(&rows))]).await.unwrap();
        assert_eq!((committed.delivered, committed.refused, committed.dead_letters), (vec![49], vec![1], 1));
        assert_eq!(database.count("SELECT count(*) FROM events WHERE made = 7").await, 20);
        // k13 came with 13 and, refused, with 100; all others came again later.
        assert_eq!(database.count("SELECT n FROM events WHERE id = 'k13'").await, 13);
        assert_eq!(database.count("SELECT n FROM events WHERE id = 'k12'").await, 32);
        let refused = database.texts("SELECT \"offset\"::text FROM wasmill_dead_letters").await;
        assert_eq!(refused, ["33"]);
    })
    .await;
}

#[tokio::test]
async fn key_of_a_hypertable_holds_across_chunks() {
    in_fresh_database(async |database: Database| {
        let columns = vec![column("at", "at", ColumnType::TimestampTz), column("n", "n", ColumnType::BigInt)];
        let config = TableConfig {
            key: vec!["at".parse().unwrap()],
            on_duplicate: OnDuplicate::Update,
            ..hypertable("events", true, "at", columns)
        };
        let pipeline = Pipeline::home(&database, vec![config]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let payloads = ["02-28", "02-29", "02-10", "02-28"].iter().enumerate();
        let payloads: Vec<_> =
            payloads.map(|(n, day)| format!("{{\"at\":\"2024-{day}T00:00:00Z\",\"n\":{n}}}")).collect();
        pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads)]).await.unwrap();
        assert_eq!(database.texts("SELECT n::text FROM events ORDER BY at").await, ["2", "3", "1"]);
    })
    .await;
}

#[tokio::test]
async fn table_whose_key_is_not_unique_is_refused_with_the_index_that_it_needs() {
    in_fresh_database(async |database: Database| {
        database.run("CREATE TABLE events (id text, n bigint); CREATE UNIQUE INDEX ON events (id, n); CREATE UNIQUE INDEX ON events (id) WHERE n > 0").await;
        let refused = Pipeline::open(spec(database.secret(), vec![keyed(OnDuplicate::Ignore)])).await.map(|_| ());
        let Err(StoreError::Setup(said)) = refused else { panic!("{refused:?}") };
        let remedy = "CREATE UNIQUE INDEX ON \"events\" (\"id\");";
        assert!(said.contains(remedy), "{said}");
        database.run(remedy).await;
        Pipeline::home(&database, vec![keyed(OnDuplicate::Ignore)]).await;
    })
    .await;
}
