//! Tables are made or checked at the start; what is wrong is said with the SQL that puts it right.

use sqlx::Connection;
use wasmill::config::{ColumnType, Secret, TableConfig};
use wasmill::store::StoreError;

use crate::database::{Database, in_fresh_database, with_database};
use crate::pipeline::{Pipeline, column, hypertable, partition, spec, table};
use crate::server::{PASSWORD, Server};

/// The sentence of the set-up error with which the store refuses to open.
async fn refusal(url: Secret, config: TableConfig) -> String {
    match Pipeline::open(spec(url, vec![config])).await.map(|_| ()) {
        Err(StoreError::Setup(message)) => message,
        other => panic!("{other:?}"),
    }
}

fn columns() -> Vec<wasmill::config::ColumnConfig> {
    vec![
        column("at", "at", ColumnType::TimestampTz),
        column("n", "n", ColumnType::BigInt),
        column("body", "$raw", None),
    ]
}

#[tokio::test]
async fn missing_table_is_made_only_when_the_configuration_says_so() {
    in_fresh_database(async |database: Database| {
        let said = refusal(database.secret(), hypertable("public.t", false, "at", columns())).await;
        let sql = "CREATE TABLE \"public\".\"t\" (\"at\" timestamptz NOT NULL, \"n\" bigint, \"body\" jsonb); \
                   SELECT create_hypertable('\"public\".\"t\"', 'at');";
        assert!(said.contains(sql), "{said}");
        database.run(sql).await;
        Pipeline::home(&database, vec![hypertable("public.t", false, "at", columns())]).await;
        Pipeline::home(&database, vec![hypertable("made", true, "at", columns())]).await;
        let is_hypertable = "SELECT count(*) FROM timescaledb_information.hypertables WHERE hypertable_name = 'made'";
        assert_eq!(database.count(is_hypertable).await, 1);
    })
    .await;
}

#[tokio::test]
async fn all_faults_of_a_table_are_told_at_once_with_their_remedies() {
    in_fresh_database(async |database: Database| {
        database
            .run("CREATE TABLE t (n integer, at timestamp, \"must \"\"be\" text NOT NULL, ok bigint NOT NULL DEFAULT 1, twice int GENERATED ALWAYS AS (n * 2) STORED, odd point)")
            .await;
        let mut wanted = columns();
        wanted.push(column("twice", "twice", None));
        wanted.push(column("odd", "odd", None));
        let said = refusal(database.secret(), table("t", true, wanted)).await;
        for part in [
            "table \"t\" does not fit sink \"sink0\"",
            "ALTER TABLE \"t\" ALTER COLUMN \"must \"\"be\" DROP NOT NULL;",
            "ALTER TABLE \"t\" ALTER COLUMN \"at\" TYPE timestamptz USING \"at\"::timestamptz;",
            "ALTER TABLE \"t\" ALTER COLUMN \"n\" TYPE bigint USING \"n\"::bigint;",
            "ALTER TABLE \"t\" ADD COLUMN \"body\" jsonb;",
            "column \"twice\" is computed by the database",
            "column \"odd\" is point, which cannot be filled; run ALTER TABLE \"t\" ALTER COLUMN \"odd\" TYPE text",
        ] {
            assert!(said.contains(part), "{part} is not in: {said}");
        }
        for sql in said.split("run ").skip(1).filter_map(|rest| rest.split_once(';')).map(|(sql, _)| sql) {
            if !sql.contains("\"n\"") {
                database.run(sql).await;
            }
        }
        let mut mended = columns();
        mended[1] = column("n", "n", None);
        Pipeline::home(&database, vec![table("t", false, mended)]).await;
    })
    .await;
}

#[tokio::test]
async fn hypertable_is_checked_against_the_configuration() {
    in_fresh_database(async |database: Database| {
        database.run("CREATE TABLE t (at timestamptz NOT NULL, n bigint, body jsonb, other timestamptz NOT NULL DEFAULT now())").await;
        let said = refusal(database.secret(), hypertable("t", true, "at", columns())).await;
        let sql = "SELECT create_hypertable('\"t\"', 'at', migrate_data => true)";
        assert!(said.contains(sql), "{said}");
        database.run("SELECT create_hypertable('t', 'other')").await;
        let said = refusal(database.secret(), hypertable("t", true, "at", columns())).await;
        assert!(said.contains("time column is \"other\", not \"at\""), "{said}");
    })
    .await;
}

#[tokio::test]
async fn timescale_without_its_extension_is_told_and_plain_postgres_needs_none() {
    in_fresh_database(async |database: Database| {
        database.run("DROP EXTENSION timescaledb CASCADE").await;
        let said = refusal(database.secret(), hypertable("t", true, "at", columns())).await;
        assert!(said.contains("CREATE EXTENSION timescaledb"), "{said}");
        let pipeline = Pipeline::home(&database, vec![table("t", true, columns())]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 0).await.unwrap();
        pipeline.store.commit(&mut lease, &[pipeline.delivery(0, &["{\"n\":1}"])]).await.unwrap();
        assert_eq!(database.text("SELECT body::text FROM t").await, "{\"n\": 1}");
    })
    .await;
}

