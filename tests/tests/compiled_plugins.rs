//! What the compile cache holds of a plugin, and who shares it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use wasmill_tests::pipeline::{PATIENCE, Pipeline, Ran};

const FILE: &str = "plugins.d/10-enrich-env.wasm";

/// A pipeline whose user has a cache folder of his own, and the part of that for compiled code.
fn with_cache() -> (Pipeline, PathBuf) {
    let yaml = "name: compiled\nsource: { stdin: {} }\nplugins: plugins.d\nsinks: { none: { discard: {} } }\n";
    let pipeline = Pipeline::new(yaml).plugin(10, "enrich-env", "config: { env: test }");
    let cache = pipeline.path("cache");
    let pipeline = pipeline.env("XDG_CACHE_HOME", cache.to_str().expect("a path in UTF-8"));
    (pipeline, cache.join("wasmill/compiled"))
}

fn wasmill(pipeline: &Pipeline, arguments: &[&str]) -> Ran {
    pipeline.start_with(arguments, b"").wait(PATIENCE)
}

/// The names of entries, in order.
fn entries(folder: &Path) -> Vec<String> {
    let found = fs::read_dir(folder).expect("a cache").map(|entry| entry.expect("an entry").file_name());
    let names = found.map(|name| name.to_string_lossy().into_owned());
    let mut entries: Vec<String> = names.filter(|name| name.ends_with(".cwasm")).collect();
    entries.sort();
    entries
}

#[test]
fn plugin_is_compiled_once_for_all_commands_and_the_pipeline() {
    let (pipeline, cache) = with_cache();
    let ran = wasmill(&pipeline, &["plugin", "inspect", FILE]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let compiled = entries(&cache);
    assert_eq!(compiled.len(), 1);
    let pipe = ["plugin", "pipe", FILE, "--config", "{\"env\":\"test\"}"];
    for command in [&["plugin", "check", FILE], &["plugin", "run", FILE], &pipe[..], &["validate", "pipeline.yaml"]] {
        let ran = wasmill(&pipeline, command);
        assert_eq!(ran.code, Some(0), "{command:?}: {}", ran.stderr);
        assert_eq!(entries(&cache), compiled, "{command:?}");
    }
    assert_eq!(pipeline.run(b"{}\n").report()["received"], 1);
    assert_eq!(entries(&cache), compiled);
    let bench = wasmill(&pipeline, &["plugin", "bench", FILE]);
    assert_eq!(bench.code, Some(0), "{}", bench.stderr);
    assert_eq!(entries(&cache).len(), 2, "the plugin that does nothing is the other");
}

#[test]
fn folder_that_is_named_is_taken_in_place_of_the_users() {
    let (pipeline, cache) = with_cache();
    let ran = wasmill(&pipeline, &["plugin", "run", FILE, "--cache", "own"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(entries(&pipeline.path("own")).len(), 1);
    assert!(!cache.exists());
}

#[test]
fn command_goes_on_without_a_cache_that_others_may_enter_and_says_so_once() {
    let (pipeline, cache) = with_cache();
    fs::create_dir_all(&cache).expect("a folder");
    fs::set_permissions(&cache, Permissions::from_mode(0o755)).expect("it is ours");
    let ran = wasmill(&pipeline, &["plugin", "check", FILE]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr.matches("others may enter it (mode 755); chmod 700 it").count(), 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("every command compiles anew"), "{}", ran.stderr);
    assert!(entries(&cache).is_empty());
    // A folder that was asked for is another matter.
    let ran = wasmill(&pipeline, &["plugin", "run", FILE, "--cache", cache.to_str().expect("a path in UTF-8")]);
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(ran.stderr.contains("chmod 700 it"), "{}", ran.stderr);
}

#[test]
fn what_was_compiled_under_wider_limits_hides_from_nobody_that_it_passes_his() {
    let yaml = |compile: &str| {
        format!(
            "name: compiled\nsource: {{ stdin: {{}} }}\nplugins: plugins.d\nsinks: {{ none: {{ discard: {{}} }} }}\n\
             engine: {{ cache_dir: compiled, compile: {{ memory_bytes: {compile} }} }}\nadmin: false\n"
        )
    };
    let pipeline = Pipeline::new(&yaml("1073741824")).plugin(10, "validate-schema", "config: { schema: {} }");
    let ran = wasmill(&pipeline, &["plugin", "list", "--config", "pipeline.yaml"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    fs::write(pipeline.path("pipeline.yaml"), yaml("67108864")).expect("a file");
    let ran = wasmill(&pipeline, &["plugin", "list", "--config", "pipeline.yaml"]);
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(ran.stderr.contains("engine.compile.memory_bytes"), "{}", ran.stderr);
}

#[test]
fn compiled_plugin_does_not_hold_the_zeros_of_the_memory_that_it_took_ahead() {
    let yaml = "name: compiled\nsource: { stdin: {} }\nplugins: plugins.d\nengine: { cache_dir: compiled }\n\
                sinks: { none: { discard: {} } }\n";
    let pipeline = Pipeline::new(yaml).plugin(10, "enrich-env", "config: { env: test }");
    let ran = pipeline.run(b"{\"service\":\"web\"}\n");
    assert_eq!(ran.report()["received"], 1, "{}", ran.stderr);
    let entries = fs::read_dir(pipeline.path("compiled")).expect("a cache").collect::<Result<Vec<_>, _>>();
    let entries = entries.expect("entries").into_iter().map(|one| one.metadata().expect("it is there"));
    let sizes: Vec<u64> = entries.filter(|found| found.is_file()).map(|found| found.len()).collect();
    assert!(matches!(sizes[..], [size] if size < 1 << 20), "{sizes:?} bytes");
}

#[test]
fn plugin_that_takes_more_to_compile_than_the_operator_allows_is_refused() {
    let yaml = "name: compiled\nsource: { stdin: {} }\nplugins: plugins.d\n\
                engine: { cache_dir: compiled, compile: { memory_bytes: 67108864 } }\nsinks: { none: { discard: {} } }\n";
    let ran = Pipeline::new(yaml).plugin(10, "validate-schema", "config: { schema: {} }").run(b"{}\n");
    assert_eq!(ran.code, Some(78), "{}", ran.stderr);
    assert!(ran.stderr.contains("10-validate-schema.wasm\" (digest "), "{}", ran.stderr);
    assert!(ran.stderr.contains("engine.compile.memory_bytes"), "{}", ran.stderr);
}
