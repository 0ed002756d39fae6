//! The compile child and the compile cache.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde_json::json;
use wasmill_engine::{CompileLimits, Compiler, Engine, EngineError, EngineOptions, Limits, Reason};

use crate::support::{child, options, rogue, spec};

fn engine(cache_dir: Option<PathBuf>, compiler: Compiler, compile: CompileLimits) -> Result<Engine, EngineError> {
    Engine::new(EngineOptions { cache_dir, compiler, compile, ..options() })
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn child_compiles_as_this_process_does() {
    let Some(bytes) = rogue() else { return };
    let engine = engine(None, child(), CompileLimits::default()).unwrap();
    let plugin = engine.load(&spec(&bytes, json!({}), Limits::default())).unwrap();
    assert_eq!(plugin.configured_per_instance(), None);
    let refused = engine.load(&spec(&bytes, json!({ "configure": "refuse" }), Limits::default())).unwrap_err();
    assert!(matches!(refused.reason, Reason::Configure(_)), "{refused}");
    let invalid = engine.load(&spec(&b"\0asm\x0d\0\x01\0x".as_slice().into(), json!({}), Limits::default()));
    assert!(matches!(invalid.unwrap_err().reason, Reason::Invalid(_)));
}

#[test]
fn child_that_needs_too_long_is_ended() {
    let Some(bytes) = rogue() else { return };
    let engine = engine(None, child(), CompileLimits { seconds: 1, ..CompileLimits::default() }).unwrap();
    let limits = Limits { fuel_configure: u64::MAX, ..Limits::default() };
    let start = Instant::now();
    let error = engine.load(&spec(&bytes, json!({ "configure": "loop" }), limits)).unwrap_err();
    assert!(["compile_seconds", "compile_memory_bytes"].contains(&error.reason.cause()), "{error}");
    assert!(start.elapsed().as_secs() < 10);
}

#[test]
fn child_that_needs_too_much_memory_ends_and_the_host_goes_on() {
    let Some(bytes) = rogue() else { return };
    let engine = engine(None, child(), CompileLimits { memory_bytes: 16 << 20, ..CompileLimits::default() }).unwrap();
    let error = engine.load(&spec(&bytes, json!({}), Limits::default())).unwrap_err();
    assert_eq!(error.reason.cause(), "compile_memory_bytes", "{error}");
    assert!(error.to_string().contains("engine.compile.memory_bytes"), "{error}");
}

#[test]
fn program_that_is_no_compile_child_gives_an_error() {
    let Some(bytes) = rogue() else { return };
    for program in ["/bin/true", "/bin/cat", "/does/not/exist"] {
        let engine = engine(None, Compiler::Child(program.into()), CompileLimits::default()).unwrap();
        let error = engine.load(&spec(&bytes, json!({}), Limits::default())).unwrap_err();
        assert!(matches!(error.reason, Reason::CompileDied(_) | Reason::Engine(_)), "{program}: {error}");
    }
}

#[test]
fn second_load_comes_from_the_cache_without_a_compiler() {
    let Some(bytes) = rogue() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let spec = spec(&bytes, json!({}), Limits::default());
    let first = engine(Some(cache.clone()), Compiler::InProcess, CompileLimits::default()).unwrap();
    first.load(&spec).unwrap();
    assert_eq!(entries(&cache).len(), 1);
    assert_eq!(fs::metadata(&cache).unwrap().permissions().mode() & 0o777, 0o700);
    let second = engine(Some(cache), Compiler::Child("/does/not/exist".into()), CompileLimits::default()).unwrap();
    second.load(&spec).unwrap();
}

#[test]
fn entry_is_asked_for_under_the_limits_that_it_was_compiled_under() {
    let Some(bytes) = rogue() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let spec = spec(&bytes, json!({}), Limits::default());
    engine(Some(cache.clone()), Compiler::InProcess, CompileLimits::default()).unwrap().load(&spec).unwrap();
    let tight = CompileLimits { memory_bytes: 16 << 20, ..CompileLimits::default() };
    let error = engine(Some(cache), child(), tight).unwrap().load(&spec).unwrap_err();
    assert_eq!(error.reason.cause(), "compile_memory_bytes", "{error}");
}

#[test]
fn entry_that_was_taken_last_stays_when_others_go() {
    let Some(bytes) = rogue() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let engine = engine(Some(cache.clone()), Compiler::InProcess, CompileLimits::default()).unwrap();
    let (used, other) = (json!({ "name": "used" }), json!({ "name": "other" }));
    engine.load(&spec(&bytes, used.clone(), Limits::default())).unwrap();
    let entry = entries(&cache).remove(0);
    // It is older than all others, until it is taken.
    let aged = |path: &Path, seconds: u64| {
        let file = fs::File::options().append(true).create(true).open(path).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
    };
    aged(&entry, 100_000);
    (0..1_023).for_each(|n| aged(&cache.join(format!("{n}.cwasm")), 10_000 + n));
    let (left, new) = (cache.join("unfinished-left"), cache.join("unfinished-new"));
    aged(&left, 3_700);
    aged(&new, 60);
    engine.load(&spec(&bytes, used, Limits::default())).unwrap();
    engine.load(&spec(&bytes, other, Limits::default())).unwrap();
    assert!(entry.exists() && new.exists() && !left.exists());
    assert!(cache.join("1021.cwasm").exists() && !cache.join("1022.cwasm").exists());
    assert_eq!(entries(&cache).len(), 1_024 + 1);
}

#[test]
fn other_configuration_limits_or_bytes_are_other_entries() {
    let Some(bytes) = rogue() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let engine = engine(Some(cache.clone()), Compiler::InProcess, CompileLimits::default()).unwrap();
    engine.load(&spec(&bytes, json!({}), Limits::default())).unwrap();
    engine.load(&spec(&bytes, json!({ "remembers": 3 }), Limits::default())).unwrap();
    engine.load(&spec(&bytes, json!({}), Limits { memory_bytes: 32 << 20, ..Limits::default() })).unwrap();
    assert_eq!(entries(&cache).len(), 3);
    // What only matters when it runs shares the code.
    engine.load(&spec(&bytes, json!({}), Limits { fuel_per_event: 1_000_000, ..Limits::default() })).unwrap();
    assert_eq!(entries(&cache).len(), 3);
}

#[test]
fn broken_foreign_and_half_written_entries_are_made_anew() {
    let Some(bytes) = rogue() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let spec = spec(&bytes, json!({}), Limits::default());
    let engine = engine(Some(cache.clone()), Compiler::InProcess, CompileLimits::default()).unwrap();
    engine.load(&spec).unwrap();
    let entry = entries(&cache).remove(0);
    let whole = fs::read(&entry).unwrap();
    let flipped = [0, whole.len() / 2, whole.len() - 1].map(|at| {
        let mut flipped = whole.clone();
        flipped[at] ^= 1;
        flipped
    });
    let others = [whole[..whole.len() / 2].to_vec(), Vec::new(), b"#!/bin/sh\n".repeat(100)];
    for broken in flipped.into_iter().chain(others) {
        fs::write(&entry, &broken).unwrap();
        engine.load(&spec).unwrap();
        assert_eq!(fs::read(&entry).unwrap(), whole);
    }
}

#[test]
fn entry_of_another_plugin_under_this_key_is_not_taken() {
    let Some(bytes) = rogue() else { return };
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    let engine = engine(Some(cache.clone()), Compiler::InProcess, CompileLimits::default()).unwrap();
    engine.load(&spec(&bytes, json!({ "name": "one" }), Limits::default())).unwrap();
    let one = entries(&cache).remove(0);
    engine.load(&spec(&bytes, json!({ "name": "two" }), Limits::default())).unwrap();
    let two = entries(&cache).into_iter().find(|path| *path != one).unwrap();
    fs::copy(&one, &two).unwrap();
    let plugin = engine.load(&spec(&bytes, json!({ "name": "two" }), Limits::default())).unwrap();
    assert_eq!(plugin.reference().name, "two");
}

#[test]
fn folder_that_others_may_enter_or_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let open = folder.path().join("open");
    fs::create_dir(&open).unwrap();
    fs::set_permissions(&open, Permissions::from_mode(0o755)).unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let link = folder.path().join("link");
    let target = folder.path().join("target");
    fs::create_dir(&target).unwrap();
    fs::set_permissions(&target, Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::symlink(&target, &link).unwrap();
    for path in [open, file, link] {
        let error = engine(Some(path.clone()), Compiler::InProcess, CompileLimits::default()).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
    assert!(engine(Some(target), Compiler::InProcess, CompileLimits::default()).is_ok());
}
