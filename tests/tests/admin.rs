//! The admin pages of a running pipeline.

use std::io::Write;
use std::process::{Command, Stdio};

use wasmill::metrics::Metric;
use wasmill_tests::exposition::Exposition;
use wasmill_tests::kafka::Record;
use wasmill_tests::kafka_pipeline::KafkaPipeline;
use wasmill_tests::pipeline::{Pipeline, eventually};
use wasmill_tests::services;

/// A pipeline with ten good events and one that is no JSON, and with one plugin file under two names.
fn eleven(brokers: &str) -> KafkaPipeline {
    let mut rows = KafkaPipeline::at(brokers);
    rows.pipeline = rows.pipeline.plugin(10, "adversary", "{}").plugin(20, "adversary", "{}");
    rows.create(1);
    rows.produce(0, 0..10);
    rows.cluster.produce(&rows.topic, 0, [Record::of("not JSON")]).expect("it is written");
    rows
}

#[test]
fn health_stats_and_configuration_are_pages() {
    let Some(brokers) = services::kafka() else { return };
    let rows = eleven(&brokers);
    let (_running, admin) = rows.start();
    admin.wait_until_received(11);
    assert_eq!(admin.get("/health"), (200, "alive\n".to_owned()));
    let (code, ready) = admin.json("/health/ready");
    assert_eq!((code, &ready["ready"]), (200, &true.into()), "{ready}");
    for part in ["source".to_owned(), "sink rows".to_owned(), format!("lane {}[0]", rows.topic)] {
        assert_eq!(ready["parts"][&part]["state"], "green", "{part}: {ready}");
    }
    let (_, stats) = admin.json("/stats");
    assert_eq!(stats["report"]["delivered"]["rows"], 10, "{stats}");
    assert_eq!(stats["report"]["rejections"]["not_json"], 1, "{stats}");
    let minute = &stats["last_minute"];
    assert_eq!((&minute["processed"], &minute["failed"]), (&11.into(), &1.into()), "{stats}");
    assert!(minute["error_rate"].as_f64().is_some_and(|rate| (0.09..0.1).contains(&rate)), "{stats}");
    assert!(minute["mean_processing_ms"].as_f64().is_some_and(|mean| mean > 0.0), "{stats}");
    assert!(stats["last_processed_at"].as_str().is_some_and(|at| at.starts_with("20") && at.ends_with('Z')), "{stats}");
    assert!(stats["lag"].is_u64(), "{stats}");
    let lane = &stats["lanes"][0];
    assert_eq!((&lane["topic"], &lane["partition"]), (&rows.topic.as_str().into(), &0.into()), "{stats}");
    assert_eq!(lane["committed"], 11, "{stats}");
    let (code, config) = admin.json("/config");
    assert_eq!((code, &config["name"]), (200, &"rows".into()));
    assert!(!config["source"].to_string().contains("10000"), "options may be secrets: {config}");
    assert_eq!(admin.get("/nothing").0, 404);
}

#[test]
fn metrics_are_in_prometheus_format_and_count_what_the_report_counts() {
    let Some(brokers) = services::kafka() else { return };
    let rows = eleven(&brokers);
    let (running, admin) = rows.start();
    admin.wait_until_received(11);
    let labels = [("topic", rows.topic.as_str()), ("partition", "0")];
    let read = |page: &str| Exposition::read(page).unwrap_or_else(|rule| panic!("{rule}\n{page}"));
    let mut page = String::new();
    eventually("the lag is known", || {
        page = admin.get("/metrics").1;
        read(&page).series("wasmill_lag_events") == 1
    });
    let metrics = read(&page);
    let missing: Vec<&str> =
        Metric::ALL.iter().map(|metric| metric.name()).filter(|name| !metrics.kinds.contains_key(*name)).collect();
    assert_eq!((missing, metrics.kinds.len()), (vec![], Metric::ALL.len()));
    for (name, labels, value) in [
        ("wasmill_received_events_total", &[][..], 11.0),
        ("wasmill_rejected_events_total", &[], 1.0),
        ("wasmill_delivered_total", &[("sink", "rows")], 10.0),
        ("wasmill_refused_total", &[("sink", "rows")], 0.0),
        ("wasmill_dead_letters_total", &[("code", "not_json")], 1.0),
        ("wasmill_lag_events", &labels, 0.0),
        ("wasmill_lane_received_total", &labels, 11.0),
        ("wasmill_lane_passed_total", &labels, 10.0),
        ("wasmill_lane_rejected_total", &labels, 1.0),
        ("wasmill_healthy", &[("part", "source")], 1.0),
        ("wasmill_healthy", &[("part", "sink rows")], 1.0),
    ] {
        assert!((metrics.value(name, labels) - value).abs() < 0.5, "{name}: {page}");
    }
    assert_eq!(metrics.series("wasmill_plugin_events_total"), 1, "one file under two names is one series: {page}");
    assert!(metrics.value("wasmill_cpu_seconds_total", &[]) > 0.0);
    agree_with_promtool(&page);
    assert_eq!(running.stop().report()["received"], 11);
}

/// Where Prometheus' own tool is installed, it is asked too.
fn agree_with_promtool(page: &str) {
    let mut promtool = Command::new("promtool");
    promtool.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = promtool.spawn() else { return };
    child.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("promtool reads");
    let output = child.wait_with_output().expect("promtool ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn admin_address_in_use_is_told_with_the_remedy() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("its address");
    let yaml = format!("name: a\nsource: {{ stdin: {{}} }}\nsinks: {{ out: {{ discard: {{}} }} }}\nadmin: {address}\n");
    let ran = Pipeline::new(&yaml).run(b"");
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(ran.stderr.contains(&address.to_string()) && ran.stderr.contains("`admin: false`"), "{}", ran.stderr);
}

#[test]
fn pipeline_over_a_threshold_of_its_own_is_not_ready_and_says_which() {
    let Some(brokers) = services::kafka() else { return };
    let rows = KafkaPipeline::at(&brokers);
    rows.replace("admin:", "health: { error_rate_max: 0.5, lag_max: 1000000 }\nadmin:");
    rows.create(1);
    rows.produce(0, 0..50);
    let bad = (0..60).map(|_| Record::of("no JSON"));
    rows.cluster.produce(&rows.topic, 0, bad).expect("they are written");
    let (_running, admin) = rows.start();
    let reason = admin.wait_until_red("error rate", "54.5 %");
    assert!(reason.contains("health.error_rate_max"), "{reason}");
    rows.produce(0, 50..100);
    admin.wait_until_ready();
    assert_eq!(admin.red("lag"), None);
}
