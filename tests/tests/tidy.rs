//! Holds the house: rules about the repository itself that no compiler checks.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use xtask::cli::Cli;
use xtask::workspace::{self, Metadata, Package};

/// Lines after which a file is asked whether it is two ideas.
const LINES_MAX: usize = 500;
/// Longer files, each with the reason why it is one idea.
const LONG_FILES: &[(&str, &str)] = &[];

/// Where unsafe code is, and why nothing safe does it.
const UNSAFE_FILES: &[(&str, &str)] = &[
    ("guest-sdk/src/batch.rs", "slots are read without bounds and UTF-8 checks, which the host has made"),
    ("guest-sdk/src/libc/heap.rs", "blocks of the memory behind `malloc`, inside of the sandbox"),
    ("guest-sdk/src/libc/heap/tests.rs", "the same blocks"),
    ("guest-sdk/src/libc/names.rs", "functions of the C library are replaced, inside of the sandbox"),
    ("host/core/src/marks/x86.rs", "vector instructions, once the processor is known to have them"),
    ("host/core/tests/allocations.rs", "an allocator that counts"),
    ("host/engine/src/trusted.rs", "compiled code is taken from our own compiler"),
    ("host/expr/tests/allocation.rs", "an allocator that counts"),
    ("host/src/kafka/message.rs", "librdkafka's messages are read where they are"),
    ("host/src/kafka/mock.rs", "librdkafka's mock broker"),
    ("host/src/kafka/native.rs", "librdkafka's functions that rdkafka does not have"),
    ("host/src/kafka/queue.rs", "librdkafka's queues of partitions"),
    ("tests/examples/kafka_read.rs", "getrusage fills a plain struct"),
    ("tests/guests/rogue/src/kinds.rs", "a guest that misbehaves, inside of the sandbox"),
    ("tests/guests/rogue/src/parrot.rs", "the same"),
    ("tests/xtask/src/commands/run.rs", "the standard library cannot set a signal handler"),
    ("tests/xtask/src/services/process.rs", "the standard library cannot signal a process that is not its child"),
];

/// External crates that need no reason: the field's usual for what their names say.
const USUAL: &[&str] = &["serde", "serde_json", "tokio", "tracing", "tracing-subscriber", "wit-bindgen"];

/// Which of our crates a crate may depend on, normally and in its tests. Below `plugins` and `tests/guests` a folder
/// stands for its crates.
const ARROWS: &[(&str, &[&str], &[&str])] = &[
    ("host", &["wasmill-engine", "wasmill-core", "wasmill-expr"], &[]),
    ("host/engine", &["wasmill-core", "wasmill-expr"], &[]),
    ("host/core", &["wasmill-expr"], &[]),
    ("host/expr", &[], &[]),
    ("guest-sdk", &["wasmill-sdk-macros"], &[]),
    ("guest-sdk/macros", &[], &["wasmill-sdk"]),
    ("guest-sdk/harness", &["wasmill-sdk"], &[]),
    ("plugins", &["wasmill-sdk", "wasmill-expr"], &["wasmill-harness"]),
    ("tests/guests", &["wasmill-sdk", "wasmill-expr"], &["wasmill-harness"]),
    ("tests/sdk", &[], &["wasmill-sdk"]),
    ("tests/xtask", &[], &[]),
    (
        "tests",
        &[
            "wasmill",
            "wasmill-engine",
            "wasmill-core",
            "wasmill-expr",
            "wasmill-sdk",
            "wasmill-harness",
            "validate-event",
            "enrich-env",
            "alert-rules",
            "xtask",
        ],
        &[],
    ),
];

/// A file of the repository, committed or about to be.
struct Source {
    path: String,
    text: String,
}

/// Every text file that is not generated, with `/` in its path from the root.
fn sources() -> Vec<Source> {
    let output = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(workspace::root())
        .output()
        .expect("the house rules read the list of files from git: install git");
    assert!(output.status.success(), "git ls-files failed: {}", String::from_utf8_lossy(&output.stderr));
    let paths = String::from_utf8(output.stdout).unwrap();
    let read = |path: &str| fs::read_to_string(workspace::root().join(path)).ok();
    let files = paths.lines().filter(|path| *path != "Cargo.lock");
    files.filter_map(|path| Some(Source { path: path.to_owned(), text: read(path)? })).collect()
}

