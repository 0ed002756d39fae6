//! Fresh databases on the server that `DATABASE_URL` names.

use std::future::Future;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{Connection, Executor, Row};
use wasmill::config::Secret;

/// A database of one test's own.
pub(crate) struct Database {
    /// Its address.
    pub(crate) url: String,
}

/// Runs `test` in a fresh database, which is dropped afterwards. Without `DATABASE_URL` the test is skipped, loudly; in
/// CI that is a failure.
pub(crate) async fn in_fresh_database<F: Future<Output = ()>>(test: impl FnOnce(Database) -> F) {
    let Some(server) = server_url() else { return };
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("wasmill_test_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut admin = PgConnection::connect(&server).await.expect("DATABASE_URL is reachable");
    create(&mut admin, &name).await;
    let url = with_database(&server, &name);
    test(Database { url }).await;
    let drop = format!("DROP DATABASE {name} WITH (FORCE)");
    admin.execute(drop.as_str()).await.expect("the test's database is dropped");
}

/// The server of `DATABASE_URL`; `None` is said on standard error.
#[allow(clippy::print_stderr, reason = "a skipped test must be seen")]
pub(crate) fn server_url() -> Option<String> {
    let url = std::env::var("DATABASE_URL").ok();
    if url.is_none() {
        assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must set DATABASE_URL");
        eprintln!("SKIPPED: set DATABASE_URL to a TimescaleDB to run this test");
    }
    url
}

async fn create(admin: &mut PgConnection, name: &str) {
    let create = format!("CREATE DATABASE {name}");
    for _ in 0..50 {
        match admin.execute(create.as_str()).await {
            Ok(_) => return,
            // TimescaleDB's own workers look into the template from time to time.
            Err(error) if error.to_string().contains("is being accessed by other users") => {
                tokio::task::yield_now().await
            }
            Err(error) => panic!("cannot create {name}: {error}"),
        }
    }
    panic!("the template database stays in use");
}

/// `url` with another database.
pub(crate) fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_once('?').map_or((url, ""), |(address, query)| (address, query));
    let base = address.rsplit_once('/').expect("DATABASE_URL ends in a database").0;
    if query.is_empty() { format!("{base}/{name}") } else { format!("{base}/{name}?{query}") }
}

impl Database {
    pub(crate) fn secret(&self) -> Secret {
        Secret::new(&*self.url)
    }

    pub(crate) async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.expect("the fresh database is reachable")
    }

    /// Runs SQL statements.
    pub(crate) async fn run(&self, sql: &str) {
        self.connect().await.execute(sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// The rows of a query that answers one column, as text.
    pub(crate) async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = sqlx::query(sql).fetch_all(&mut self.connect().await).await;
        let rows = rows.unwrap_or_else(|error| panic!("{sql}: {error}"));
        rows.iter().map(|row| row.try_get(0).unwrap_or_else(|error| panic!("{sql}: {error}"))).collect()
    }

    /// The single text that a query answers.
    pub(crate) async fn text(&self, sql: &str) -> String {
        let mut texts = self.texts(sql).await;
        assert_eq!(texts.len(), 1, "{sql}: {texts:?}");
        texts.remove(0)
    }

    /// The single count that a query answers.
    pub(crate) async fn count(&self, sql: &str) -> i64 {
        let count = sqlx::query_scalar(sql).fetch_one(&mut self.connect().await).await;
        count.unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// Its address through another port of this machine.
    pub(crate) fn url_through(&self, port: u16) -> Secret {
        let options: PgConnectOptions = self.url.parse().expect("the test's own address");
        let database = options.get_database().expect("the test's own database");
        let user = options.get_username();
        let password =
            self.url.split_once("//").and_then(|(_, rest)| rest.split_once('@')).map_or("", |(user, _)| user);
        let login = if password.is_empty() { user } else { password };
        Secret::new(format!("postgres://{login}@127.0.0.1:{port}/{database}"))
    }

    /// Host and port of the server.
    pub(crate) fn server(&self) -> (String, u16) {
        let options: PgConnectOptions = self.url.parse().expect("the test's own address");
        (options.get_host().to_owned(), options.get_port())
    }
}
