//! One request to the receiver: whole within its time, redirects not followed, of the answer no more read than is told.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::body::Bytes;
use http::header::{CONTENT_TYPE, LOCATION, USER_AGENT};
use http::uri::Scheme;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::answer::{Class, Outcome, class, cleaned, outcome};
use super::request::Request;
use super::signature::SigningKey;
use crate::config::{HttpConfig, Secret, duration_text};

/// Most bytes of an answer's body that are read to be told.
const ANSWER_BYTES_MAX: usize = 4 << 10;
/// Most bytes of an answer's body that are read so that its connection can be used again.
const REST_BYTES_MAX: usize = 64 << 10;
/// How long a body may take once the status is known.
const BODY_MAX: Duration = Duration::from_secs(1);
/// Most bytes of an answer's head.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long a connection is kept without a request: receivers and what stands before them mostly close it after a minute.
const IDLE_MAX: Duration = Duration::from_secs(30);
/// The shortest text that is looked for in answers as a secret.
const SECRET_CHARS_MIN: usize = 4;

const NAME: &str = concat!("wasmill/", env!("CARGO_PKG_VERSION"));

/// Why a sink cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// No certificate is trusted, so none could be checked.
    #[error("the system's certificates cannot be read ({0}): install ca-certificates, or name a file by SSL_CERT_FILE")]
    Certificates(io::Error),
}

/// Sends requests to one address.
#[derive(Debug)]
pub(super) struct Client {
    hyper: HyperClient<HttpsConnector<HttpConnector>, Full<Bytes>>,
    uri: Uri,
    /// The same for all requests.
    headers: HeaderMap,
    key: Option<SigningKey>,
    timeout: Duration,
    /// Host and port, as sentences name the receiver.
    receiver: String,
    /// What no sentence may show.
    secrets: Vec<String>,
}

impl Client {
    pub(super) fn new(config: &HttpConfig) -> Result<Self, HttpError> {
        let uri: Uri = config.url.reveal().parse().expect("addresses are checked with the configuration");
        let connector = HttpsConnectorBuilder::new();
        let connector = if uri.scheme() == Some(&Scheme::HTTPS) {
            let provider = rustls::crypto::ring::default_provider();
            connector.with_provider_and_native_roots(provider).map_err(HttpError::Certificates)?
        } else {
            let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
            let tls = rustls::ClientConfig::builder_with_provider(provider)
                .with_safe_default_protocol_versions()
                .expect("the provider has them")
                .with_root_certificates(rustls::RootCertStore::empty())
                .with_no_client_auth();
            connector.with_tls_config(tls)
        };
        let hyper = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .build(connector.https_or_http().enable_http1().wrap_connector(tcp()));
        Ok(Self {
            hyper,
            headers: headers(&config.headers),
            key: config.secret.clone(),
            timeout: config.timeout,
            receiver: receiver(&uri),
            secrets: secrets(&uri, &config.headers),
            uri,
        })
    }

    /// Sends `request`, once.
    pub(super) async fn send(&self, request: &Request, now_s: u64) -> Outcome {
        match tokio::time::timeout(self.timeout, self.hyper.request(self.made(request, now_s))).await {
            Ok(Ok(response)) => self.judge(response).await,
            Ok(Err(error)) => Outcome::Failed { reason: self.sentence(&error), retry_after: None },
            Err(_) => {
                let (receiver, timeout) = (&self.receiver, duration_text(self.timeout));
                let reason = format!("the receiver at {receiver} does not answer within {timeout} (`timeout`)");
                Outcome::Failed { reason, retry_after: None }
            }
        }
    }

    /// Asks what may be sent, which changes nothing; a sentence about the receiver that answered in any way.
    ///
    /// # Errors
    /// A sentence that says why there was no answer.
    pub(super) async fn reach(&self) -> Result<String, String> {
        let mut asked = http::Request::new(Full::default());
        *asked.method_mut() = Method::OPTIONS;
        *asked.uri_mut() = self.uri.clone();
        let receiver = &self.receiver;
        match tokio::time::timeout(self.timeout, self.hyper.request(asked)).await {
            Ok(Ok(response)) => Ok(format!("{receiver} answers (OPTIONS: {})", response.status().as_u16())),
            Ok(Err(error)) => Err(self.sentence(&error)),
            Err(_) => Err(format!(
                "the receiver at {receiver} does not answer within {} (`timeout`)",
                duration_text(self.timeout)
            )),
        }
    }

