//! Raises an alert when somebody fails to log in.

use wasmill_sdk::{Alert, Config, Fields, Severity};

/// What is read of an event. An `Option` is `None` where the event has no such field, or one of another type.
#[derive(Fields)]
struct Event<'a> {
    message: Option<&'a str>,
    user: Option<&'a str>,
    #[field(path = "source.host")]
    host: Option<&'a str>,
}

/// What the operator may write under `config:` in the YAML file beside the plugin.
#[derive(Config)]
struct Config {
    /// What the message of a failed login begins with.
    #[config(default = "login failed".to_owned())]
    message: String,
}

#[wasmill_sdk::alerter]
fn watch(event: Event<'_>, config: &Config) -> Option<Alert> {
    let message = event
        .message
        .filter(|message| message.starts_with(&config.message))?;
    let user = event.user.unwrap_or("somebody");
    let host = event.host.unwrap_or("a host without a name");
    // Alerts of one rule and key belong together.
    Some(Alert::new(
        "login-failed",
        user,
        Severity::Warning,
        format!("{user} on {host}: {message}"),
    ))
}

#[cfg(test)]
mod tests {
    use wasmill_sdk::Loaded;

    #[test]
    fn failed_logins_are_told_with_their_user() {
        let plugin = Loaded::<super::watch>::configure("{}").unwrap();
        let alerts = plugin.evaluate_json(&[
            r#"{"message":"request served"}"#,
            r#"{"message":"login failed","user":"ann"}"#,
        ]);
        assert_eq!(alerts.len(), 1);
    }
}
