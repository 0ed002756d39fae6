//! A pipeline's file: what it means, every mistake with its place, and that nothing secret is ever shown.
#![allow(clippy::unwrap_used, reason = "a step that fails fails the test")]

#[path = "config/plugin_files.rs"]
mod plugin_files;

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use wasmill::commands::validate::{PluginCheck, validate_with};
use wasmill::config::{
    self, ColumnType, Config, Environment, From, HomeConfig, Mistakes, PrivateAddresses, Provenance, SinkKind,
    SourceConfig, Start, ValueFrom, plugins, redacted,
};
use wasmill::{cli::Output, guarantee};

const SECRET: &str = "hunter2";

fn environment() -> Environment {
    Environment::from_iter([
        ("DATABASE_URL", "postgres://me:hunter2@db:5433/events"),
        ("PASSWORD", SECRET),
        ("NUMBER", "1234"),
        ("WORD", "later"),
        ("HOME", "/users/me"),
    ])
}

fn parse(yaml: &str) -> Result<Config, Mistakes> {
    Config::parse(yaml.as_bytes(), "pipeline.yaml", Path::new("/etc/wasmill"), &environment())
}

fn parsed(yaml: &str) -> Config {
    parse(yaml).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// The file of the design, without what later releases bring.
const DESIGN: &str = r#"
name: xdr
source:
  kafka: { brokers: "${KAFKA_BROKERS:-localhost:9092}", topics: [raw-events], group: wasmill, from: earliest }
plugins: plugins.d
batch: { events_max: 2000 }
sinks:
  rows:   { timescale: { url: "${DATABASE_URL}", table: raw_events, create: true, time: at,
            columns: { id: id, at: { from: timestamp, type: timestamptz }, n: { from: count, type: bigint }, body: $payload } } }
  local:  { sqlite: { path: events.db, table: events, columns: { id: id, body: $raw } } }
  out:    { stdout: {}, when: 'severity != "DEBUG"' }
  copy:   { file: { path: out.jsonl } }
  alerts: { from: alerts, discard: {} }
dead_letters: { file: { path: dead.jsonl } }
"#;

#[test]
fn file_of_the_design_is_understood() {
    let config = parsed(DESIGN);
    assert_eq!(config.name, "xdr");
    let SourceConfig::Kafka(kafka) = &config.source else { panic!("no Kafka: {:?}", config.source) };
    assert_eq!(
        (kafka.brokers.as_str(), kafka.from, kafka.fetch_bytes_max),
        ("localhost:9092", Start::Earliest, 32 << 20)
    );
    assert_eq!(config.plugins.as_deref(), Some(Path::new("/etc/wasmill/plugins.d")));
    assert_eq!((config.batch.events_max, config.batch.bytes_max), (2000, 4 << 20));
    let names: Vec<&str> = config.sinks.iter().map(|sink| sink.name.as_str()).collect();
    assert_eq!(names, ["rows", "local", "out", "copy", "alerts"], "sinks keep the file's order");
    let SinkKind::Postgres { url, hypertable: true, table, writers: 2 } = &config.sinks[0].kind else {
        panic!("no hypertable")
    };
    assert_eq!(url.reveal(), "postgres://me:hunter2@db:5433/events");
    let columns: Vec<_> = table.columns.iter().map(|column| (column.name.as_str(), column.column_type)).collect();
    let wanted = [("id", None), ("at", Some(ColumnType::TimestampTz)), ("n", Some(ColumnType::BigInt)), ("body", None)];
    assert_eq!(columns, wanted, "columns keep the file's order");
    assert_eq!(table.columns[3].from, ValueFrom::Payload);
    assert_eq!(config.sinks[2].when.as_deref(), Some("severity != \"DEBUG\""));
    assert_eq!(config.sinks[4].from, From::Alerts);
    assert_eq!(config.home, HomeConfig::Sink(0));
    assert_eq!(config.dead_letters.file.as_deref(), Some(Path::new("/etc/wasmill/dead.jsonl")));
    assert_eq!(config.engine.cache_dir, Path::new("/users/me/.cache/wasmill/compiled"));
    assert_eq!(config.admin.map(|pages| pages.address.to_string()).as_deref(), Some("127.0.0.1:9600"));
    assert_eq!(config.provenance, Provenance::Digest);
    assert_eq!((config.retention.dead_letters_days, config.retention.commits_days), (30, 400));
}

#[test]
fn names_are_asked_of_the_servers_that_the_file_says_or_of_the_systems() {
    let with = |dns: &str| {
        let text = format!(
            "name: a\nsource: {{ stdin: {{}} }}\nsinks: {{ out: {{ stdout: {{}} }} }}\nlookups: {{ reverse_dns: {{ {dns} }} }}\n"
        );
        parsed(&text).reverse_dns
    };
    let dns = with("");
    assert_eq!((dns.resolvers.len(), dns.fake, dns.private), (0, false, PrivateAddresses::Skip));
    let is_private = |address: &str| dns.private_ranges.iter().any(|range| range.contains(address.parse().unwrap()));
    for (address, private) in
        [("10.1.2.3", true), ("172.32.0.1", false), ("fd00::1", true), ("2001:db8::1", false), ("::1", true)]
    {
        assert_eq!(is_private(address), private, "{address}");
    }
    let dns = with(
        "resolvers: [10.0.0.53, '[fd00::53]:5353'], deadline: 0ms, ttl_min: 5s, ttl_max: 5s, private: resolve, private_ranges: []",
    );
    let resolvers: Vec<String> = dns.resolvers.iter().map(ToString::to_string).collect();
    assert_eq!(resolvers, ["10.0.0.53:53", "[fd00::53]:5353"]);
    assert!(dns.deadline.is_zero() && dns.ttl_min == dns.ttl_max && dns.private_ranges.is_empty());
}

#[test]
fn smallest_file_is_a_source_and_a_sink() {
    let config = parsed("name: a\nsource: { stdin: {} }\nsinks: { out: { stdout: {} } }\nadmin: false\n");
    assert_eq!((config.home, config.admin, config.plugins), (HomeConfig::None, None, None));
}

#[test]
fn events_are_shown_to_this_machine_alone_unless_the_file_says_otherwise() {
    let tap = |admin: &str| {
        let config = parsed(&format!(
            "name: a\nsource: {{ stdin: {{}} }}\nsinks: {{ out: {{ stdout: {{}} }} }}\nadmin: {admin}\n"
        ));
        config.admin.and_then(|pages| pages.tap)
    };
    for local in ["127.0.0.1:1", "localhost:1", "\"[::1]:1\"", "{ address: \"127.0.0.1:1\" }", "{ tap: true }"] {
        let tap = tap(local).unwrap_or_else(|| panic!("{local} is off"));
        assert!(tap.is_local && tap.redact.is_empty() && tap.connections_max == 4, "{local}: {tap:?}");
    }
    for off in ["0.0.0.0:1", "10.0.0.7:1", "\"[::]:1\"", "{ address: \"0.0.0.0:1\" }", "{ tap: false }"] {
        assert_eq!(tap(off), None, "{off}");
    }
    let open = tap("{ address: \"0.0.0.0:1\", tap: { redact: [email, user.name], connections_max: 64 } }").unwrap();
    let redact: Vec<String> = open.redact.iter().map(ToString::to_string).collect();
    assert_eq!(
        (open.is_local, redact, open.connections_max),
        (false, vec!["email".to_owned(), "user.name".to_owned()], 64)
    );
}

#[test]
fn value_from_the_environment_is_of_the_type_that_its_place_wants() {
    let config = parsed(
        "name: ${NAME:-a}\nbatch: { events_max: \"${NUMBER}\", bytes_max: \"${SIZE:-1MiB}\" }\nadmin: ${ADMIN:-false}\n\
         source: { kafka: { brokers: h, topics: ['${NUMBER}'], group: '${NUMBER}', options: { socket.timeout.ms: 5000 } } }\n\
         sinks: { a: { sqlite: { path: a.db, table: a, create: '${CREATE:-false}', columns: { a: a } } } }\n",
    );
    assert_eq!((config.batch.events_max, config.batch.bytes_max, config.admin), (1234, 1 << 20, None));
    let SourceConfig::Kafka(kafka) = config.source else { panic!("no Kafka") };
    assert_eq!((kafka.topics.names().collect::<Vec<_>>(), kafka.group.as_str()), (vec!["1234"], "1234"));
    assert_eq!(kafka.options["socket.timeout.ms"].reveal(), "5000");
    assert!(matches!(&config.sinks[0].kind, SinkKind::Sqlite { table, .. } if !table.create));
}

#[test]
fn start_may_be_a_time() {
    for (from, start) in [
        ("latest", Start::Latest),
        ("committed", Start::Committed),
        ("1767225600000", Start::Timestamp(1_767_225_600_000)),
        ("2026-01-01T00:00:00Z", Start::Timestamp(1_767_225_600_000)),
    ] {
        let config = parsed(&DESIGN.replace("from: earliest", &format!("from: {from}")));
        assert!(matches!(&config.source, SourceConfig::Kafka(kafka) if kafka.from == start), "{from}");
    }
}

/// Each `NAME.yaml` of `tests/config/broken` has its mistakes, exactly, in `NAME.txt`. `WASMILL_BLESS=1` writes them.
#[test]
fn every_mistake_is_reported_with_its_place_and_what_to_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config/broken");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|ending| ending == "yaml"));
    files.sort();
    assert!(files.len() >= 20, "the cases are gone");
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let found = match Config::parse(&bytes, "pipeline.yaml", Path::new("/etc/wasmill"), &environment()) {
            Ok(_) => panic!("{} has no mistake", file.display()),
            Err(mistakes) => format!("{mistakes}\n"),
        };
        let golden = file.with_extension("txt");
        if std::env::var_os("WASMILL_BLESS").is_some() {
            std::fs::write(&golden, &found).unwrap();
        }
        assert_eq!(found, std::fs::read_to_string(&golden).unwrap_or_default(), "{}", file.display());
        assert!(!found.contains(SECRET), "{} shows a secret", file.display());
    }
}

