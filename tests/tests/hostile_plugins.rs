//! Plugins that misbehave, in the whole program: on one event they cost that event, in `configure` the start.

use std::path::Path;

use wasmill_tests::pipeline::{Pipeline, Ran, built};

const YAML: &str = r"
name: hostile
source: { stdin: {} }
plugins: plugins.d
sinks:
  rows: { sqlite: { path: out.db, table: events, create: true, columns: { id: id } } }
";

/// Deeds that cost their event, with the code of its dead letter.
const GUILTY: [(&str, &str); 9] = [
    ("trap", "trap"),
    ("loop", "fuel"),
    ("memory", ""),
    ("memory_pages:2000", ""),
    ("stack", "trap"),
    ("shadow_stack", "trap"),
    ("exit:3", "trap"),
    ("no_actions", "bad_answer"),
    ("reason:200000", "output_too_large"),
];

/// Deeds that a sandbox makes harmless.
const HARMLESS: [&str; 5] = ["log_flood:1000", "log_huge:100000", "stdout_flood:1000", "stderr_flood:1000", "sleep"];

fn run_with(deeds: &[&str]) -> (Pipeline, Ran) {
    let pipeline =
        Pipeline::new(YAML).plugin(10, "adversary", "limits: { fuel_per_event: 2000000, output_bytes: 100000 }");
    let mut input = String::new();
    for (n, deed) in deeds.iter().enumerate() {
        input += &format!("{{\"id\":\"before {n}\"}}\n{{\"id\":\"{deed}\",\"do\":\"{deed}\"}}\n");
    }
    let ran = pipeline.run(input.as_bytes());
    (pipeline, ran)
}

#[test]
fn plugin_that_fails_on_an_event_costs_that_event_alone() {
    for (deed, code) in GUILTY {
        let (pipeline, ran) = run_with(&[deed]);
        assert_eq!(ran.code, Some(0), "{deed}: {}", ran.stderr);
        ran.assert_sums(&["rows"]);
        let letters = pipeline.sqlite("out.db", "SELECT code, plugin, length(plugin_digest) FROM wasmill_dead_letters");
        assert_eq!(letters.len(), 1, "{deed}");
        assert_eq!(letters[0][1..], ["adversary", "64"], "{deed}");
        assert!(code.is_empty() || letters[0][0] == code, "{deed}: {letters:?}");
        assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events"), 1, "{deed}");
    }
}

#[test]
fn plugin_that_floods_or_sleeps_is_cut_short_and_its_event_goes_on() {
    let (pipeline, ran) = run_with(&HARMLESS);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM events") as usize, 2 * HARMLESS.len());
    assert!(ran.stderr.len() < 1 << 20, "{} bytes of log", ran.stderr.len());
}

