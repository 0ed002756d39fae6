//! What goes wrong with PostgreSQL, through the whole program: before the first commit exit 78 with the statement that mends it;
//! later the lanes wait, say so, and go on with nothing lost and nothing doubled.

use tokio::runtime::Runtime;
use wasmill_tests::admin::Admin;
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::kafka_pipeline::{source, wait};
use wasmill_tests::pipeline::{PATIENCE, Pipeline, Ran, Running};
use wasmill_tests::proxy::{Cut, Proxy};
use wasmill_tests::services::{self, Database, unique};

const SINK: &str = "
sinks:
  rows:
    postgres: { url: \"${DATABASE_URL}\", table: events, columns: { n: { from: n, type: bigint }, place: $offset } }
";

const TABLE: &str = "create table events (n bigint, place bigint)";

/// Standard input to the table.
fn from_stdin(url: &str) -> Ran {
    let yaml = format!("name: sink\nsource: {{ stdin: {{}} }}\n{SINK}");
    Pipeline::new(&yaml).env("DATABASE_URL", url).run(b"{\"n\":1}\n")
}

/// The run is refused for a reason that contains `words`; what to do about it.
fn refused(url: &str, words: &str) -> String {
    let ran = from_stdin(url);
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(ran.stderr.contains(words), "{words}: {}", ran.stderr);
    ran.stderr
}

/// The statement that a sentence says to run.
fn statement(sentence: &str) -> &str {
    let from = sentence.split("run ").nth(1).unwrap_or_else(|| panic!("nothing to run in: {sentence}"));
    &from[..=from.find(';').expect("a statement ends")]
}

#[test]
fn table_and_columns_that_do_not_fit_end_the_start_with_the_statement_that_mends_them() {
    let Some(database) = Database::create() else { return };
    let mend =
        |sentence: &str| database.psql(statement(sentence)).unwrap_or_else(|error| panic!("{sentence}: {error}"));
    let absent = refused(database.url(), "there is no table \"events\"");
    mend(&absent);
    database.psql("alter table events drop column place; alter table events alter n type text").expect("altered");
    let no_column = refused(database.url(), "it has no column \"place\"");
    assert!(no_column.contains("column \"n\" is text, the configuration says bigint"), "all at once: {no_column}");
    let place = no_column.split("it has no column").nth(1).expect("it is said");
    mend(place);
    mend(&refused(database.url(), "column \"n\" is text"));
    let ran = from_stdin(database.url());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(database.psql("select n, place from events").expect("rows"), "1|0");
}

#[test]
fn tls_to_a_plain_port_ends_the_start_with_the_remedy() {
    let Some(database) = Database::create() else { return };
    database.psql(TABLE).expect("a table");
    let separator = if database.url().contains('?') { '&' } else { '?' };
    refused(&format!("{}{separator}sslmode=require", database.url()), "sslmode=disable");
}

/// A pipeline from a topic of its own to the table, running.
struct Stream {
    cluster: Cluster,
    topic: String,
    written: usize,
    running: Running,
    admin: Admin,
    _pipeline: Pipeline,
}

impl Stream {
    fn start(brokers: &str, url: &str) -> Self {
        let topic = unique("sink");
        let cluster = Cluster::at(brokers).expect("a client");
        wait(cluster.create(&topic, 1, &[])).expect("a topic");
        let pipeline = Pipeline::new(&format!("name: sink\n{}{SINK}", source(brokers, &topic, "earliest")));
        let pipeline = pipeline.env("DATABASE_URL", url);
        let mut running = pipeline.start();
        let admin = Admin::of(&mut running);
        Self { cluster, topic, written: 0, running, admin, _pipeline: pipeline }
    }

    fn write(&mut self, count: usize) {
        let records = (self.written..self.written + count).map(|n| Record::of(format!("{{\"n\":{n}}}")));
        self.cluster.produce(&self.topic, 0, records).expect("they are written");
        self.written += count;
    }

    fn wait_until_stored(&self) {
        self.admin.wait_until_received(self.written as u64);
        self.admin.wait_until_ready();
    }

    /// Ends it, and asserts that each event is one row.
    fn end(self, psql: impl Fn(&str) -> String) {
        let ran = self.running.stop();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let found = psql("select count(*), count(distinct n), count(*) filter (where n = place) from events");
        assert_eq!(found, format!("{0}|{0}|{0}", self.written));
    }
}

#[test]
fn table_that_goes_away_while_running_is_waited_for() {
    let (Some(brokers), Some(database)) = (services::kafka(), Database::create()) else { return };
    let psql = |sql: &str| database.psql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    psql(TABLE);
    let mut stream = Stream::start(&brokers, database.url());
    stream.write(100);
    stream.wait_until_stored();
    psql("alter table events rename to elsewhere");
    stream.write(100);
    let reason = stream.admin.wait_until_red("sink rows", "put back what was dropped or renamed");
    assert!(reason.contains("nothing is lost"), "{reason}");
    assert_eq!(stream.admin.received(), 100);
    psql("alter table elsewhere rename to events");
    stream.wait_until_stored();
    stream.end(psql);
}

#[test]
fn wrong_password_ends_the_start_and_one_that_changes_later_is_waited_for() {
    let (Some(brokers), Some(server)) = (services::kafka(), services::own_timescale()) else { return };
    let psql = |sql: &str| server.psql(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    psql(TABLE);
    psql("create role ann login superuser password 'right'");
    let rules = server.folder().join("data/pg_hba.conf");
    let before = std::fs::read_to_string(&rules).expect("the server's rules");
    std::fs::write(&rules, format!("host all ann 127.0.0.1/32 scram-sha-256\n{before}")).expect("new rules");
    psql("select pg_reload_conf()");
    let url = |password: &str| format!("postgres://ann:{password}@127.0.0.1:{}/postgres", server.port());
    let sentence = refused(&url("hunter2"), "check user and password");
    assert!(!sentence.contains("hunter2"), "{sentence}");

    let mut stream = Stream::start(&brokers, &url("right"));
    stream.write(100);
    stream.wait_until_stored();
    psql("alter role ann password 'another'");
    psql("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'ann'");
    stream.write(100);
    stream.admin.wait_until_red("sink rows", "check user and password");
    psql("alter role ann password 'right'");
    stream.wait_until_stored();
    stream.end(psql);
}

#[test]
fn database_that_is_away_at_the_start_is_waited_for() {
    let Some(mut server) = services::own_timescale() else { return };
    server.psql(TABLE).expect("a table");
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres", server.port());
    server.kill().expect("the server is killed");
    let yaml = format!("name: sink\nsource: {{ stdin: {{}} }}\nretry: {{ initial: 50ms, max: 500ms }}\n{SINK}");
    let pipeline = Pipeline::new(&yaml).env("DATABASE_URL", &url);
    let mut running = pipeline.start_with(&["run", "pipeline.yaml"], b"{\"n\":1}\n");
    running.wait_for_log("waiting for a database");
    server.restart().expect("the server starts");
    let ran = running.wait(PATIENCE);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(server.psql("select n, place from events").expect("rows"), "1|0");
}

#[test]
fn database_killed_in_mid_copy_and_lost_answers_to_commit_cost_and_double_nothing() {
    let (Some(brokers), Some(mut server)) = (services::kafka(), services::own_timescale()) else { return };
    server.psql(TABLE).expect("a table");
    let runtime = Runtime::new().expect("a runtime for the proxy");
    let proxy = runtime.block_on(Proxy::to(("127.0.0.1".to_owned(), server.port())));
    let mut stream = Stream::start(&brokers, &format!("postgres://postgres@127.0.0.1:{}/postgres", proxy.port));
    stream.write(100);
    stream.wait_until_stored();
    for cut in [Cut::AfterCommit, Cut::BeforeCommit] {
        runtime.block_on(proxy.arm(cut));
        stream.write(1_000);
        stream.wait_until_stored();
    }
    runtime.block_on(proxy.arm(Cut::HoldCopy));
    stream.write(1_000);
    runtime.block_on(proxy.held());
    server.kill().expect("the server is killed");
    stream.admin.wait_until_red("sink rows", "could not");
    server.restart().expect("the server starts");
    stream.wait_until_stored();
    stream.end(|sql| server.psql(sql).expect("the server answers"));
}
