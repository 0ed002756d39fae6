//! A Kafka producer's settings, under the names that librdkafka has for them: the probes of a sink, which are librdkafka's, take the same.
//! What the producer would not heed is refused. That librdkafka takes a value is checked before.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Compression, RetryConfig, Secret};

/// Where a broker is when its address has no port.
const PORT: u16 = 9092;

/// See the module.
#[derive(Clone, Debug)]
pub struct ProducerConfig {
    /// Brokers to begin with: host and port.
    pub brokers: Vec<(String, u16)>,
    /// By which brokers know us.
    pub client_id: String,
    /// How much time compression takes, on the scale of the algorithm.
    pub compression_level: Option<u32>,
    /// How a message's partition is chosen.
    pub partitioner: Partitioner,
    /// `None`: no TLS.
    pub tls: Option<TlsConfig>,
    /// `None`: we do not log in.
    pub sasl: Option<SaslConfig>,
    /// How long a connection may take to be made.
    pub connect_timeout: Duration,
    /// How long an answer may take.
    pub answer_timeout: Duration,
    /// Between attempts to connect.
    pub reconnect: RetryConfig,
    /// How long a batch waits before it is sent again.
    pub retry_after: Duration,
    /// How often the topics are asked for.
    pub refresh: Duration,
}

/// How partitions are chosen; null keys go to one at random, another one for each batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioner {
    /// By murmur2 of the key, as Java clients do.
    Murmur2,
    /// By CRC-32 of the key, as librdkafka does by default.
    Crc32,
    /// At random, whatever the key.
    Random,
}

/// Who we say that we are.
#[derive(Clone, Debug)]
pub struct SaslConfig {
    /// How that is proved.
    pub mechanism: Mechanism,
    /// Our name.
    pub username: String,
    /// Our password.
    pub password: Secret,
}

/// How a name is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "registered names")]
pub enum Mechanism {
    Plain,
    ScramSha256,
    ScramSha512,
}

/// Whom TLS trusts, and what we show.
#[derive(Clone, Debug)]
pub struct TlsConfig {
    /// Whether the broker's certificate is checked at all.
    pub checks_certificate: bool,
    /// Whether it is checked that it was made out to the broker's name.
    pub checks_name: bool,
    /// Whose certificates are trusted; a folder of files too. `None`: those that this machine trusts.
    pub authorities: Option<Pem>,
    /// Our certificate, and those between it and an authority.
    pub certificate: Option<Pem>,
    /// Our key.
    pub key: Option<Pem>,
    /// The password of `key`.
    pub key_password: Option<Secret>,
    /// A PKCS#12 file with our certificate and key.
    pub keystore: Option<PathBuf>,
    /// The password of `keystore`.
    pub keystore_password: Option<Secret>,
    /// Cipher suites, as OpenSSL lists them.
    pub ciphers: Option<String>,
    /// Elliptic curves, as OpenSSL lists them.
    pub curves: Option<String>,
    /// Algorithms of signatures, as OpenSSL lists them.
    pub signatures: Option<String>,
}

/// Something in PEM.
#[derive(Clone, Debug)]
pub enum Pem {
    /// In the configuration itself.
    Inline(Secret),
    /// In a file.
    File(PathBuf),
}

/// A setting that is not taken. Its value may be a secret and is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrongOption {
    /// Which; `None`: one that is missing.
    pub name: Option<String>,
    /// A sentence.
    pub problem: String,
}