#[tokio::test]
async fn table_that_may_not_be_written_is_told() {
    in_fresh_database(async |database: Database| {
        let role = format!("wasmill_reader_{}", std::process::id());
        database
            .run(&format!(
                "CREATE TABLE t (n bigint); CREATE ROLE {role} LOGIN; GRANT CREATE ON SCHEMA public TO {role};"
            ))
            .await;
        let url = database.url.replacen("postgres@", &format!("{role}@"), 1);
        let said = refusal(Secret::new(url), table("t", false, vec![column("n", "n", None)])).await;
        assert!(said.contains("GRANT INSERT ON \"t\""), "{said}");
        database.run(&format!("DROP OWNED BY {role} CASCADE; DROP ROLE {role}")).await;
    })
    .await;
}

#[tokio::test]
async fn several_workers_may_set_up_at_once() {
    in_fresh_database(async |database: Database| {
        let open = || Pipeline::home(&database, vec![hypertable("t", true, "at", columns())]);
        tokio::join!(open(), open(), open(), open());
        assert_eq!(database.count("SELECT count(*) FROM wasmill_schema").await, 1);
    })
    .await;
}

#[tokio::test]
async fn tables_of_another_version_are_refused() {
    in_fresh_database(async |database: Database| {
        Pipeline::home(&database, vec![table("t", true, columns())]).await;
        database.run("UPDATE wasmill_schema SET version = 99").await;
        let said = refusal(database.secret(), table("t", true, columns())).await;
        assert!(said.contains("version 99"), "{said}");
    })
    .await;
}

/// What the first release left behind.
#[tokio::test]
async fn tables_of_the_first_version_are_brought_to_the_newest_with_what_is_in_them() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![table("t", true, columns())]).await;
        let mut lease = pipeline.store.acquire(&partition(0), 7).await.unwrap();
        pipeline.store.commit(&mut lease, &[pipeline.delivery(7, &["no JSON"])]).await.unwrap();
        database.run("DROP TABLE wasmill_answers, wasmill_open_alerts, wasmill_states, wasmill_state, wasmill_generations, wasmill_skipped, wasmill_letter_states, wasmill_replayed; UPDATE wasmill_schema SET version = 1").await;
        let newer = Pipeline::home(&database, vec![table("t", true, columns())]).await;
        assert_eq!(database.count("SELECT count(*) FROM wasmill_answers, wasmill_open_alerts, wasmill_states, wasmill_state, wasmill_skipped").await, 0);
        assert_eq!(database.count("SELECT count(*) FROM wasmill_dead_letters").await, 1);
        assert_eq!(newer.store.read(&partition(0)).await.unwrap(), Some(8));
        let version = "SELECT version::bigint FROM wasmill_schema";
        let newest = database.count(version).await;
        Pipeline::home(&database, vec![table("t", true, columns())]).await;
        assert_eq!((database.count(version).await, newest > 1), (newest, true));
    })
    .await;
}

#[tokio::test]
async fn wrong_password_database_and_tls_are_set_up_errors_and_show_no_password() {
    let Some(server) = Server::start().await else { return };
    let open = async |url: String| {
        let said = refusal(Secret::new(url), table("t", true, columns())).await;
        assert!(!said.contains(PASSWORD) && !said.contains("wr0ng"), "{said}");
        said
    };
    let said = open(server.url("wr0ng", "postgres")).await;
    assert!(said.contains("28P01") && said.contains("check user and password"), "{said}");
    let said = open(server.url(PASSWORD, "nowhere")).await;
    assert!(said.contains("3D000") && said.contains("create the database"), "{said}");
    let said = open(server.url(PASSWORD, "postgres?sslmode=require")).await;
    assert!(said.contains("TLS"), "{said}");
    let said = open(format!("postgres:// {PASSWORD}")).await;
    assert!(said.contains("is no PostgreSQL address"), "{said}");
}

#[tokio::test]
async fn server_that_is_away_is_transient() {
    let Some(server) = Server::start().await else { return };
    server.crash();
    let opened =
        Pipeline::open(spec(Secret::new(server.url(PASSWORD, "postgres")), vec![table("t", true, columns())])).await;
    assert!(matches!(opened.map(|_| ()), Err(StoreError::Transient(_))));
}

#[tokio::test]
async fn address_shows_neither_user_nor_password() {
    in_fresh_database(async |database: Database| {
        let pipeline = Pipeline::home(&database, vec![table("t", true, columns())]).await;
        let (host, port) = database.server();
        let name = database.text("SELECT current_database()::text").await;
        assert_eq!(pipeline.store.address(), format!("{host}:{port}/{name}"));
        let other = with_database(&database.url, "other");
        assert!(sqlx::PgConnection::connect(&other).await.is_err());
    })
    .await;
}
