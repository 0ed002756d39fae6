//! The servers that tests rely on, themselves under test: real ones, started, killed and started again.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::process::Stdio;
use std::time::Duration;

use xtask::services::{Kafka, KafkaRecipe, Timescale};
use xtask::skip::skip;

/// A server, or `None` with a loud line where this machine cannot run one.
fn available<S>(started: anyhow::Result<S>) -> Option<S> {
    started.inspect_err(|error| skip(&format!("{error:#}"))).ok()
}

fn tool(kafka: &Kafka, name: &str, args: &[&str]) -> String {
    let output =
        KafkaRecipe::tool(name).unwrap().args(["--bootstrap-server", &kafka.brokers()]).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn committed_rows_survive_kill_and_the_extension_is_in_every_database() {
    let Some(mut server) = available(Timescale::start()) else { return };
    let port = server.port();
    server.psql("create table t (at timestamptz not null, n int)").unwrap();
    server.psql("select create_hypertable('t', 'at')").unwrap();
    for round in 1..=2 {
        server.psql("insert into t values (now(), 1)").unwrap();
        let process = server.process().unwrap();
        assert!(!process.children().is_empty());
        server.kill().unwrap();
        assert!(!process.is_running() && !server.is_running());
        assert!(server.psql("select 1").is_err());
        server.restart().unwrap();
        assert_eq!(server.psql("select count(*) from t").unwrap(), round.to_string());
    }
    server.stop().unwrap();
    server.restart().unwrap();
    assert_eq!(server.port(), port);
    assert_eq!(server.psql("select count(*) from t").unwrap(), "2");
    server.psql("create database other").unwrap();
    let extensions = "select count(*) from pg_extension where extname = 'timescaledb'";
    assert_eq!(server.psql_in("other", extensions).unwrap(), "1");
}

#[test]
fn topics_and_records_survive_kill_and_stop() {
    let Some(mut server) = available(Kafka::start()) else { return };
    let brokers = server.brokers();
    tool(&server, "kafka-topics", &["--create", "--topic", "t", "--partitions", "3"]);
    let mut producer = KafkaRecipe::tool("kafka-console-producer")
        .unwrap()
        .args(["--bootstrap-server", &brokers, "--topic", "t"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut producer.stdin.take().unwrap(), b"hello\n").unwrap();
    assert!(producer.wait().unwrap().success());
    server.kill().unwrap();
    server.restart().unwrap();
    server.stop().unwrap();
    assert!(!server.is_running());
    server.restart().unwrap();
    assert_eq!(server.brokers(), brokers);
    assert_eq!(tool(&server, "kafka-topics", &["--list"]).trim(), "t");
    let read = tool(
        &server,
        "kafka-console-consumer",
        &["--topic", "t", "--from-beginning", "--max-messages", "1", "--timeout-ms", "30000"],
    );
    assert_eq!(read.trim(), "hello");
}

#[test]
fn two_servers_share_nothing_and_a_dropped_one_leaves_nothing() {
    let Some(one) = available(Timescale::start()) else { return };
    let other = Timescale::start().unwrap();
    assert_ne!(one.port(), other.port());
    assert_ne!(one.folder(), other.folder());
    one.psql("create table only_here ()").unwrap();
    assert!(other.psql("select * from only_here").is_err());
    let (folder, process) = (one.folder().to_path_buf(), one.process().unwrap());
    let children = process.children();
    drop(one);
    assert!(!folder.exists());
    assert!(process.wait_until_gone(Duration::ZERO));
    assert!(children.iter().all(|child| !child.is_running()));
    assert_eq!(other.psql("select 1").unwrap(), "1");
}
