//! Rows that only the database refuses: exactly those become dead letters, the others go in.

use wasmill::config::ColumnType;
use wasmill::store::StoreError;
use wasmill_core::Stage;

use crate::database::{Database, in_fresh_database};
use crate::pipeline::{Pipeline, column, partition, table};

/// Opens a pipeline on table `t`, made by `sql`, whose columns `n` and `s` are filled.
async fn pipeline_on(database: &Database, sql: &str) -> Pipeline {
    database.run(sql).await;
    let columns = vec![column("n", "n", ColumnType::BigInt), column("s", "s", ColumnType::Text)];
    Pipeline::home(database, vec![table("t", false, columns)]).await
}

/// Commits events n = 0..`count` as one group of two batches, and expects exactly `guilty` to be refused.
async fn expect_refused(database: &Database, pipeline: &Pipeline, count: i64, guilty: &[i64], reason: &str) {
    let payload = |n: i64| format!("{{\"n\":{n},\"s\":\"x{n}\"}}");
    let half = count / 2;
    let (first, second): (Vec<_>, Vec<_>) = ((0..half).map(payload).collect(), (half..count).map(payload).collect());
    let group = [pipeline.delivery(0, &first), pipeline.delivery(half, &second)];
    let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
    let committed = pipeline.store.commit(&mut lease, &group).await.unwrap();
    assert_eq!(committed.refused, [guilty.len() as u64]);
    assert_eq!(committed.delivered, [(count as usize - guilty.len()) as u64]);
    let stored = database.texts("SELECT n::text FROM t ORDER BY t.n").await;
    let expected: Vec<_> = (0..count).filter(|n| !guilty.contains(n)).map(|n| n.to_string()).collect();
    assert_eq!(stored, expected);
    let letters = pipeline.store.dead_letters_after(0, 100_000).await.unwrap();
    assert_eq!(letters.iter().map(|stored| stored.letter.offset).collect::<Vec<_>>(), guilty);
    for stored in &letters {
        let letter = &stored.letter;
        assert_eq!((letter.stage, &*letter.code), (Stage::Sink, "refused_by_database"));
        assert_eq!(letter.sink.as_deref(), Some("sink0"));
        assert_eq!(letter.payload.as_deref(), Some(payload(letter.offset).as_bytes()));
        assert!(letter.reason.contains(reason), "{}", letter.reason);
    }
}

const CHECKED: &str = "CREATE TABLE t (n bigint CHECK (n % 100 <> 7), s text)";

#[tokio::test]
async fn row_that_a_check_refuses_is_blamed_alone() {
    in_fresh_database(async |database: Database| {
        let pipeline = pipeline_on(&database, CHECKED).await;
        expect_refused(&database, &pipeline, 1_000, &[7, 107, 207, 307, 407, 507, 607, 707, 807, 907], "23514").await;
    })
    .await;
}

#[tokio::test]
async fn first_and_last_row_can_be_to_blame() {
    in_fresh_database(async |database: Database| {
        let pipeline = pipeline_on(&database, "CREATE TABLE t (n bigint CHECK (n NOT IN (0, 99)), s text)").await;
        expect_refused(&database, &pipeline, 100, &[0, 99], "violates check constraint").await;
    })
    .await;
}

#[tokio::test]
async fn row_that_a_trigger_refuses_is_blamed_with_the_triggers_words() {
    const SQL: &str = "
        CREATE TABLE t (n bigint, s text);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS
            $$BEGIN IF NEW.n = 42 THEN RAISE 'not %', NEW.s; END IF; RAISE NOTICE 'seen % % %', NEW, NEW, NEW; RETURN NEW; END$$;
        CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f();";
    in_fresh_database(async |database: Database| {
        let pipeline = pipeline_on(&database, SQL).await;
        // So many that their notices would fill every buffer if they were sent.
        expect_refused(&database, &pipeline, 20_000, &[42], "not x42 (SQLSTATE P0001)").await;
    })
    .await;
}

#[tokio::test]
async fn second_row_of_a_unique_value_is_blamed() {
    const SQL: &str =
        "CREATE TABLE t (n bigint, s text); CREATE UNIQUE INDEX ON t ((n / 2)) WHERE n BETWEEN 50 AND 53;";
    in_fresh_database(async |database: Database| {
        let pipeline = pipeline_on(&database, SQL).await;
        expect_refused(&database, &pipeline, 4_000, &[51, 53], "23505").await;
    })
    .await;
}

