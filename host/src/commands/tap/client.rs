//! The lines of a running pipeline's tap.

use std::error::Error;
use std::io;
use std::time::Duration;

use axum::body::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use crate::tap::TapRequest;
use crate::terminal::plain;

/// How long the way to the pipeline may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);
/// Most bytes of a line: two payloads of the largest size, and what escaping adds.
const LINE_BYTES_MAX: usize = 128 << 20;
/// Most bytes of a refusal.
const REASON_BYTES_MAX: usize = 64 << 10;

/// The lines, as they come.
pub(super) struct Lines {
    address: String,
    body: Incoming,
    /// What has come and is no line yet; of it so many bytes have no line ending.
    rest: Vec<u8>,
    searched: usize,
}

impl Lines {
    /// Asks the pipeline whose pages are at `address`.
    ///
    /// # Errors
    /// A sentence that says why there is nothing to be had.
    pub(super) async fn of(address: &str, request: &TapRequest) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(CONNECT_MAX));
        let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(tcp);
        let asked = Request::builder()
            .method(Method::POST)
            .uri(format!("http://{address}/tap"))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::from(request.to_string()))
            .map_err(|error| format!("{address} is no address: {error}"))?;
        let response = client.request(asked).await.map_err(|error| unreached(address, &error))?;
        let (status, body) = (response.status(), response.into_body());
        if status == StatusCode::OK {
            return Ok(Self { address: address.to_owned(), body, rest: Vec::new(), searched: 0 });
        }
        // A reason that is too long is none of ours.
        let reason = Limited::new(body, REASON_BYTES_MAX).collect().await.map(|body| body.to_bytes());
        let reason = reason.map(|bytes| plain(String::from_utf8_lossy(&bytes).trim())).unwrap_or_default();
        let is_ours = status != StatusCode::NOT_FOUND && status.is_client_error() && !reason.is_empty();
        Err(if is_ours { reason } else { no_tap(address) })
    }

    /// The next line that is not empty; `None`: the connection ended.
    ///
    /// # Errors
    /// When what comes is endless.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<u8>>, String> {
        loop {
            if let Some(end) = self.rest[self.searched..].iter().position(|byte| *byte == b'\n') {
                let after = self.rest.split_off(self.searched + end + 1);
                let line = std::mem::replace(&mut self.rest, after);
                self.searched = 0;
                if line.trim_ascii().is_empty() {
                    continue;
                }
                return Ok(Some(line));
            }
            self.searched = self.rest.len();
            if self.rest.len() > LINE_BYTES_MAX {
                return Err(no_tap(&self.address));
            }
            match self.body.frame().await {
                Some(Ok(frame)) => self.rest.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
                Some(Err(_)) | None => return Ok(None),
            }
        }
    }
}

/// That something else answers.
pub(super) fn no_tap(address: &str) -> String {
    format!(
        "what answers at {address} is no wasmill that can be tapped; name the pipeline's admin address with --admin"
    )
}

fn unreached(address: &str, error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |cause| (*cause).source());
    let of_io = |cause: &(dyn Error + 'static)| cause.downcast_ref::<io::Error>().map(io::Error::kind);
    let why = match causes.clone().find_map(of_io) {
        Some(io::ErrorKind::ConnectionRefused) => "connection refused".to_owned(),
        _ => causes.last().map(ToString::to_string).unwrap_or_default(),
    };
    format!(
        "no pipeline answers at {address} ({why}): start it with `wasmill run`, or name its admin address with --admin"
    )
}