    fn made(&self, request: &Request, now_s: u64) -> http::Request<Full<Bytes>> {
        let mut made = http::Request::new(Full::new(request.body.clone()));
        *made.method_mut() = Method::POST;
        *made.uri_mut() = self.uri.clone();
        *made.headers_mut() = self.headers.clone();
        let mut own = |name: &'static str, value: &str| {
            let value = HeaderValue::from_str(value).expect("our own headers are visible ASCII");
            made.headers_mut().insert(HeaderName::from_static(name), value);
        };
        own(CONTENT_TYPE.as_str(), request.content_type);
        own("webhook-id", &request.id);
        own("webhook-timestamp", &now_s.to_string());
        if let Some(key) = &self.key {
            own("webhook-signature", &key.sign(&request.id, now_s, &request.body));
        }
        request.headers.iter().for_each(|(name, value)| own(name, value));
        made
    }

    async fn judge(&self, response: Response<hyper::body::Incoming>) -> Outcome {
        let (head, body) = response.into_parts();
        let accepts = class(head.status) == Class::Accepted;
        let most = if accepts { REST_BYTES_MAX } else { ANSWER_BYTES_MAX };
        let said = read(body, most).await;
        if accepts {
            return Outcome::Accepted;
        }
        let location = head.headers.get(LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
        let location = location.split(|byte| matches!(byte, b'?' | b'#')).next().unwrap_or_default();
        let location = cleaned(location, &self.secrets);
        outcome(&self.receiver, head.status, &head.headers, &location, &cleaned(&said, &self.secrets))
    }

    /// Why there is no answer.
    fn sentence(&self, error: &hyper_util::client::legacy::Error) -> String {
        let receiver = &self.receiver;
        let causes = || causes(error);
        let is_https = self.uri.scheme() == Some(&Scheme::HTTPS);
        let closed =
            || causes().find(|cause| is_https && error.is_connect() && has_kind(*cause, io::ErrorKind::UnexpectedEof));
        let tls = causes().find_map(|cause| cause.downcast_ref::<rustls::Error>()).map(ToString::to_string);
        if let Some(tls) = tls.or_else(|| closed().map(ToString::to_string)) {
            return format!(
                "the TLS connection to {receiver} fails ({tls}): see that `url` names its TLS port, and that its certificate is \
                 trusted here (SSL_CERT_FILE names a file with an authority of your own)"
            );
        }
        if causes().any(|cause| has_kind(cause, io::ErrorKind::ConnectionRefused)) {
            return format!("nobody listens at {receiver} (connection refused): start the receiver, or correct `url`");
        }
        let last = causes().last().map(ToString::to_string).unwrap_or_else(|| error.to_string());
        match error.is_connect() {
            true => {
                format!("the receiver at {receiver} cannot be reached ({last}): see whether it is up, or correct `url`")
            }
            false => format!("the connection to the receiver at {receiver} broke before its answer ({last})"),
        }
    }
}

/// Connections on which small requests do not wait for each other's acknowledgement.
fn tcp() -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp
}

/// The beginning of a body, as far as it comes in time.
async fn read(mut body: hyper::body::Incoming, most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            if let Some(piece) = frame.data_ref() {
                bytes.extend_from_slice(&piece[..piece.len().min(most - bytes.len())]);
            }
            if bytes.len() == most {
                return;
            }
        }
    };
    // What has come by then is enough.
    let _ = tokio::time::timeout(BODY_MAX, reading).await;
    bytes
}

fn has_kind(cause: &(dyn Error + 'static), kind: io::ErrorKind) -> bool {
    cause.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == kind)
}

/// What an error came from, and what that came from; errors of I/O hide theirs.
fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause| {
        match cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(hidden) => Some(hidden),
            None => (*cause).source(),
        }
    })
}

fn headers(given: &[(String, Secret)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(USER_AGENT, HeaderValue::from_static(NAME));
    for (name, value) in given {
        let name: HeaderName = name.parse().expect("headers are checked with the configuration");
        let mut value = HeaderValue::from_str(value.reveal()).expect("headers are checked with the configuration");
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    headers
}

fn receiver(uri: &Uri) -> String {
    uri.authority().map(ToString::to_string).unwrap_or_default()
}

/// What an answer could repeat and nobody may see: path and query of the address, the values of headers.
fn secrets(uri: &Uri, headers: &[(String, Secret)]) -> Vec<String> {
    let of_uri = [Some(uri.path()), uri.query()].into_iter().flatten().map(str::to_owned);
    // Without the scheme of an authorization too: `Bearer SECRET`.
    let of_headers = headers.iter().flat_map(|(_, value)| {
        let value = value.reveal();
        [value, value.split_once(' ').map_or(value, |(_, rest)| rest)].map(str::to_owned)
    });
    of_uri.chain(of_headers).filter(|secret| secret.chars().count() >= SECRET_CHARS_MIN).collect()
}
