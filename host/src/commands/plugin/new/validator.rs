//! Rejects events of unknown severity, and drops those without a message.

use wasmill_sdk::{Config, Fields, Verdict};

/// What is read of an event. A field that is no `Option` is required: an event without it is rejected before it comes here.
#[derive(Fields)]
struct Event<'a> {
    severity: &'a str,
    message: Option<&'a str>,
}

/// What the operator may write under `config:` in the YAML file beside the plugin.
#[derive(Config)]
struct Config {
    /// The severities that are known.
    #[config(default = ["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"].map(str::to_owned).to_vec())]
    severities: Vec<String>,
}

#[wasmill_sdk::validator]
fn judge(event: Event<'_>, config: &Config) -> Verdict {
    let mut known = config.severities.iter();
    if !known.any(|known| known == event.severity) {
        return Verdict::reject(
            "unknown_severity",
            format!("`{}` is none of the severities known", event.severity),
        );
    }
    if event.message.is_none_or(|message| message.is_empty()) {
        return Verdict::drop();
    }
    Verdict::pass()
}

#[cfg(test)]
mod tests {
    use wasmill_sdk::Loaded;

    #[test]
    fn only_known_severities_with_a_message_pass() {
        let plugin = Loaded::<super::judge>::configure("{}").unwrap();
        let verdicts = plugin.validate_json(&[
            r#"{"severity":"INFO","message":"request served"}"#,
            r#"{"severity":"LOUD","message":"disk is full"}"#,
            r#"{"severity":"WARN","message":""}"#,
        ]);
        assert!(verdicts[0].is_pass());
        assert_eq!(verdicts[1].rejection().unwrap().code, "unknown_severity");
        assert!(verdicts[2].is_drop());
    }
}