#[test]
fn file_is_limited_in_bytes() {
    let fitting = |bytes: usize| format!("{DESIGN}{}", "#".repeat(bytes - DESIGN.len()));
    assert!(parse(&fitting(config::FILE_BYTES_MAX)).is_ok());
    assert!(parse(&fitting(config::FILE_BYTES_MAX + 1)).unwrap_err()[0].message.contains("over 1048576 bytes"));
}

#[test]
fn file_is_limited_in_depth() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let message = |depth| parse(&nested(depth)).unwrap_err()[0].message.clone();
    assert!(!message(config::DEPTH_MAX).contains("deep"));
    assert!(message(config::DEPTH_MAX + 1).contains("more than 32 deep"));
    assert!(message(200_000).contains("no valid YAML"), "the parser has a limit of its own");
    assert!(parse(&"- ".repeat(200_000)).unwrap_err()[0].message.contains("more than 32 deep"));
}

#[test]
fn file_is_limited_in_values() {
    let list = |values: usize| format!("[{}]", "1,".repeat(values - 1));
    let message = |values| parse(&list(values)).unwrap_err()[0].message.clone();
    assert!(!message(config::NODES_MAX).contains("values"));
    assert!(message(config::NODES_MAX + 1).contains("over 20000 values"));
}

#[test]
fn sinks_columns_and_topics_are_limited() {
    let sinks = |n: usize| {
        let sinks: String = (0..n).map(|n| format!("  s{n}: {{ discard: {{}} }}\n")).collect();
        parse(&format!("name: a\nsource: {{ stdin: {{}} }}\nsinks:\n{sinks}"))
    };
    assert!(sinks(config::SINKS_MAX).is_ok());
    assert!(sinks(config::SINKS_MAX + 1).unwrap_err().to_string().contains("33 sinks are given, and 32 are allowed"));
    let columns = |n: usize| {
        let columns: String = (0..n).map(|n| format!("c{n}: a, ")).collect();
        parse(&DESIGN.replace("columns: { id: id, body: $raw }", &format!("columns: {{ {columns} }}")))
    };
    assert!(columns(config::COLUMNS_MAX).is_ok());
    assert!(columns(config::COLUMNS_MAX + 1).unwrap_err().to_string().contains("501 columns"));
    let topics = |n: usize| {
        let topics: String = (0..n).map(|n| format!("t{n}, ")).collect();
        parse(&DESIGN.replace("[raw-events]", &format!("[{topics}]")))
    };
    assert!(topics(config::TOPICS_MAX).is_ok());
    assert!(topics(config::TOPICS_MAX + 1).unwrap_err().to_string().contains("101 topics"));
}

