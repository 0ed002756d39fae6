//! One connection to a broker: made, secured, let in; then requests, and their answers in the same order.

use std::fmt::Write;
use std::io;

use rdkafka::error::RDKafkaErrorCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::requests::{self, Api};
use super::sasl::{Scram, plain};
use super::settings::Settings;
use crate::config::{Mechanism, SaslConfig};
use crate::kafka::NoticeKind;
use crate::kafka::context::explain;
use crate::kafka::sink::wire::{Put, Unreadable};

/// Most bytes of an answer: those of metadata grow with the partitions, of which a cluster has far fewer.
const ANSWER_BYTES_MAX: usize = 64 << 20;
/// Bytes that are read at once.
const READ_BYTES: usize = 16 << 10;
/// Bytes of a nonce, before they are written as text.
const NONCE_BYTES: usize = 18;

/// Why there is no connection, or none any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// Nobody answers, or not in time, or with what cannot be read.
    Away(String),
    /// We are not let in.
    Authentication(String),
    /// There is no TLS.
    Tls(String),
}

impl Broken {
    /// What to say of it.
    pub(super) fn notice(&self) -> Option<(NoticeKind, String)> {
        let (code, reason) = match self {
            Self::Away(reason) => (RDKafkaErrorCode::BrokerTransportFailure, reason),
            Self::Authentication(reason) => (RDKafkaErrorCode::Authentication, reason),
            Self::Tls(reason) => (RDKafkaErrorCode::SSL, reason),
        };
        explain(Some(code), reason)
    }
}

impl From<Unreadable> for Broken {
    fn from(_: Unreadable) -> Self {
        Self::Away("the answer is none of Kafka".to_owned())
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// See the module.
pub(super) struct Connection<'s> {
    settings: &'s Settings,
    /// `host:port`, as sentences name the broker.
    broker: String,
    stream: Box<dyn Stream>,
    read: Vec<u8>,
    last_correlation: i32,
    produce: Option<Api>,
}

impl<'s> Connection<'s> {
    /// Connects, within the time that the settings give.
    pub(super) async fn open(host: &str, port: u16, settings: &'s Settings) -> Result<Self, Broken> {
        let broker = format!("{host}:{port}");
        let opened =
            timeout(settings.config.connect_timeout, Self::open_now(host, port, broker.clone(), settings)).await;
        opened.unwrap_or_else(|_| Err(Broken::Away(format!("{broker}: no answer in time"))))
    }

    async fn open_now(host: &str, port: u16, broker: String, settings: &'s Settings) -> Result<Self, Broken> {
        let away = |error: io::Error| Broken::Away(format!("{broker}: {error}"));
        let tcp = TcpStream::connect((host, port)).await.map_err(away)?;
        tcp.set_nodelay(true).map_err(away)?;
        let stream: Box<dyn Stream> = match &settings.tls {
            None => Box::new(tcp),
            Some(tls) => {
                let stream = tls.connect(host, tcp).await;
                Box::new(stream.map_err(|reason| Broken::Tls(format!("{broker}: {reason}")))?)
            }
        };
        let mut connection = Self { settings, broker, stream, read: Vec::new(), last_correlation: 0, produce: None };
        let versions = connection.call(requests::API_VERSIONS, |_| {}).await?;
        connection.produce = requests::produce_version(&versions)?;
        if let Some(sasl) = &settings.config.sasl {
            connection.authenticate(sasl).await?;
        }
        Ok(connection)
    }

    /// The version of Produce that both sides have.
    pub(super) fn produce_api(&self) -> Result<Api, Broken> {
        self.produce.ok_or_else(|| self.away("the broker is older than Kafka 0.11, or newer than this program knows"))
    }

    /// Sends a request and waits for its answer; nothing else may be under way.
    pub(super) async fn call(&mut self, api: Api, body: impl FnOnce(&mut Vec<u8>)) -> Result<Vec<u8>, Broken> {
        let correlation = self.send(api, body).await?;
        match timeout(self.settings.config.answer_timeout, self.receive()).await {
            Ok(answer) => {
                let (answered, answer) = answer?;
                if answered == correlation { Ok(answer) } else { Err(Unreadable.into()) }
            }
            Err(_) => Err(self.late()),
        }
    }

    /// Sends a request; its answer comes with the number that this answers.
    pub(super) async fn send(&mut self, api: Api, body: impl FnOnce(&mut Vec<u8>)) -> Result<i32, Broken> {
        self.last_correlation = self.last_correlation.wrapping_add(1);
        let correlation = self.last_correlation;
        let request = requests::request(api, correlation, &self.settings.config.client_id, body);
        let sent = async {
            self.stream.write_all(&request).await?;
            self.stream.flush().await
        };
        match timeout(self.settings.config.answer_timeout, sent).await {
            Ok(Ok(())) => Ok(correlation),
            Ok(Err(error)) => Err(self.away(error)),
            Err(_) => Err(self.late()),
        }
    }

    /// The next answer, with the number of its request. May be dropped without losing anything.
    pub(super) async fn receive(&mut self) -> Result<(i32, Vec<u8>), Broken> {
        loop {
            if let Some((length, rest)) = self.read.split_first_chunk() {
                let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(usize::MAX);
                if !(4..=ANSWER_BYTES_MAX).contains(&length) {
                    return Err(self.away("the answer is none of Kafka; see whether the port speaks TLS"));
                }
                if rest.len() >= length {
                    let correlation = i32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
                    let answer = rest[4..length].to_vec();
                    self.read.drain(..4 + length);
                    return Ok((correlation, answer));
                }
            }
            self.read.reserve(READ_BYTES);
            match self.stream.read_buf(&mut self.read).await {
                Ok(0) => return Err(self.away("the broker closed the connection")),
                Ok(_) => {}
                Err(error) => return Err(self.away(error)),
            }
        }
    }

    /// That an answer did not come in time.
    pub(super) fn late(&self) -> Broken {
        self.away("no answer in time")
    }

    fn away(&self, reason: impl std::fmt::Display) -> Broken {
        Broken::Away(format!("{}: {reason}", self.broker))
    }

    async fn authenticate(&mut self, sasl: &SaslConfig) -> Result<(), Broken> {
        let name = sasl.mechanism.name();
        let answer = self.call(requests::SASL_HANDSHAKE, |body| body.text(name)).await?;
        if let Err(mechanisms) = requests::read_handshake(&answer)? {
            let reason = format!("the broker has no mechanism {name}, but {}", mechanisms.join(", "));
            return Err(Broken::Authentication(reason));
        }
        if sasl.mechanism == Mechanism::Plain {
            return self.turn(&plain(sasl)).await.map(drop);
        }
        let mut scram = Scram::new(sasl, nonce());
        let answer = self.turn(&scram.first()).await?;
        let second = scram.second(&answer).map_err(Broken::Authentication)?;
        let answer = self.turn(&second).await?;
        scram.check(&answer).map_err(Broken::Authentication)
    }

    async fn turn(&mut self, message: &[u8]) -> Result<Vec<u8>, Broken> {
        let answer = self.call(requests::SASL_AUTHENTICATE, |body| body.bytes(message)).await?;
        requests::read_authenticate(&answer)?.map_err(Broken::Authentication)
    }
}

fn nonce() -> String {
    let mut bytes = [0; NONCE_BYTES];
    openssl::rand::rand_bytes(&mut bytes).expect("the system gives random numbers");
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a text does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
