//! `examples/log-alerting` as its README says: its own file, settings and commands, on a real Kafka, with a receiver of webhooks.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use anyhow::{Result, ensure};
use wasmill_tests::admin::Admin;
use wasmill_tests::example::Example;
use wasmill_tests::kafka::read::read_topic;
use wasmill_tests::kafka::{Cluster, Record};
use wasmill_tests::pipeline::{PATIENCE, eventually};
use wasmill_tests::receiver::{Receiver, Reply};
use wasmill_tests::services::{self, unique};

const EXAMPLE: Example = Example("log-alerting");
const LOGS: usize = 2_000;

fn log(n: usize) -> Record {
    let (level, message) = match n % 100 {
        7 if n.is_multiple_of(3) => ("error", format!("request {n} failed")),
        7 => ("ERROR", format!("request {n} failed")),
        23 => ("WARN", format!("Authentication failure of user{n}; password=hunter2")),
        _ => ("INFO", format!("request {n} is done")),
    };
    Record::of(format!(
        "{{\"timestamp\":\"2026-01-31T11:00:{:02}Z\",\"level\":\"{level}\",\"service\":\"app-{}\",\"message\":\"{message}\"}}",
        n % 60,
        n % 3
    ))
}

#[test]
fn the_readme_leads_from_logs_to_alerts_at_each_place() -> Result<()> {
    let Some(brokers) = services::kafka() else { return Ok(()) };
    let (logs, alerts) = (unique("logs"), unique("alerts"));
    let names = [("application-logs", logs.as_str()), ("alerts", alerts.as_str())];
    let commands = EXAMPLE.server_commands()?;
    let tools: Vec<&str> = commands.iter().map(|command| command.tool.as_str()).collect();
    let known = ["kafka-topics", "kafka-topics", "kafka-console-producer", "kafka-console-consumer"];
    ensure!(tools == known, "the README's commands: {tools:?}");
    commands[0].run(&brokers, &names)?;
    commands[1].run(&brokers, &names)?;

    // Each alert is taken at the third attempt, which is within the attempts; one is never taken.
    let never = OnceLock::new();
    let receiver = Receiver::start(move |request| {
        let is_login = request.json()["rule"] == "login-failed";
        let id = request.header("webhook-id").to_owned();
        let refused = request.repeats < 2 || (is_login && *never.get_or_init(|| id.clone()) == id);
        Reply::status(if refused { 503 } else { 200 })
    });
    let folder = EXAMPLE
        .pipeline(&[(10, "validate-event"), (20, "enrich-clean"), (30, "alert-rules")])?
        .env("KAFKA_BROKERS", &brokers)
        .env("KAFKA_TOPIC", &logs)
        .env("KAFKA_TOPIC_ALERTS", &alerts)
        .env("KAFKA_GROUP_ID", &unique("group"))
        .env("BATCH_SIZE", "100")
        .env("FLUSH_INTERVAL", "20ms")
        .env("RETRY_ATTEMPTS", "3")
        .env("RETRY_DELAY", "10ms")
        .env("WEBHOOK_URL", &receiver.url())
        .env("WEBHOOK_SECRET", "a secret of the receiver")
        .env("ADMIN_ADDRESS", "127.0.0.1:0");
    for command in ["validate", "doctor"] {
        let checked = folder.start_with(&[command, "pipeline.yaml"], b"").wait(PATIENCE);
        assert_eq!(checked.code, Some(0), "{command}: {}{}", checked.stdout, checked.stderr);
    }
    let mut running = folder.start();
    let admin = Admin::of(&mut running);
    commands[2].run(&brokers, &names)?;
    Cluster::at(&brokers)?.produce(&logs, 0, (0..LOGS).map(log))?;
    admin.wait_until_received(LOGS as u64 + 4);

    let count = |sql: &str| folder.count("logs.db", sql) as usize;
    // Each of three services has six errors and six refused logins or more within the minute, and is told once for its rate.
    let expected = 2 * LOGS / 100 + 2 + 2 * 3;
    eventually("every alert is in the table", || count("SELECT count(DISTINCT id) FROM alerts") == expected);
    assert_eq!(count("SELECT count(*) FROM logs"), LOGS + 3);
    assert_eq!(count("SELECT count(*) FROM logs WHERE body LIKE '%hunter2%'"), 0, "secrets are masked");
    let told = commands[3].run(&brokers, &names)?;
    assert_eq!(told.lines().filter(|line| line.contains("\"rule\"")).count(), 2, "{told}");
    let stored: BTreeSet<String> =
        folder.sqlite("logs.db", "SELECT id FROM alerts").into_iter().map(|mut row| row.remove(0)).collect();
    let sent: BTreeSet<String> =
        read_topic(&brokers, &alerts)?.iter().map(|alert| alert.header("wasmill-alert-id")).collect();
    assert_eq!(sent, stored);

    // One firing of each rule and service, but for the one that was never taken.
    let taken = receiver.taken();
    let of = |rule: &str| taken.iter().filter(|request| request.json()["rule"] == rule).count();
    assert_eq!(of("error"), 4, "{taken:?}");
    assert!((3..=4).contains(&of("login-failed")), "{taken:?}");
    assert_eq!((of("many-errors"), of("brute-force")), (3, 3), "{taken:?}");
    assert!(taken.iter().all(|request| request.is_signed_with(b"a secret of the receiver")));
    assert_eq!(count("SELECT count(*) FROM wasmill_dead_letters WHERE code = 'undelivered'"), 1);
    assert_eq!(
        count("SELECT count(*) FROM wasmill_dead_letters WHERE code = 'bad_severity' OR code = 'not_allowed'"),
        1
    );
    let (_, stats) = admin.json("/stats");
    assert!(stats["last_minute"]["processed"].as_u64().is_some_and(|count| count > 0), "{stats}");
    assert_eq!(running.stop().code, Some(0));
    Ok(())
}