impl ProducerConfig {
    pub(super) fn new(
        brokers: &str,
        compression: Compression,
        options: &BTreeMap<String, Secret>,
    ) -> Result<Self, WrongOption> {
        let mut given = Given { options, asked: Vec::new() };
        let (tls, sasl) = security(&mut given)?;
        let config = Self {
            brokers: brokers.split(',').filter_map(broker_address).collect(),
            client_id: given.text("client.id").unwrap_or("wasmill").to_owned(),
            compression_level: compression_level(compression, &mut given)?,
            partitioner: given.word("partitioner", &PARTITIONERS)?.unwrap_or(Partitioner::Murmur2),
            tls,
            sasl,
            connect_timeout: given.millis("socket.connection.setup.timeout.ms", 30_000, 1)?,
            answer_timeout: given.millis("socket.timeout.ms", 60_000, 1)?,
            reconnect: reconnect(&mut given)?,
            retry_after: given.millis("retry.backoff.ms", 100, 1)?,
            // A topic that is back, or a permission, is seen within five seconds.
            refresh: given.millis("topic.metadata.refresh.interval.ms", 5_000, 100)?,
        };
        given.asked.sort_unstable();
        match options.keys().find(|name| !given.asked.contains(&name.as_str())) {
            None => Ok(config),
            Some(name) => {
                let heeded = given.asked.join(", ");
                Err(wrong(
                    name,
                    format!("a sink's producer is wasmill's own and would not heed \"{name}\"; it heeds {heeded}"),
                ))
            }
        }
    }
}

const PARTITIONERS: [(&str, Partitioner); 3] = [
    ("murmur2_random", Partitioner::Murmur2),
    ("consistent_random", Partitioner::Crc32),
    ("random", Partitioner::Random),
];
const MECHANISMS: [(&str, Mechanism); 3] =
    [("PLAIN", Mechanism::Plain), ("SCRAM-SHA-256", Mechanism::ScramSha256), ("SCRAM-SHA-512", Mechanism::ScramSha512)];

impl Mechanism {
    /// Its registered name.
    pub fn name(self) -> &'static str {
        let names = MECHANISMS.iter().find(|(_, mechanism)| *mechanism == self);
        names.map_or("", |(name, _)| name)
    }
}

/// Host and port of `host`, `host:port` or `PROTOCOL://host:port`.
pub(super) fn broker_address(text: &str) -> Option<(String, u16)> {
    let address = text.split_once("://").map_or(text, |(_, address)| address);
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok().filter(|port| *port > 0)?),
        _ => (address, PORT),
    };
    let host = host.trim_matches(['[', ']']);
    let is_sound = !host.is_empty() && !host.chars().any(|c| c.is_whitespace() || c.is_control());
    is_sound.then(|| (host.to_owned(), port))
}

fn compression_level(compression: Compression, given: &mut Given<'_>) -> Result<Option<u32>, WrongOption> {
    const NAME: &str = "compression.level";
    let Some(level) = given.number(NAME)? else { return Ok(None) };
    let levels = match compression {
        Compression::Gzip => 0..=9,
        Compression::Zstd => 1..=22,
        Compression::None | Compression::Snappy | Compression::Lz4 => {
            let problem =
                format!("`compression: {}` of a sink has no levels: leave \"{NAME}\" out", compression.as_str());
            return Err(wrong(NAME, problem));
        }
    };
    let level = u32::try_from(level).ok().filter(|level| levels.contains(level));
    let problem = || {
        let (least, most) = (levels.start(), levels.end());
        wrong(NAME, format!("\"{NAME}\" of `compression: {}` is {least} to {most}", compression.as_str()))
    };
    level.ok_or_else(problem).map(Some)
}

fn reconnect(given: &mut Given<'_>) -> Result<RetryConfig, WrongOption> {
    const MAX: &str = "reconnect.backoff.max.ms";
    let initial = given.millis("reconnect.backoff.ms", 50, 10)?;
    let max = given.millis(MAX, 2_000, 10)?;
    if max < initial {
        return Err(wrong(MAX, format!("\"{MAX}\" is less than the first wait, which is {} ms", initial.as_millis())));
    }
    Ok(RetryConfig { initial, max })
}

fn security(given: &mut Given<'_>) -> Result<(Option<TlsConfig>, Option<SaslConfig>), WrongOption> {
    const PROTOCOLS: [(&str, (bool, bool)); 4] = [
        ("plaintext", (false, false)),
        ("ssl", (true, false)),
        ("sasl_plaintext", (false, true)),
        ("sasl_ssl", (true, true)),
    ];
    let (is_tls, is_sasl) = given.word("security.protocol", &PROTOCOLS)?.unwrap_or_default();
    let (tls, sasl) = (tls(given)?, sasl(given)?);
    Ok((is_tls.then_some(tls), if is_sasl { Some(sasl.whole()?) } else { None }))
}