#[test]
fn mistakes_are_limited() {
    let keys: String = (0..config::MISTAKES_MAX + 5).map(|n| format!("unknown{n}: 1\n")).collect();
    let mistakes = parse(&keys).unwrap_err();
    assert_eq!(mistakes.len(), config::MISTAKES_MAX + 1);
    assert!(mistakes.last().unwrap().message.contains("mistakes more"));
}

/// A pipeline with the secret wherever one may stand.
fn secretive() -> Config {
    parsed(
        "name: a\nsource: { kafka: { brokers: h, topics: [t], group: g, options: { sasl.password: hunter2, sasl.username: '${PASSWORD}' } } }\n\
         sinks:\n  a: { postgres: { url: 'postgres://me:hunter2@h/d?password=hunter2', table: t, columns: { a: a } } }\n  \
         b: { postgres: { url: 'postgres://me:${PASSWORD}@h/d', table: t, columns: { a: a } } }\n  \
         c: { postgres: { url: '${DATABASE_URL}', table: t, columns: { a: a } } }\n  \
         d: { http: { url: 'https://h/hunter2?k=hunter2', headers: { A: hunter2 }, secret: 'hunter2${PASSWORD}hunter2' } }\n",
    )
}

#[test]
fn secrets_are_never_shown() {
    let config = secretive();
    assert!(!format!("{config:?}").contains(SECRET));
    let shown = redacted(&config).to_string();
    assert!(!shown.contains(SECRET), "{shown}");
    assert!(shown.contains("postgres://me:***@h/d") && shown.contains("${DATABASE_URL}"), "{shown}");
}

