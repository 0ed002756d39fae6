//! The smallest useful plugin: it lets known severities pass.
//!
//! `cargo build --profile plugin --target wasm32-wasip2 -p wasmill-sdk --example hello`

use wasmill_sdk::{Config, Fields, Verdict};

#[derive(Fields)]
struct Log<'a> {
    severity: &'a str,
}

#[derive(Config)]
struct Config {
    allowed: Vec<String>,
}

#[wasmill_sdk::validator]
fn known_severity(log: Log<'_>, config: &Config) -> Verdict {
    if config.allowed.iter().any(|allowed| allowed == log.severity) {
        Verdict::pass()
    } else {
        Verdict::reject("bad_severity", format!("severity `{}` is not allowed", log.severity))
    }
}

#[test]
fn only_allowed_severities_pass() {
    let plugin = wasmill_sdk::Loaded::<known_severity>::configure(r#"{"allowed":["INFO"]}"#).unwrap();
    let verdicts = plugin.validate_json(&[r#"{"severity":"INFO"}"#, r#"{"severity":"LOUD"}"#]);
    assert!(verdicts[0].is_pass());
    assert_eq!(verdicts[1].rejection().unwrap().code, "bad_severity");
}