fn tls(given: &mut Given<'_>) -> Result<TlsConfig, WrongOption> {
    let checks_certificate = given.truth("enable.ssl.certificate.verification")?.unwrap_or(true);
    let checks_name = given.text("ssl.endpoint.identification.algorithm") != Some("none");
    // As librdkafka does, it looks itself for those that this machine trusts.
    let authorities = given.pem("ssl.ca.pem", "ssl.ca.location");
    let authorities = authorities.filter(|pem| !matches!(pem, Pem::File(path) if path.as_os_str() == "probe"));
    Ok(TlsConfig {
        checks_certificate,
        checks_name,
        authorities,
        certificate: given.pem("ssl.certificate.pem", "ssl.certificate.location"),
        key: given.pem("ssl.key.pem", "ssl.key.location"),
        key_password: given.secret("ssl.key.password"),
        keystore: given.text("ssl.keystore.location").map(PathBuf::from),
        keystore_password: given.secret("ssl.keystore.password"),
        ciphers: given.text("ssl.cipher.suites").map(str::to_owned),
        curves: given.text("ssl.curves.list").map(str::to_owned),
        signatures: given.text("ssl.sigalgs.list").map(str::to_owned),
    })
}

/// What was given of [`SaslConfig`].
struct Sasl {
    mechanism: Option<Mechanism>,
    username: Option<String>,
    password: Option<Secret>,
}

fn sasl(given: &mut Given<'_>) -> Result<Sasl, WrongOption> {
    // Two names of one setting.
    let [mechanism, mechanisms] = ["sasl.mechanism", "sasl.mechanisms"].map(|name| given.word(name, &MECHANISMS));
    Ok(Sasl {
        mechanism: mechanism?.or(mechanisms?),
        username: given.text("sasl.username").map(str::to_owned),
        password: given.secret("sasl.password"),
    })
}

impl Sasl {
    fn whole(self) -> Result<SaslConfig, WrongOption> {
        let missing = |name: &str, what: &str| {
            let problem = format!("a `security.protocol` with SASL needs \"{name}\": {what}");
            WrongOption { name: None, problem }
        };
        let mechanisms = || missing("sasl.mechanism", "PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512");
        Ok(SaslConfig {
            mechanism: self.mechanism.ok_or_else(mechanisms)?,
            username: self.username.ok_or_else(|| missing("sasl.username", "the user's name"))?,
            password: self.password.ok_or_else(|| missing("sasl.password", "the user's password"))?,
        })
    }
}

fn wrong(name: &str, problem: String) -> WrongOption {
    WrongOption { name: Some(name.to_owned()), problem }
}

/// What the user gave, and what was asked of it.
struct Given<'o> {
    options: &'o BTreeMap<String, Secret>,
    asked: Vec<&'static str>,
}

impl<'o> Given<'o> {
    fn secret(&mut self, name: &'static str) -> Option<Secret> {
        self.asked.push(name);
        self.options.get(name).cloned()
    }

    fn text(&mut self, name: &'static str) -> Option<&'o str> {
        self.asked.push(name);
        self.options.get(name).map(Secret::reveal)
    }

    fn pem(&mut self, inline: &'static str, file: &'static str) -> Option<Pem> {
        let file = self.text(file).map(|path| Pem::File(PathBuf::from(path)));
        self.secret(inline).map(Pem::Inline).or(file)
    }

    /// One of some words, in letters of either case.
    fn word<T: Copy>(&mut self, name: &'static str, words: &[(&str, T)]) -> Result<Option<T>, WrongOption> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let meant = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        let problem = || {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            wrong(name, format!("\"{name}\" of a sink is one of {}", words.join(", ")))
        };
        meant.ok_or_else(problem).map(|(_, value)| Some(*value))
    }