fn rust_sources() -> Vec<Source> {
    sources().into_iter().filter(|source| source.path.ends_with(".rs")).collect()
}

/// `path:line: what` for every line in which one of the words stands.
fn hits(sources: &[Source], words: &[String]) -> Vec<String> {
    let lines = sources.iter().flat_map(|source| {
        source.text.lines().enumerate().map(move |(index, line)| (source.path.as_str(), index + 1, line))
    });
    lines
        .filter(|(_, _, line)| words.iter().any(|word| line.contains(word)))
        .map(|(path, number, line)| format!("{path}:{number}: {}", line.trim()))
        .collect()
}

fn assert_none(found: &[String], rule: &str) {
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

fn read(path: &str) -> String {
    let path = workspace::root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
}

// --- crates ---

/// The arrow of the longest folder that a package is in.
fn arrow(package: &Package) -> &'static (&'static str, &'static [&'static str], &'static [&'static str]) {
    let root = workspace::root();
    let folder = package.manifest_path.parent().unwrap();
    let inside = ARROWS.iter().filter(|(name, _, _)| folder.starts_with(root.join(name)));
    inside.max_by_key(|(name, _, _)| name.len()).unwrap_or_else(|| panic!("no arrow is drawn for `{}`", package.name))
}

#[test]
fn crates_depend_on_each_other_only_along_the_arrows() {
    let metadata = Metadata::of_workspace().unwrap();
    let mut wrong = Vec::new();
    for package in &metadata.packages {
        let (_, normal, in_tests) = arrow(package);
        for dependency in package.dependencies.iter().filter(|dependency| dependency.path.is_some()) {
            let name = dependency.name.as_str();
            let is_dev = dependency.kind.as_deref() == Some("dev");
            let is_allowed = normal.contains(&name) || (is_dev && in_tests.contains(&name));
            if !is_allowed {
                wrong.push(format!("{} -> {name}", package.name));
            }
        }
    }
    assert_none(&wrong, "crates depend on each other against the arrows");
}

#[test]
fn wasmtime_is_named_by_the_engine_alone() {
    let metadata = Metadata::of_workspace().unwrap();
    let names_it = |package: &&Package| package.dependencies.iter().any(|one| one.name.starts_with("wasmtime"));
    let others: Vec<String> = metadata
        .packages
        .iter()
        .filter(names_it)
        .map(|one| one.name.clone())
        // A benchmark of the tests measures it bare.
        .filter(|name| !["wasmill-engine", "wasmill-tests"].contains(&name.as_str()))
        .collect();
    assert_none(&others, "crates other than the engine and the tests depend on wasmtime");
}

#[test]
fn each_dependency_of_the_workspace_has_its_reason_and_is_used() {
    let manifest = read("Cargo.toml");
    let section = manifest.split("[workspace.dependencies]").nth(1).unwrap().split("\n[").next().unwrap();
    let used: BTreeSet<String> = Metadata::of_workspace()
        .unwrap()
        .packages
        .into_iter()
        .flat_map(|package| package.dependencies.into_iter().map(|dependency| dependency.name))
        .collect();
    let mut wrong = Vec::new();
    for line in section.lines().filter(|line| line.contains('=') && !line.starts_with('#')) {
        let name = line.split('=').next().unwrap().trim();
        if !line.contains('#') && !line.contains("path =") && !USUAL.contains(&name) {
            wrong.push(format!("{name}: no comment says why"));
        }
        if !used.contains(name) {
            wrong.push(format!("{name}: no crate uses it"));
        }
    }
    assert_none(&wrong, "dependencies without reason or use");
}

// --- code ---

#[test]
fn no_path_of_somebodys_machine_is_in_the_repository() {
    // Put together here, so that this file does not find itself.
    let words = ["root", "home", "Users", "farm"].map(|folder| format!("/{folder}/"));
    let found: Vec<String> = hits(&sources(), &words).into_iter().filter(|hit| !hit.contains("$HOME/")).collect();
    assert_none(&found, "paths of somebody's machine");
}