#[tokio::test]
async fn row_without_a_line_in_its_error_is_found_by_halving() {
    const SQL: &str = "
        CREATE TABLE known (n bigint PRIMARY KEY);
        INSERT INTO known SELECT n FROM generate_series(0, 999) n WHERE n NOT IN (3, 4, 500);
        CREATE TABLE t (n bigint REFERENCES known, s text);";
    in_fresh_database(async |database: Database| {
        let pipeline = pipeline_on(&database, SQL).await;
        expect_refused(&database, &pipeline, 1_000, &[3, 4, 500], "23503").await;
    })
    .await;
}

#[tokio::test]
async fn row_that_a_deferred_constraint_refuses_at_commit_is_blamed() {
    const SQL: &str = "
        CREATE TABLE known (n bigint PRIMARY KEY);
        INSERT INTO known SELECT n FROM generate_series(0, 199) n WHERE n <> 77;
        CREATE TABLE t (n bigint REFERENCES known DEFERRABLE INITIALLY DEFERRED, s text);";
    in_fresh_database(async |database: Database| {
        let pipeline = pipeline_on(&database, SQL).await;
        expect_refused(&database, &pipeline, 200, &[77], "23503").await;
    })
    .await;
}

#[tokio::test]
async fn row_that_a_constraint_trigger_refuses_at_commit_is_blamed() {
    const SQL: &str = "
        CREATE TABLE t (n bigint, s text);
        CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.n = 5 THEN RAISE 'never'; END IF; RETURN NULL; END$$;
        CREATE CONSTRAINT TRIGGER g AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION f();";
    in_fresh_database(async |database: Database| {
        let pipeline = pipeline_on(&database, SQL).await;
        expect_refused(&database, &pipeline, 50, &[5], "P0001").await;
    })
    .await;
}

#[tokio::test]
async fn value_beyond_an_index_is_blamed() {
    in_fresh_database(async |database: Database| {
        let pipeline = pipeline_on(&database, "CREATE TABLE t (n bigint, s text); CREATE INDEX ON t (s);").await;
        // Random, since an index entry is compressed first.
        let long: String = std::iter::repeat_with(fastrand::alphanumeric).take(20_000).collect();
        let payloads = ["{\"n\":0,\"s\":\"a\"}".into(), format!("{{\"n\":1,\"s\":\"{long}\"}}"), "{\"n\":2}".into()];
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let committed = pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &payloads)]).await.unwrap();
        assert_eq!((committed.delivered, committed.refused), (vec![2], vec![1]));
        let reason = database.text("SELECT reason FROM wasmill_dead_letters").await;
        assert!(reason.contains("54000"), "{reason}");
    })
    .await;
}

#[tokio::test]
async fn all_rows_can_be_refused() {
    in_fresh_database(async |database: Database| {
        let pipeline = pipeline_on(&database, "CREATE TABLE t (n bigint CHECK (n < 0), s text)").await;
        expect_refused(&database, &pipeline, 2_000, &(0..2_000).collect::<Vec<_>>(), "23514").await;
    })
    .await;
}

#[tokio::test]
async fn rows_of_a_hypertable_are_blamed_as_well() {
    in_fresh_database(async |database: Database| {
        let sql = "CREATE TABLE t (n bigint CHECK (n <> 9), s text, at timestamptz NOT NULL DEFAULT now());
                   SELECT create_hypertable('t', 'at');";
        let pipeline = pipeline_on(&database, sql).await;
        expect_refused(&database, &pipeline, 3_000, &[9], "23514").await;
    })
    .await;
}

#[tokio::test]
async fn altered_column_type_blames_nobody() {
    in_fresh_database(async |database: Database| {
        let pipeline = pipeline_on(&database, "CREATE TABLE t (n bigint, s text)").await;
        database.run("ALTER TABLE t ALTER COLUMN n TYPE integer").await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        let altered = pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &["{\"n\":1}"])]).await;
        let told = matches!(&altered, Err(StoreError::Setup(message)) if message.contains("start again"));
        assert!(told, "{altered:?}");
        assert_eq!(database.count("SELECT count(*) FROM wasmill_dead_letters").await, 0);
    })
    .await;
}
