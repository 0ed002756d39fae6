//! Templates of plugins in JavaScript and Python. Each is an author's file, its unit tests, its tests in the engine, and what hides how events cross.

use crate::cli::PluginKind as Kind;

/// A file of a template: its path, which may have the plugin's name in it, and its text.
pub(super) type File = (&'static str, &'static str);

/// What a template in JavaScript has beside what all have.
pub(super) fn javascript(kind: Kind) -> Vec<File> {
    let [plugin, unit, engine] = match kind {
        Kind::Validator => [
            include_str!("js/validator.js"),
            include_str!("js/validator_unit.js"),
            include_str!("js/validator_engine.js"),
        ],
        Kind::Enricher => {
            [include_str!("js/enricher.js"), include_str!("js/enricher_unit.js"), include_str!("js/enricher_engine.js")]
        }
        Kind::Alerter => {
            [include_str!("js/alerter.js"), include_str!("js/alerter_unit.js"), include_str!("js/alerter_engine.js")]
        }
    };
    vec![
        ("plugin.js", plugin),
        ("tests/unit.test.js", unit),
        ("tests/engine.test.js", engine),
        ("package.json", include_str!("js/package.json")),
        ("package-lock.json", include_str!("js/package-lock.json")),
        (".gitignore", include_str!("js/gitignore")),
        ("README.md", include_str!("js/readme.md")),
        ("wasmill/wasmill.js", include_str!("js/wasmill/wasmill.js")),
        ("wasmill/wasmill.d.ts", include_str!("js/wasmill/wasmill.d.ts")),
        ("wasmill/entry.js", include_str!("js/wasmill/entry.js")),
        ("wasmill/build.js", include_str!("js/wasmill/build.js")),
        ("wasmill/testing.js", include_str!("js/wasmill/testing.js")),
    ]
}

/// The same in Python.
pub(super) fn python(kind: Kind) -> Vec<File> {
    let [plugin, unit, engine] = match kind {
        Kind::Validator => [
            include_str!("python/validator.py"),
            include_str!("python/validator_unit.py"),
            include_str!("python/validator_engine.py"),
        ],
        Kind::Enricher => [
            include_str!("python/enricher.py"),
            include_str!("python/enricher_unit.py"),
            include_str!("python/enricher_engine.py"),
        ],
        Kind::Alerter => [
            include_str!("python/alerter.py"),
            include_str!("python/alerter_unit.py"),
            include_str!("python/alerter_engine.py"),
        ],
    };
    vec![
        ("plugin.py", plugin),
        ("tests/test_unit.py", unit),
        ("tests/test_engine.py", engine),
        ("requirements.txt", include_str!("python/requirements.txt")),
        (".gitignore", include_str!("python/gitignore")),
        ("README.md", include_str!("python/readme.md")),
        ("wasmill.py", include_str!("python/wasmill.py")),
        ("wasmill_testing.py", include_str!("python/wasmill_testing.py")),
        ("build.py", include_str!("python/build.py")),
    ]
}