#[test]
fn nothing_is_left_to_do_ignored_or_printed_for_debugging() {
    let words = ["todo!(", "unimplemented!(", "dbg!(", "#[ignore", "// TODO", "// FIXME"];
    let words = words.map(str::to_owned);
    let own = file!().rsplit('/').next().unwrap();
    let others: Vec<Source> = rust_sources().into_iter().filter(|source| !source.path.ends_with(own)).collect();
    assert_none(&hits(&others, &words), "left in the code");
}

#[test]
fn a_file_is_one_idea() {
    let lines = |source: &Source| source.text.lines().count();
    let allowed = |source: &Source| LONG_FILES.iter().any(|(path, _)| *path == source.path);
    let sources = rust_sources();
    let long = sources.iter().filter(|source| lines(source) > LINES_MAX && !allowed(source));
    let found: Vec<String> = long.map(|source| format!("{} ({} lines)", source.path, lines(source))).collect();
    assert_none(&found, "files of over 500 lines: split them, or list them with the reason");
    for (path, reason) in LONG_FILES {
        let is_long = sources.iter().any(|source| source.path == *path && lines(source) > LINES_MAX);
        assert!(is_long && !reason.is_empty(), "{path} needs its exception no more, or has no reason");
    }
}

#[test]
fn no_module_is_in_a_file_called_mod() {
    let found: Vec<String> =
        rust_sources().into_iter().map(|source| source.path).filter(|path| path.ends_with("/mod.rs")).collect();
    assert_none(&found, "name the file after its module");
}

#[test]
fn unsafe_code_is_in_the_named_modules_alone() {
    // Put together here, so that this file does not find itself.
    let word = ["un", "safe"].concat();
    let words = [" {", " fn", " impl", " extern", "(no_mangle)"].map(|what| word.clone() + what);
    let has_some = |source: &&Source| source.text.lines().any(|line| is_code_with(line, &words));
    let sources = rust_sources();
    let found: BTreeSet<&str> = sources.iter().filter(has_some).map(|source| source.path.as_str()).collect();
    let named: BTreeSet<&str> = UNSAFE_FILES.iter().map(|(path, _)| *path).collect();
    assert_eq!(found, named, "left: files with unsafe code; right: those that are named with their reason");
    let unproved =
        sources.iter().filter(|source| named.contains(&source.path.as_str()) && !source.text.contains("SAFETY"));
    let unproved: Vec<String> = unproved.map(|source| source.path.clone()).collect();
    assert_none(&unproved, "unsafe code without a proof in a comment");
}

fn is_code_with(line: &str, words: &[String]) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    words.iter().any(|word| code.contains(word))
}

// --- documentation ---

#[test]
fn every_test_that_proves_a_line_of_security_exists() {
    let table = read("SECURITY.md");
    let rows = table.lines().skip_while(|line| *line != "| line | what holds it | proved by |").skip(2);
    let proofs = rows.take_while(|line| line.starts_with('|')).filter_map(|row| row.split('|').nth(3));
    let names: BTreeSet<&str> = proofs.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 20, "the table is gone: {names:?}");
    let sources = rust_sources();
    let is_absent = |name: &&&str| !sources.iter().any(|source| source.text.contains(&format!("fn {name}(")));
    let absent: Vec<String> = names.iter().filter(is_absent).map(|name| (*name).to_owned()).collect();
    assert_none(&absent, "tests that SECURITY.md names and nobody wrote");
}

/// What follows a program's name where it begins a line of code or stands in backticks: `$ wasmill run x` gives
/// `["run", "x"]`.
fn invocations(text: &str, program: &str) -> Vec<Vec<String>> {
    let mut fenced = false;
    let mut code: Vec<&str> = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            code.push(line);
        } else {
            code.extend(line.split('`').skip(1).step_by(2));
        }
    }
    let calls = code.iter().filter_map(|line| {
        let line = line.trim().trim_start_matches("$ ");
        let call = line.rsplit_once("release/").map_or(line, |(_, call)| call);
        call.strip_prefix(program)?.strip_prefix(' ')
    });
    calls.map(|rest| rest.split_whitespace().map(str::to_owned).collect()).collect()
}

