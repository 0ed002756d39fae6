//! What a file says of Kafka and of webhooks as destinations.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

use std::path::Path;

use wasmill::config::{Compression, Config, Environment, SinkKind, TopicConfig, TopicPart, redacted};
use wasmill::guarantee;

const SECRET: &str = "hunter2";

fn parsed(yaml: &str) -> Config {
    let environment = Environment::from_iter([("PASSWORD", SECRET)]);
    Config::parse(yaml.as_bytes(), "pipeline.yaml", Path::new("/etc/wasmill"), &environment)
        .unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

const KAFKA_SINK: &str = r#"
name: a
source: { stdin: {} }
sinks:
  plain: { kafka: { brokers: "b:1, b:2", topic: enriched } }
  full:
    from: alerts
    kafka: { brokers: b, topic: "logs-{env}.{source.name}", topics: [logs-a.b, logs-7.c], key: source.ip, compression: zstd,
             options: { sasl.password: "${PASSWORD}", retry.backoff.ms: 50 } }
dead_letters: { kafka: { brokers: b, topic: dead, options: { sasl.password: "${PASSWORD}" } }, file: { path: dead.jsonl } }
"#;

#[test]
fn kafka_sink_has_its_topics_key_and_compression() {
    let config = parsed(KAFKA_SINK);
    let kafka = |sink: usize| match &config.sinks[sink].kind {
        SinkKind::Kafka(kafka) => kafka,
        other => panic!("no Kafka: {other:?}"),
    };
    let plain = kafka(0);
    assert_eq!(
        (plain.output.brokers.as_str(), plain.output.topics.as_slice()),
        ("b:1,b:2", ["enriched".to_owned()].as_slice())
    );
    assert_eq!((&plain.topic, &plain.key, plain.output.compression), (&TopicConfig::Fixed, &None, Compression::Lz4));
    let full = kafka(1);
    assert_eq!(full.output.topics, ["logs-a.b", "logs-7.c"]);
    assert_eq!(
        (full.key.as_ref().map(ToString::to_string).as_deref(), full.output.compression),
        (Some("source.ip"), Compression::Zstd)
    );
    let text = |text: &str| TopicPart::Text(text.to_owned());
    let field = |path: &str| TopicPart::Field(path.parse().unwrap());
    assert_eq!(full.topic, TopicConfig::Template(vec![text("logs-"), field("env"), text("."), field("source.name")]));
    assert_eq!(full.output.options["sasl.password"].reveal(), SECRET);
    assert!(!format!("{config:?}").contains(SECRET));
    let letters = config.dead_letters.kafka.as_ref().unwrap();
    assert_eq!((letters.topics.as_slice(), letters.compression), (["dead".to_owned()].as_slice(), Compression::Lz4));
    assert!(config.dead_letters.file.is_some(), "both may be given");
    let shown = redacted(&config).to_string();
    assert!(!shown.contains(SECRET) && shown.contains("logs-{env}.{source.name}"), "{shown}");
    assert!(
        guarantee::derive(&parsed(&KAFKA_SINK.replace("stdin: {}", "file: { path: in.jsonl }")))
            .iter()
            .all(|sink| { sink.guarantee.as_str() == "at least once" && sink.reason.contains("wasmill-origin") })
    );
}

#[test]
fn webhook_without_tls_and_lives_without_a_home_are_noted() {
    let yaml = |url: &str| {
        parsed(&format!(
            "name: a\nsource: {{ stdin: {{}} }}\nsinks: {{ hook: {{ from: alerts, life: {{}}, http: {{ url: '{url}' }} }} }}"
        ))
    };
    let notes = |url: &str| guarantee::notes(&yaml(url)).join("\n");
    assert!(
        notes("http://hooks.example.com/").contains("give its url as https"),
        "{}",
        notes("http://hooks.example.com/")
    );
    for url in ["https://hooks.example.com/", "http://localhost:1/", "http://127.0.0.1/"] {
        assert!(!notes(url).contains("as https"), "{url}");
    }
    assert!(notes("https://h/").contains("alerts that are open are forgotten at a stop"));
}