#[test]
fn plugin_that_logs_in_every_batch_is_cut_short_by_the_second() {
    let yaml = YAML.replace("sinks:", "batch: { events_max: 1 }\nsinks:");
    let pipeline = Pipeline::new(&yaml).plugin(10, "adversary", "limits: { log_lines_per_second: 10 }");
    let ran = pipeline.run("{\"id\":\"1\",\"do\":\"log_flood:5\"}\n".repeat(200).as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let report = ran.report();
    let plugin = &report["plugins"][0];
    let [logged, left_out] = [&plugin["log_lines"], &plugin["limits"]["log_lines_per_second"]]
        .map(|lines| lines.as_u64().expect("a number"));
    assert_eq!((logged + left_out, &report["received"]), (1_000, &200.into()), "{plugin}");
    let seconds = report["seconds"].as_f64().expect("a number");
    assert!(logged as f64 <= 10.0 * (seconds.ceil() + 1.0), "{plugin}");
    assert!(ran.stderr.contains("limits.log_lines_per_second allows"), "{}", ran.stderr);
}

#[test]
fn plugin_sees_nothing_of_the_machine() {
    let (pipeline, ran) = run_with(&["clock", "outside", "calls"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let letters =
        pipeline.sqlite("out.db", "SELECT reason FROM wasmill_dead_letters WHERE code = 'saw' ORDER BY \"offset\"");
    assert!(letters[0][0].contains("0 then 0"), "{letters:?}");
    assert!(letters[1][0].contains("0 variables, 0 arguments, no files, no input"), "{letters:?}");
    assert!(letters[2][0].contains('1'), "{letters:?}");
}

#[test]
fn plugin_that_fails_in_configure_ends_the_start_with_file_digest_and_reason() {
    for deed in ["trap", "loop", "memory", "error", "fields:5000", "path:a..b", "path_length:2000", "name_length:2000"]
    {
        let yaml = format!("config: {{ configure: \"{deed}\" }}\nlimits: {{ fuel_configure: 20000000 }}\n");
        let ran = Pipeline::new(YAML).plugin(10, "adversary", &yaml).run(b"{\"id\":\"1\"}\n");
        assert_eq!(ran.code, Some(78), "{deed}: {}", ran.stderr);
        assert!(ran.stderr.contains("10-adversary.wasm\" (digest "), "{deed}: {}", ran.stderr);
    }
}

#[test]
fn plugin_that_fails_on_any_event_whatever_it_has_is_refused_before_it_meets_one() {
    let limits = "limits: { fuel_per_event: 1000000000000, fuel_configure: 20000000 }\n";
    for (deed, word) in [
        ("trap", "the adversary traps"),
        ("exit:3", "called exit(1)"),
        ("loop", "burned all its fuel"),
        ("stack", "stack"),
    ] {
        let ran = Pipeline::new(YAML)
            .plugin(10, "adversary", &format!("config: {{ always: \"{deed}\" }}\n"))
            .run(b"{\"id\":\"1\"}\n");
        assert_eq!(ran.code, Some(78), "{deed}: {}", ran.stderr);
        for part in ["10-adversary.wasm\" (digest ", "tried out on three made-up events", word] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
        }
    }
    // Running out of the little fuel that a load has says nothing of a plugin that may burn more.
    let slow =
        Pipeline::new(YAML).plugin(10, "adversary", &format!("config: {{ always: \"log_flood:20000\" }}\n{limits}"));
    let ran = slow.run(b"{\"id\":\"1\"}\n");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(slow.count("out.db", "SELECT count(*) FROM events"), 1);
}

#[test]
fn what_is_counted_of_plugins_adds_up_to_the_report() {
    let yaml = YAML.to_owned()
        + "  alerts: { from: alerts, sqlite: { path: out.db, table: alerts, create: true, columns: { id: id } } }\n";
    let limits = "limits: { fuel_per_event: 2000000, output_bytes: 100000, log_lines: 3 }";
    let pipeline = Pipeline::new(&yaml)
        .plugin(10, "adversary", limits)
        .plugin(20, "enrich-env", "config: { env: test }")
        .plugin(30, "counter", "grants: [state]");
    let mut input = String::new();
    for (n, deed) in GUILTY.iter().map(|(deed, _)| *deed).chain(HARMLESS).chain(["code:5", "control"]).enumerate() {
        // Others between them: so few of so many are not the plugin's fault.
        (0..30).for_each(|m| input += &format!("{{\"id\":\"{n} {m}\",\"key\":\"k\"}}\n"));
        input += &format!("{{\"id\":\"{n}\",\"do\":\"{deed}\"}}\nno JSON\n");
    }
    let ran = pipeline.run(input.as_bytes());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    ran.assert_sums(&["rows"]);
    let report = ran.report();
    let number = |value: &serde_json::Value| value.as_u64().expect("a number");
    let sum = |value: &serde_json::Value| value.as_object().expect("counts").values().map(number).sum::<u64>();
    let mut coming = number(&report["received"]) - number(&report["rejections"]["not_json"]);
    let mut rejected = number(&report["rejections"]["not_json"]);
    for plugin in report["plugins"].as_array().expect("plugins") {
        let of = |key: &str| number(&plugin[key]);
        assert_eq!(of("events"), coming, "{plugin}");
        assert_eq!(of("events"), of("passed") + of("rejected") + of("dropped") + of("skipped"), "{plugin}");
        assert_eq!((of("rejected"), of("traps")), (sum(&plugin["rejections"]), sum(&plugin["faults"])), "{plugin}");
        assert!(of("instances") == of("calls") && of("bytes_in") > 0 && of("bytes_out") > 0, "{plugin}");
        let held = |limit: &str| plugin["limits"][limit].as_u64().unwrap_or(0);
        let faults = |code: &str| number(&plugin["faults"][code]);
        assert_eq!((held("fuel_per_event"), held("memory_bytes")), (faults("fuel"), faults("memory")), "{plugin}");
        assert_eq!(held("log_lines") + held("log_lines_per_second"), of("log_lines_suppressed"), "{plugin}");
        coming = of("passed");
        rejected += of("rejected");
    }
    let [lane] = &report["lanes"].as_array().expect("lanes")[..] else { panic!("{report}") };
    for key in ["received", "dropped", "rejected", "alerts"] {
        assert_eq!(lane[key], report[key], "{key}: {report}");
    }
    assert_eq!(number(&lane["passed"]), coming, "{lane}");
    assert_eq!(sum(&lane["rejections"]), number(&report["dead_letters"]), "{lane}");
    for key in ["calls", "fuel", "traps", "instances", "bytes_in", "bytes_out", "skipped"] {
        let of_plugins: u64 =
            report["plugins"].as_array().expect("plugins").iter().map(|plugin| number(&plugin[key])).sum();
        assert_eq!(number(&lane[key]), of_plugins, "{key}: {report}");
    }
    let stored = pipeline.count("out.db", "SELECT sum(length(id)) FROM events");
    let rows = &report["sinks"][0];
    assert!(number(&rows["bytes"]) as i64 > stored && rows["seconds"].as_f64() > Some(0.0), "{rows}");
    assert_eq!((coming, rejected), (number(&report["delivered"]["rows"]), number(&report["rejected"])), "{report}");
    let adversary = &report["plugins"][0];
    assert!(number(&adversary["rejections"]["trap"]) >= 4 && adversary["rejections"]["fuel"] == 2, "{adversary}");
    assert!(number(&adversary["log_lines"]) > 0 && number(&adversary["log_lines_suppressed"]) > 1_000, "{adversary}");
    assert_eq!(number(&report["plugins"][2]["rejected"]), 0);
}

/// Files that are no plugins, what stands beside them, and why they are refused.
fn no_plugins() -> Vec<(Vec<u8>, &'static str, &'static str)> {
    const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";
    // A type section with an empty instance type, and an import section with `a:b/c` of that type.
    let import = [&COMPONENT[..], b"\x07\x03\x01\x42\x00", b"\x0a\x0a\x01\x00\x05a:b/c\x05\x00"].concat();
    let adversary = std::fs::read(built("adversary")).expect("the guest is built");
    vec![
        (b"not wasm".to_vec(), "{}", "it is no WebAssembly component"),
        (Vec::new(), "{}", "it is no WebAssembly component"),
        (b"\0asm\x01\0\0\0".to_vec(), "{}", "it is a core module, not a component"),
        ([&COMPONENT[..], b"rubbish"].concat(), "{}", "it is no valid component"),
        (COMPONENT.to_vec(), "{}", "it exports no wasmill plugin"),
        (import, "{}", "it imports \"a:b/c\", which is not granted to plugins"),
        (adversary, "limits: { component_bytes: 1000 }", "limits.component_bytes is 1000"),
    ]
}

#[test]
fn plugin_that_has_a_batch_for_too_long_pauses_the_lane_and_costs_no_event() {
    let yaml = YAML.replace("stdin: {}", "file: { path: in.jsonl }");
    let limits = "limits: { fuel_per_event: 1000000000000, stuck_batch_ms: 300 }";
    let pipeline = Pipeline::new(&yaml).plugin(10, "adversary", limits);
    let input = "{\"id\":\"before\"}\n{\"id\":\"guilty\",\"do\":\"loop\"}\n{\"id\":\"after\"}\n";
    std::fs::write(pipeline.path("in.jsonl"), input).expect("a file");
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let digest = file_digest(&pipeline.path("plugins.d/10-adversary.wasm"));
    for word in ["adversary", "10-adversary.wasm", &digest[..12], "limits.stuck_batch_ms", "no event is rejected"] {
        assert!(ran.stderr.contains(word), "{word}: {}", ran.stderr);
    }
    let report = ran.report();
    assert_eq!((&report["rejected"], &report["delivered"]["rows"]), (&0.into(), &0.into()));
    assert_eq!(report["plugins"][0]["limits"], serde_json::json!({ "stuck_batch_ms": 1 }));
    assert_eq!(pipeline.count("out.db", "SELECT count(*) FROM wasmill_dead_letters"), 0);

    // With less fuel than time the same batch gets to its end, and the event is to blame.
    let settings = pipeline.path("plugins.d/10-adversary.yaml");
    std::fs::write(settings, "limits: { fuel_per_event: 2000000 }").expect("a file");
    let ran = pipeline.run(b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(pipeline.sqlite("out.db", "SELECT id FROM events ORDER BY id"), [["after"], ["before"]]);
    assert_eq!(pipeline.sqlite("out.db", "SELECT code FROM wasmill_dead_letters"), [["fuel"]]);
}

fn file_digest(file: &Path) -> String {
    wasmill_core::Digest::of(&std::fs::read(file).expect("the plugin is there")).to_string()
}

#[test]
fn file_that_is_no_plugin_ends_the_start_with_file_digest_and_reason() {
    for (bytes, yaml, reason) in no_plugins() {
        let pipeline = Pipeline::new(YAML);
        std::fs::write(pipeline.path("plugins.d/10-bad.wasm"), bytes).expect("a file");
        std::fs::write(pipeline.path("plugins.d/10-bad.yaml"), yaml).expect("a file");
        let ran = pipeline.run(b"{\"id\":\"1\"}\n");
        assert_eq!(ran.code, Some(78), "{reason}: {}", ran.stderr);
        for part in ["10-bad.wasm\" (digest ", reason] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
        }
        let events = "SELECT count(*) FROM sqlite_master WHERE name = 'events'";
        assert!(!pipeline.path("out.db").exists() || pipeline.count("out.db", events) == 0, "nothing was begun");
    }
}

#[test]
fn answers_and_manifests_of_any_kind_are_bounded_and_never_a_crash() {
    for deed in ["random", "reason:100000", "code:1000", "control", "unordered", "reject_all:10"] {
        let (pipeline, ran) = run_with(&[deed]);
        assert_eq!(ran.code, Some(0), "{deed}: {}", ran.stderr);
        ran.assert_sums(&["rows"]);
        let longest = "SELECT coalesce(max(length(reason)), 0) FROM wasmill_dead_letters";
        assert!(pipeline.count("out.db", longest) < 4096, "{deed}");
    }
    for deed in ["twice", "raw_path", "writes", "name:"] {
        let yaml = format!("config: {{ configure: \"{deed}\" }}\n");
        let ran = Pipeline::new(YAML).plugin(10, "adversary", &yaml).run(b"{\"id\":\"1\"}\n");
        assert!(matches!(ran.code, Some(0 | 78)), "{deed}: {:?} {}", ran.code, ran.stderr);
    }
}
