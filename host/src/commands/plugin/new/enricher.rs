//! Writes whether an event came from inside: `source.zone`.

use wasmill_sdk::{Config, Fields, Output};

/// What is read of an event. An `Option` is `None` where the event has no such field, or one of another type.
#[derive(Fields)]
struct Event<'a> {
    #[field(path = "source.ip")]
    ip: Option<&'a str>,
}

/// What is written to it. `None` leaves the field as it is.
#[derive(Output)]
struct Added {
    #[field(path = "source.zone")]
    zone: Option<&'static str>,
}

/// What the operator may write under `config:` in the YAML file beside the plugin.
#[derive(Config)]
struct Config {
    /// What the addresses inside begin with.
    #[config(default = "10.".to_owned())]
    inside: String,
}

#[wasmill_sdk::enricher]
fn add(event: Event<'_>, config: &Config) -> Added {
    let zone = |ip: &str| {
        if ip.starts_with(&config.inside) {
            "inside"
        } else {
            "outside"
        }
    };
    Added {
        zone: event.ip.map(zone),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use wasmill_sdk::Loaded;

    #[test]
    fn zone_is_that_of_the_address() {
        let plugin = Loaded::<super::add>::configure(r#"{"inside":"192.0.2."}"#).unwrap();
        let events = plugin.enrich_json(&[
            r#"{"source":{"ip":"192.0.2.9"}}"#,
            r#"{"source":{"ip":"10.1.2.3"}}"#,
        ]);
        assert_eq!(events[0]["source.zone"], json!("inside"));
        assert_eq!(events[1]["source.zone"], json!("outside"));
    }
}
