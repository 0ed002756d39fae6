//! What the compile cache holds of a plugin.

use wasmill_tests::pipeline::Pipeline;

#[test]
fn compiled_plugin_does_not_hold_the_zeros_of_the_memory_that_it_took_ahead() {
    let yaml = "name: compiled\nsource: { stdin: {} }\nplugins: plugins.d\nengine: { cache_dir: compiled }\n\
                sinks: { none: { discard: {} } }\n";
    let pipeline = Pipeline::new(yaml).plugin(10, "enrich-env", "config: { env: test }");
    let ran = pipeline.run(b"{\"service\":\"web\"}\n");
    assert_eq!(ran.report()["received"], 1, "{}", ran.stderr);
    let entries = std::fs::read_dir(pipeline.path("compiled")).expect("a cache").collect::<Result<Vec<_>, _>>();
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
