//! The producer's settings, under the names that librdkafka has for them: the probes of a sink, which are librdkafka's, take the same.
//! The configuration refuses what is not read here.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use super::batch::Codec;
use super::partitioner::Partitioner;
use super::sasl::Mechanism;
use super::tls::Tls;
use crate::config::{KafkaOutput, Secret};
use crate::kafka::KafkaError;

/// See the module.
pub(super) struct Settings {
    /// Brokers to begin with: host and port.
    pub(super) brokers: Vec<(String, u16)>,
    pub(super) client_id: String,
    pub(super) codec: Codec,
    pub(super) partitioner: Partitioner,
    pub(super) tls: Option<Tls>,
    pub(super) sasl: Option<Sasl>,
    /// How long a connection may take to be made.
    pub(super) connect_max: Duration,
    /// How long an answer may take.
    pub(super) answer_max: Duration,
    /// The first and the longest wait between attempts to connect.
    pub(super) reconnect: (Duration, Duration),
    /// How long a batch waits before it is sent again.
    pub(super) retry_after: Duration,
    /// How often the topics are asked for.
    pub(super) refresh: Duration,
}

/// Who we say that we are.
pub(super) struct Sasl {
    pub(super) mechanism: Mechanism,
    pub(super) username: String,
    pub(super) password: Secret,
}

impl Settings {
    /// # Errors
    /// A value that is not taken, or a file that cannot be read.
    pub(super) fn new(output: &KafkaOutput) -> Result<Self, KafkaError> {
        let given = Given(&output.options);
        let protocol = given.text("security.protocol").unwrap_or("plaintext").to_ascii_lowercase();
        let (is_tls, is_sasl) = match protocol.as_str() {
            "plaintext" => (false, false),
            "ssl" => (true, false),
            "sasl_plaintext" => (false, true),
            "sasl_ssl" => (true, true),
            _ => return Err(KafkaError::RefusedOption("security.protocol".to_owned())),
        };
        Ok(Self {
            brokers: output.brokers.split(',').map(address).collect(),
            client_id: given.text("client.id").unwrap_or("wasmill").to_owned(),
            codec: Codec { compression: output.compression, level: given.number("compression.level")? },
            partitioner: given.one_of("partitioner", Partitioner::named)?.unwrap_or(Partitioner::Murmur2),
            tls: if is_tls { Some(Tls::new(&given)?) } else { None },
            sasl: if is_sasl { Some(Sasl::new(&given)?) } else { None },
            connect_max: given.millis("socket.connection.setup.timeout.ms", 30_000)?,
            answer_max: given.millis("socket.timeout.ms", 60_000)?,
            reconnect: (given.millis("reconnect.backoff.ms", 50)?, given.millis("reconnect.backoff.max.ms", 2_000)?),
            retry_after: given.millis("retry.backoff.ms", 100)?,
            // A topic that is back, or a permission, is seen within five seconds.
            refresh: given.millis("topic.metadata.refresh.interval.ms", 5_000)?,
        })
    }
}

impl Sasl {
    fn new(given: &Given<'_>) -> Result<Self, KafkaError> {
        let name = if given.text("sasl.mechanism").is_some() { "sasl.mechanism" } else { "sasl.mechanisms" };
        let mechanism = given.one_of(name, Mechanism::named)?;
        let mechanism = mechanism.ok_or_else(|| missing("sasl.mechanism", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512"))?;
        let username = given.text("sasl.username").ok_or_else(|| missing("sasl.username", "the user's name"))?;
        let password = given.0.get("sasl.password").ok_or_else(|| missing("sasl.password", "the user's password"))?;
        Ok(Self { mechanism, username: username.to_owned(), password: password.clone() })
    }
}

fn missing(name: &str, what: &str) -> KafkaError {
    KafkaError::Options(format!("`{name}` is missing ({what})"))
}

/// Host and port of `host`, `host:port` or `PROTOCOL://host:port`, checked with the configuration.
fn address(broker: &str) -> (String, u16) {
    let broker = broker.split_once("://").map_or(broker, |(_, address)| address);
    let (host, port) = match broker.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().unwrap_or(9092)),
        _ => (broker, 9092),
    };
    (host.trim_matches(['[', ']']).to_owned(), port)
}

/// What the user gave. No value is ever shown: it may be a secret.
pub(super) struct Given<'o>(&'o BTreeMap<String, Secret>);

impl Given<'_> {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Secret::reveal)
    }

    fn one_of<T>(&self, name: &str, named: impl Fn(&str) -> Option<T>) -> Result<Option<T>, KafkaError> {
        let value = self.text(name).map(|text| named(text).ok_or_else(|| KafkaError::RefusedOption(name.to_owned())));
        value.transpose()
    }

    fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>, KafkaError> {
        // -1 is librdkafka's word for a default.
        if self.text(name) == Some("-1") {
            return Ok(None);
        }
        self.one_of(name, |text| text.parse().ok())
    }

    fn millis(&self, name: &str, default: u64) -> Result<Duration, KafkaError> {
        Ok(Duration::from_millis(self.number(name)?.unwrap_or(default)))
    }

    /// As librdkafka reads truth.
    pub(super) fn is_off(&self, name: &str) -> Result<bool, KafkaError> {
        let off = self.one_of(name, |text| match text.to_ascii_lowercase().as_str() {
            "false" | "f" | "0" => Some(true),
            "true" | "t" | "1" => Some(false),
            _ => None,
        });
        Ok(off?.unwrap_or(false))
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("brokers", &self.brokers).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Compression;

    fn settings(options: &[(&str, &str)]) -> Result<Settings, KafkaError> {
        Settings::new(&KafkaOutput {
            brokers: "a,b:1,SASL_SSL://[::1]:2,[::1]".to_owned(),
            topics: vec!["t".to_owned()],
            compression: Compression::Lz4,
            options: options.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect(),
        })
    }

    #[test]
    fn brokers_are_found_by_every_form_of_their_address() {
        let brokers = settings(&[]).unwrap().brokers;
        let expected = [("a", 9092), ("b", 1), ("::1", 2), ("::1", 9092)];
        assert_eq!(brokers, expected.map(|(host, port)| (host.to_owned(), port)));
    }

    #[test]
    fn what_is_missing_or_refused_is_named_without_its_value() {
        let said = |options: &[(&str, &str)]| settings(options).err().unwrap().to_string();
        let sasl = ("security.protocol", "SASL_PLAINTEXT");
        assert!(said(&[sasl]).contains("`sasl.mechanism` is missing"));
        assert!(said(&[sasl, ("sasl.mechanism", "PLAIN")]).contains("`sasl.username` is missing"));
        for name in ["sasl.mechanism", "partitioner", "socket.timeout.ms", "compression.level"] {
            let sasl = ("security.protocol", if name.starts_with("sasl") { "sasl_ssl" } else { "plaintext" });
            let said = said(&[sasl, ("enable.ssl.certificate.verification", "false"), (name, "hunter2")]);
            assert!(said.contains(name) && !said.contains("hunter2"), "{said}");
        }
    }
}
