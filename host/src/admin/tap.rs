//! `POST /tap`: a [`TapRequest`] as JSON, answered by lines of JSON for as long as the client reads them.
//!
//! Asked by POST and as `application/json`, which no web page can have a browser send to another site unasked; and where the pages are on
//! a loopback address the request must name one, so that no site can pass for this machine by its own name.

use std::net::IpAddr;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::status::Status;
use crate::tap::{Refused, TapRequest, stream};

/// Most bytes of a request.
const REQUEST_BYTES_MAX: usize = 64 << 10;

pub(super) async fn tap(State(status): State<Arc<Status>>, headers: HeaderMap, body: Bytes) -> Response {
    match answer(&status, &headers, &body) {
        Ok(lines) => ([(header::CONTENT_TYPE, "application/x-ndjson")], lines).into_response(),
        Err((code, reason)) => (code, format!("{reason}\n")).into_response(),
    }
}

fn answer(status: &Arc<Status>, headers: &HeaderMap, body: &[u8]) -> Result<Body, (StatusCode, String)> {
    if status.taps.is_local() && !names_loopback(headers) {
        let reason =
            "the tap of this pipeline answers this machine alone: ask for it by a loopback address or as localhost";
        return Err((StatusCode::FORBIDDEN, reason.to_owned()));
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        let reason = "send what you ask for as JSON, with the header content-type: application/json";
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, reason.to_owned()));
    }
    if body.len() > REQUEST_BYTES_MAX {
        let reason = format!("a request has at most {REQUEST_BYTES_MAX} bytes");
        return Err((StatusCode::PAYLOAD_TOO_LARGE, reason));
    }
    let request: TapRequest = serde_json::from_slice(body)
        .map_err(|error| (StatusCode::BAD_REQUEST, format!("this is no request to tap: {error}")))?;
    let generation = status.serving.now();
    let generation = &generation.generation;
    let plugins: Vec<&str> = generation.plugins().iter().map(|plugin| plugin.reference().name.as_str()).collect();
    let connected = status.taps.connect(&request, &plugins).map_err(|refused| {
        let code = match refused {
            Refused::Off => StatusCode::FORBIDDEN,
            Refused::Full(_) => StatusCode::TOO_MANY_REQUESTS,
            Refused::Request(_) => StatusCode::BAD_REQUEST,
        };
        (code, refused.to_string())
    })?;
    let first =
        json!({ "kind": "tapping", "pipeline": status.config["name"], "plugins": status.generation()["plugins"] });
    Ok(Body::from_stream(stream(connected, format!("{first}\n"))))
}

/// Whether the request calls the host by a name that is always this machine.
fn names_loopback(headers: &HeaderMap) -> bool {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name == "localhost" || name.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_that_names_another_host_is_not_local() {
        let local = ["localhost", "localhost:9600", "127.0.0.1:9600", "127.8.0.1", "[::1]:9600", "[::1]"];
        let others =
            ["", "evil.example:9600", "localhost.evil.example", "10.0.0.1", "[::2]:9600", "127.0.0.1.evil.example"];
        for (hosts, is_local) in [(&local[..], true), (&others, false)] {
            for host in hosts {
                let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
                assert_eq!(names_loopback(&headers), is_local, "{host}");
            }
        }
    }
}
