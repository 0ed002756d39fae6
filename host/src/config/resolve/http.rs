//! A webhook: its address, headers, secret, and the size of its requests.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};

use super::{KIB, MIB, Resolver, count};
use crate::config::mistake::quoted;
use crate::config::place::Place;
use crate::config::raw::RawHttp;
use crate::config::{HttpConfig, HttpFormat, Secret};
use crate::http::SigningKey;

/// Events of a request where the file does not say.
const EVENTS_DEFAULT: usize = 100;
/// Further headers of a sink.
const HEADERS_MAX: usize = 32;

/// Headers that wasmill writes itself, or that the connection needs.
const OWN_HEADERS: [&str; 8] =
    ["host", "content-type", "content-length", "connection", "transfer-encoding", "te", "upgrade", "trailer"];
const OWN_PREFIXES: [&str; 2] = ["webhook-", "wasmill-"];

impl Resolver<'_> {
    pub(super) fn http(&mut self, raw: &RawHttp, place: Place<'_>) -> Option<HttpConfig> {
        let url = self.webhook(&raw.url, place.child("url"));
        let headers = self.headers(raw, place.child("headers"));
        let secret = self.signing_key(raw.secret.as_deref(), place.child("secret"));
        let most = Duration::from_secs(600);
        let timeout = self.duration(&raw.timeout, place.child("timeout"), Duration::from_millis(100), most);
        let bytes_max = self.size(&raw.batch_bytes_max, place.child("batch_bytes_max"), KIB, 64 * MIB);
        let events_max = match (raw.format, raw.batch_events_max) {
            (HttpFormat::Single, None | Some(1)) => Some(1),
            (HttpFormat::Single, Some(_)) => {
                let message = "a request has one event unless \"format\" is array or lines; write format: array, or leave this out";
                self.wrong(place.child("batch_events_max"), message)
            }
            (_, given) => Some(given.map_or(EVENTS_DEFAULT, count)),
        };
        Some(HttpConfig {
            url: url?,
            headers: headers?,
            secret: secret?,
            timeout: timeout?,
            format: raw.format,
            events_max: events_max?,
            bytes_max: bytes_max?,
            attempts_max: u32::try_from(raw.attempts).ok().filter(|most| *most > 0),
        })
    }

    fn webhook(&mut self, url: &str, place: Place<'_>) -> Option<Secret> {
        const HINT: &str = "write https://host/path";
        let uri: Uri = match url.parse() {
            Ok(uri) => uri,
            Err(_) => return self.wrong(place, format!("\"url\" is no address of a webhook; {HINT}")),
        };
        if !matches!(uri.scheme_str(), Some("http" | "https")) {
            return self.wrong(place, format!("\"url\" is neither http nor https; {HINT}"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            let message =
                "\"url\" has a user and password; write them as a header, such as Authorization: \"Basic ...\"";
            return self.wrong(place, message);
        }
        let written = place.0.filled.as_ref().map_or(url, |filled| &filled.written);
        Some(Secret::webhook(url, written))
    }

    fn headers(&mut self, raw: &RawHttp, place: Place<'_>) -> Option<Vec<(String, Secret)>> {
        if raw.headers.0.len() > HEADERS_MAX {
            return self
                .wrong(place, format!("{} headers are given, and {HEADERS_MAX} are allowed", raw.headers.0.len()));
        }
        let mut headers = Vec::new();
        for (name, value) in &raw.headers.0 {
            let lower = name.to_ascii_lowercase();
            let is_own = OWN_HEADERS.contains(&lower.as_str()) || OWN_PREFIXES.iter().any(|own| lower.starts_with(own));
            if name.parse::<HeaderName>().is_err() {
                self.mistakes.add(place.key_at(name), format!("{} is no name of a header", quoted(name)));
            } else if is_own {
                let message = format!("the header {} is decided by wasmill; leave it out", quoted(name));
                self.mistakes.add(place.key_at(name), message);
            } else if HeaderValue::from_str(&value.0).is_err() {
                let message = format!("the value of {} has characters that no header takes", quoted(name));
                self.wrong::<()>(place.child(name), message);
            } else {
                headers.push((name.clone(), Secret::new(&*value.0)));
            }
        }
        (headers.len() == raw.headers.0.len()).then_some(headers)
    }

    /// `Some(None)`: requests are not signed.
    fn signing_key(&mut self, secret: Option<&str>, place: Place<'_>) -> Option<Option<SigningKey>> {
        match secret.map(SigningKey::of) {
            None => Some(None),
            Some(Ok(key)) => Some(Some(key)),
            Some(Err(problem)) => self.wrong(place, format!("\"secret\" {problem}")),
        }
    }
}