#[test]
fn digest_depends_on_meaning_and_not_on_secrets_comments_or_layout() {
    let digest = |yaml: &str| parsed(yaml).digest;
    assert_eq!(
        digest(DESIGN),
        digest(&format!("# comment\n{}", DESIGN.replace("plugins: plugins.d", "plugins:   'plugins.d'")))
    );
    assert_eq!(digest(DESIGN), digest(&DESIGN.replace("${DATABASE_URL}", "postgres://you:other@h/d")));
    assert_ne!(digest(DESIGN), digest(&DESIGN.replace("events_max: 2000", "events_max: 1999")));
    assert_ne!(digest(DESIGN), digest(&DESIGN.replace("${KAFKA_BROKERS:-localhost:9092}", "${NUMBER}")));
}

fn folder_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, contents) in files {
        std::fs::write(folder.path().join(name), contents).unwrap();
    }
    folder
}

fn guarantees(config: &Config) -> Vec<String> {
    guarantee::derive(config).iter().map(|sink| format!("{}: {}", sink.sink, sink.guarantee.as_str())).collect()
}

#[test]
fn guarantees_follow_from_source_sink_and_home() {
    let kafka =
        ["rows: exactly once", "local: exactly once", "out: at least once", "copy: at least once", "alerts: none"];
    let config = parsed(DESIGN);
    assert_eq!(guarantees(&config), kafka);
    let reasons = guarantee::derive(&config);
    assert!(reasons[0].reason.contains("one transaction") && reasons[1].reason.contains("a mark of their own"));
    let notes = guarantee::notes(&config).join("\n");
    assert!(notes.contains("rows of \"rows\" cannot be proved one by one"), "{notes}");

    let source = "kafka: { brokers: \"${KAFKA_BROKERS:-localhost:9092}\", topics: [raw-events], group: wasmill, from: earliest }";
    let stdin = parsed(&DESIGN.replace(source, "stdin: {}"));
    assert!(guarantees(&stdin).iter().all(|line| line.ends_with(": none")));
    assert!(guarantee::notes(&stdin).join("\n").contains("event's time is when it arrived"));
    let file = parsed(&DESIGN.replace(source, "file: { path: in.jsonl }"));
    assert_eq!(guarantees(&file), kafka);
}

#[test]
fn rows_with_partition_and_offset_are_provable() {
    let config = parsed(&DESIGN.replace("columns: { id: id,", "columns: { p: $partition, o: $offset, id: id,"));
    assert!(!guarantee::notes(&config).join("\n").contains("cannot be proved one by one"));
}

fn found(_: &Config, files: &[plugins::PluginFile]) -> Vec<PluginCheck> {
    files.iter().map(PluginCheck::found).collect()
}

#[test]
fn validate_tells_plugins_guarantees_and_notes_without_secrets() {
    let folder = folder_with(&[("pipeline.yaml", DESIGN)]);
    std::fs::create_dir(folder.path().join("plugins.d")).unwrap();
    std::fs::write(folder.path().join("plugins.d/10-a.wasm"), "").unwrap();
    let validation = validate_with(&folder.path().join("pipeline.yaml"), &environment(), found);
    assert!(validation.valid);
    for format in [Output::Text, Output::Json] {
        let text = validation.render(format);
        assert!(text.contains("10-a") && text.contains("one transaction") && !text.contains(SECRET), "{text}");
    }
    let broken = validate_with(&folder.path().join("pipeline.yaml"), &environment(), |_, files| {
        files
            .iter()
            .map(|file| PluginCheck { problem: Some("no component".to_owned()), ..PluginCheck::found(file) })
            .collect()
    });
    assert!(!broken.valid && broken.render(Output::Text).contains("no component"));
}

