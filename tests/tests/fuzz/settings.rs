//! What an operator writes: a pipeline's file, and the file beside a plugin.

use std::path::Path;

use wasmill::config::plugins::beside;
use wasmill::config::{Config, Environment};
use wasmill_tests::fuzz::fuzz;

use crate::engine::write;

const SECRET: &str = "hunter2";

#[test]
fn config() {
    let environment =
        Environment::from_iter([("PASSWORD", SECRET), ("DATABASE_URL", "postgres://me:hunter2@db/events")]);
    let parse = |input: &[u8]| Config::parse(input, "pipeline.yaml", Path::new("/etc/wasmill"), &environment);
    fuzz("config", |input| match parse(input) {
        Ok(config) => {
            assert!(!format!("{config:?}").contains(SECRET), "a secret is shown");
            format!("{} sinks of {:?}", config.sinks.len(), config.source)
        }
        Err(mistakes) => {
            assert!(!mistakes.is_empty());
            let text = mistakes.to_string();
            assert!(!text.contains(SECRET), "a secret is shown: {text}");
            text
        }
    });
}

#[test]
fn sidecar() {
    let folder = tempfile::tempdir().unwrap();
    let plugin = write(folder.path(), "10-plugin.wasm", b"");
    fuzz("sidecar", |input| {
        write(folder.path(), "10-plugin.yaml", input);
        match beside(&plugin) {
            Ok(file) => {
                assert!(file.sidecar.config.is_object() && file.sidecar.limits.check().is_ok());
                format!("{:?} {:?} {:?}", file.sidecar.grants, file.sidecar.instance, file.sidecar.state)
            }
            Err(mistakes) => {
                assert!(
                    !mistakes.is_empty() && mistakes.iter().all(|mistake| mistake.file.ends_with("10-plugin.yaml"))
                );
                mistakes.to_string()
            }
        }
    });
}