    /// As librdkafka reads truth.
    fn truth(&mut self, name: &'static str) -> Result<Option<bool>, WrongOption> {
        let words = [("true", true), ("t", true), ("1", true), ("false", false), ("f", false), ("0", false)];
        self.word(name, &words)
    }

    /// -1 is librdkafka's word for a default.
    fn number(&mut self, name: &'static str) -> Result<Option<u64>, WrongOption> {
        match self.text(name) {
            None | Some("-1") => Ok(None),
            Some(text) => {
                text.parse().map(Some).map_err(|_| wrong(name, format!("\"{name}\" of a sink is a whole number")))
            }
        }
    }

    fn millis(&mut self, name: &'static str, default: u64, least: u64) -> Result<Duration, WrongOption> {
        match self.number(name)?.unwrap_or(default) {
            millis if millis < least => {
                Err(wrong(name, format!("\"{name}\" of a sink is at least {least}, so that brokers are left in peace")))
            }
            millis => Ok(Duration::from_millis(millis)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(compression: Compression, options: &[(&str, &str)]) -> Result<ProducerConfig, WrongOption> {
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
        ProducerConfig::new("a,b:1,SASL_SSL://[::1]:2,[::1]", compression, &options)
    }

    #[test]
    fn brokers_are_found_by_every_form_of_their_address() {
        let brokers = config(Compression::Lz4, &[]).unwrap().brokers;
        let expected = [("a", 9092), ("b", 1), ("::1", 2), ("::1", 9092)];
        assert_eq!(brokers, expected.map(|(host, port)| (host.to_owned(), port)));
        for broken in ["", ":1", "a:0", "a:65536", "a:x", "a b", "[]", "ssl://"] {
            assert_eq!(broker_address(broken), None, "{broken}");
        }
    }

    #[test]
    fn what_is_not_taken_is_named_without_its_value() {
        let wrong = [
            ("partitioner", "fnv1a"),
            ("sasl.mechanism", "GSSAPI"),
            ("sasl.mechanisms", "OAUTHBEARER"),
            ("security.protocol", "quic"),
            ("enable.ssl.certificate.verification", "perhaps"),
            ("compression.level", "3"),
            ("socket.timeout.ms", "soon"),
            ("reconnect.backoff.ms", "0"),
            ("reconnect.backoff.max.ms", "20"),
            ("topic.metadata.refresh.interval.ms", "0"),
            ("statistics.interval.ms", "7000"),
        ];
        for (name, value) in wrong {
            let told = config(Compression::Lz4, &[(name, value)]).unwrap_err();
            assert_eq!(told.name.as_deref(), Some(name));
            assert!(told.problem.contains(name) || name == "compression.level", "{}", told.problem);
            assert!(!told.problem.contains(value) || value.len() < 3, "{}", told.problem);
        }
    }

    #[test]
    fn levels_are_those_of_the_algorithm() {
        let level =
            |compression, level| Some(config(compression, &[("compression.level", level)]).ok()?.compression_level);
        assert_eq!(level(Compression::Gzip, "9"), Some(Some(9)));
        assert_eq!(level(Compression::Gzip, "10"), None);
        assert_eq!(level(Compression::Zstd, "0"), None);
        assert_eq!(level(Compression::Zstd, "22"), Some(Some(22)));
        assert_eq!(level(Compression::Snappy, "-1"), Some(None));
    }

    #[test]
    fn who_logs_in_says_how_and_by_which_name_and_password() {
        let all = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanism", "SCRAM-SHA-256"),
            ("sasl.username", "ann"),
            ("sasl.password", "hunter2"),
        ];
        for given in 1..all.len() {
            let told = config(Compression::Lz4, &all[..given]).unwrap_err();
            assert_eq!(told.name, None);
            assert!(told.problem.contains(all[given].0), "{}", told.problem);
        }
        let config = config(Compression::Lz4, &all).unwrap();
        assert!(config.tls.is_none());
        assert_eq!(config.sasl.unwrap().mechanism.name(), "SCRAM-SHA-256");
    }
}