#[test]
fn validate_lists_mistakes_of_a_file_that_is_missing_or_wrong() {
    let missing = validate_with(Path::new("/nowhere/pipeline.yaml"), &environment(), found);
    assert!(!missing.valid && missing.render(Output::Text).contains("/nowhere/pipeline.yaml:1:1: cannot be read"));
    let folder = folder_with(&[("pipeline.yaml", "nam: a\n")]);
    let wrong = validate_with(&folder.path().join("pipeline.yaml"), &environment(), found);
    assert!(!wrong.valid && wrong.render(Output::Json).contains("did you mean"));
}

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples").join(name)
}

#[test]
fn example_is_valid_and_honours_its_variables() {
    let environment = Environment::from_iter([
        ("DATABASE_HOST", "db"),
        ("DATABASE_PORT", "5433"),
        ("DATABASE_NAME", "xdr"),
        ("DATABASE_USER", "me"),
        ("DATABASE_PASSWORD", "p@ss/word"),
        ("KAFKA_BROKERS", "k1:9092,k2:9092"),
        ("KAFKA_TOPIC_RAW_EVENTS", "other"),
        ("KAFKA_GROUP_ID", "42"),
    ]);
    let load = |environment| {
        Config::load_with(&example("xdr-ingestion/pipeline.yaml"), environment).unwrap_or_else(|m| panic!("{m}"))
    };
    let config = load(&environment);
    let SourceConfig::Kafka(kafka) = &config.source else { panic!("no Kafka") };
    assert_eq!(
        (kafka.brokers.as_str(), kafka.topics.names().next().unwrap(), kafka.group.as_str()),
        ("k1:9092,k2:9092", "other", "42")
    );
    let SinkKind::Postgres { url, .. } = &config.sinks[0].kind else { panic!("no database") };
    assert_eq!(url.reveal(), "postgres://me:p%40ss%2Fword@db:5433/xdr");
    assert_eq!(guarantees(&config), ["raw_events: exactly once"]);
    assert!(
        matches!(&load(&Environment::default()).sinks[0].kind, SinkKind::Postgres { url, .. } if url.reveal() == "postgres://postgres:postgres@localhost:5432/postgres")
    );
}

#[test]
fn reference_of_all_keys_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/configuration.md");
    if std::env::var_os("WASMILL_BLESS").is_some() {
        std::fs::write(&file, config::reference()).unwrap();
    }
    let written = std::fs::read_to_string(file).unwrap_or_default();
    assert!(written == config::reference(), "write it anew: wasmill schema --format markdown > docs/configuration.md");
}

#[test]
fn schema_knows_no_null_and_describes_every_key() {
    fn check(schema: &serde_json::Value, path: &str) {
        assert_ne!(schema, "null", "{path}");
        for (key, value) in schema["properties"].as_object().into_iter().flatten() {
            assert!(value["description"].is_string(), "{path}.{key} has no description");
        }
        match schema {
            serde_json::Value::Object(map) => {
                map.iter().for_each(|(key, value)| check(value, &format!("{path}.{key}")))
            }
            serde_json::Value::Array(list) => list.iter().for_each(|value| check(value, path)),
            _ => {}
        }
    }
    check(config::json_schema(), "");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = Config::parse(&bytes, "p", Path::new(""), &environment());
    }

    #[test]
    fn no_text_of_yaml_signs_makes_it_panic(text in "[-\\[\\]{},:?&*!|>'\"%@`#~ \nab1$<.\t\r\u{feff}é]{0,200}") {
        let _ = Config::parse(text.as_bytes(), "p", Path::new(""), &environment());
    }

    #[test]
    fn no_change_of_a_good_file_makes_it_panic(at in 0..DESIGN.len(), length in 0usize..40, put in "[\\[\\]{}:,&*!|>'\"\n $a1-]{0,4}") {
        let mut bytes = DESIGN.as_bytes().to_vec();
        let end = (at + length).min(bytes.len());
        bytes.splice(at..end, put.bytes());
        if let Err(mistakes) = Config::parse(&bytes, "p", Path::new(""), &environment()) {
            prop_assert!(!mistakes.is_empty());
            prop_assert!(!mistakes.to_string().contains(SECRET));
        }
    }
}