/// The first word of each invocation in any document, when it is a command and no option or placeholder.
fn documented_commands(program: &str) -> BTreeSet<String> {
    let documents = sources().into_iter().filter(|source| source.path.ends_with(".md"));
    let calls = documents.flat_map(|document| invocations(&document.text, program));
    let words = calls.filter_map(|call| call.into_iter().next());
    words.filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')).collect()
}

#[test]
fn commands_are_found_where_they_are_code() {
    let text = "wasmill is a mill, see `wasmill run x`\n```sh\n$ wasmill validate\ntarget/release/wasmill demo\n```\n";
    assert_eq!(invocations(text, "wasmill"), [vec!["run", "x"], vec!["validate"], vec!["demo"]]);
}

#[test]
fn every_xtask_command_in_a_document_exists() {
    let cli = Cli::command();
    let known: BTreeSet<String> = cli.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let unknown: Vec<String> = documented_commands("cargo xtask").difference(&known).cloned().collect();
    assert_none(&unknown, "documents name commands that `cargo xtask --help` does not");
}

#[test]
fn every_wasmill_command_in_a_document_exists() {
    let documented = documented_commands("wasmill");
    let help = Command::new(wasmill()).arg("--help").output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let known: BTreeSet<String> = commands_of(&help);
    let unknown: Vec<String> = documented.difference(&known).cloned().collect();
    assert_none(&unknown, "documents name commands that `wasmill --help` does not");
}

/// The words under `Commands:`, as clap prints them.
fn commands_of(help: &str) -> BTreeSet<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The binary: where `cargo xtask test` says, else beside this test's own.
fn wasmill() -> PathBuf {
    let beside = std::env::current_exe().unwrap().ancestors().nth(2).map(|folder| folder.join("wasmill"));
    let path = std::env::var_os("WASMILL_BIN").map(PathBuf::from).or(beside).unwrap();
    assert!(path.exists(), "wasmill is not built: run `cargo build --release --package wasmill`");
    path
}

/// The codes of dead letters: what stands in backticks in the middle of the table that begins so.
fn codes_of_the_readme() -> BTreeSet<String> {
    let readme = read("README.md");
    let table = readme.split("| event | code | outcome |\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let codes =
        table.lines().filter_map(|row| row.split('|').nth(2)).flat_map(|cell| cell.split('`').skip(1).step_by(2));
    codes.map(str::to_owned).collect()
}

#[test]
fn every_code_of_a_dead_letter_in_the_readme_is_in_the_host_and_in_a_test() {
    let codes = codes_of_the_readme();
    assert!(codes.len() > 20, "the table is gone: {codes:?}");
    let (tests, others): (Vec<Source>, Vec<Source>) =
        rust_sources().into_iter().partition(|source| source.path.starts_with("tests/tests/"));
    let host: Vec<Source> =
        others.into_iter().filter(|source| source.path.starts_with("host/") && source.path.contains("/src/")).collect();
    let absent = |sources: &[Source]| {
        let is_absent = |code: &&String| hits(sources, &[format!("\"{code}\"")]).is_empty();
        codes.iter().filter(is_absent).cloned().collect::<Vec<_>>()
    };
    assert_none(&absent(&host), "codes that the host does not know");
    assert_none(&absent(&tests), "codes that no test of the whole program expects");
}

#[test]
fn continuous_integration_runs_the_test_command_of_the_readme() {
    let command = "cargo xtask test";
    let is_in_readme = read("README.md").lines().any(|line| line.trim().trim_start_matches("$ ").starts_with(command));
    assert!(is_in_readme, "README.md has no line `{command}`");
    let script = read(".ci/run");
    let calls: Vec<&str> = script.lines().filter(|line| line.starts_with("cargo")).collect();
    assert!(calls.contains(&command), ".ci/run does not call `{command}`");
    assert!(
        calls.iter().all(|call| call.starts_with("cargo xtask ")),
        ".ci/run is cleverer than the README: {calls:?}"
    );
    assert!(is_executable(&workspace::root().join(".ci/run")));
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    fs::metadata(path).unwrap().permissions().mode() & 0o111 != 0
}
