//! What an answer means for the events of its request.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, StatusCode, header};

/// The most bytes of an answer that a sentence shows.
const SHOWN_BYTES_MAX: usize = 200;

/// What one attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The receiver has them.
    Accepted,
    /// It does not take these events, whatever is done.
    Refused { reason: String },
    /// It may take them later, or once somebody has acted.
    Failed { reason: String, retry_after: Option<Duration> },
}

/// What an answer's status is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    Accepted,
    /// Of the receiver, for now.
    Transient,
    /// Of the address or the rights.
    Setup,
    /// Of the events.
    Events,
}

/// Judges a status.
pub(super) fn class(status: StatusCode) -> Class {
    match status.as_u16() {
        200..=299 => Class::Accepted,
        408 | 425 | 429 | 500..=599 => Class::Transient,
        401 | 403 | 404 | 405 | 407 | 410 => Class::Setup,
        400..=499 => Class::Events,
        // Redirects; what is no final answer at all.
        _ => Class::Setup,
    }
}

/// The outcome of an answer that does not accept. `receiver` is how sentences name it, `shown` the beginning of its body, cleaned.
pub(super) fn outcome(receiver: &str, status: StatusCode, headers: &HeaderMap, location: &str, shown: &str) -> Outcome {
    let said = if shown.is_empty() { String::new() } else { format!(": {shown}") };
    let code = status.as_u16();
    let reason = match (class(status), code) {
        (Class::Accepted, _) => return Outcome::Accepted,
        (Class::Events, _) => {
            return Outcome::Refused { reason: format!("the receiver at {receiver} refuses the event ({code}){said}") };
        }
        (Class::Transient, 429) => format!("the receiver at {receiver} asks for fewer requests (429){said}"),
        (Class::Transient, _) => format!("the receiver at {receiver} cannot take events now ({code}){said}"),
        (Class::Setup, 401 | 403 | 407) => {
            format!("the receiver at {receiver} does not let us in ({code}): correct `headers` or `secret`{said}")
        }
        (Class::Setup, 404 | 410) => {
            format!("the receiver at {receiver} has nothing at this address ({code}): correct `url`{said}")
        }
        (Class::Setup, 405) => {
            format!("the receiver at {receiver} takes no POST at this address (405): correct `url`{said}")
        }
        (Class::Setup, _) if location.is_empty() => {
            format!("the receiver at {receiver} answers {code}, which says nothing about events: correct `url`")
        }
        (Class::Setup, _) => format!(
            "the receiver at {receiver} answers {code} and names another address, {location}: redirects are not followed; \
             correct `url`"
        ),
    };
    let retry_after = headers.get(header::RETRY_AFTER).and_then(|value| retry_after(value.to_str().ok()?));
    Outcome::Failed { reason, retry_after }
}

/// How long the receiver asks to be left alone: seconds, or a date.
fn retry_after(value: &str) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    httpdate::parse_http_date(value).ok().map(|at| at.duration_since(SystemTime::now()).unwrap_or_default())
}

/// The beginning of what a receiver said, as a sentence may show it: text without control characters, and without what is secret.
pub(super) fn cleaned(bytes: &[u8], secrets: &[String]) -> String {
    let mut text = String::from_utf8_lossy(bytes).into_owned();
    for secret in secrets {
        text = text.replace(secret, "***");
    }
    let mut shown = String::new();
    for word in text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()) {
        if !shown.is_empty() {
            shown.push(' ');
        }
        shown.push_str(word);
        if shown.len() > SHOWN_BYTES_MAX {
            let end = (0..=SHOWN_BYTES_MAX).rev().find(|end| shown.is_char_boundary(*end)).unwrap_or_default();
            shown.truncate(end);
            break;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16, headers: &[(&'static str, &str)]) -> Outcome {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        outcome("h:1", StatusCode::from_u16(code).unwrap(), &headers, "", "no")
    }

    #[test]
    fn statuses_fall_into_classes() {
        for (class_of, codes) in [
            (Class::Accepted, [200, 202, 204, 299].as_slice()),
            (Class::Transient, &[408, 425, 429, 500, 501, 503, 599]),
            (Class::Setup, &[301, 302, 307, 308, 401, 403, 404, 405]),
            (Class::Events, &[400, 409, 411, 413, 415, 418, 422, 431]),
        ] {
            for code in codes {
                assert_eq!(class(StatusCode::from_u16(*code).unwrap()), class_of, "{code}");
            }
        }
    }

    #[test]
    fn receiver_may_ask_for_a_wait_in_seconds_or_by_a_date() {
        let wait = |value: &str| match answered(429, &[("retry-after", value)]) {
            Outcome::Failed { retry_after, .. } => retry_after,
            other => panic!("{other:?}"),
        };
        assert_eq!(wait("7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO), "it is over");
        let later = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3_600));
        assert!(wait(&later).unwrap() > Duration::from_secs(3_000));
        assert_eq!((wait("soon"), wait("-1")), (None, None));
        assert!(matches!(answered(400, &[]), Outcome::Refused { reason } if reason.ends_with("(400): no")));
    }

    #[test]
    fn answer_is_shown_cut_and_without_controls_and_secrets() {
        assert_eq!(cleaned(b"a\x1b[31m \r\n\tb\xff\x7f", &[]), "a [31m b\u{fffd}");
        assert_eq!(cleaned(b"key hunter2 is wrong", &["hunter2".to_owned()]), "key *** is wrong");
        assert_eq!(cleaned("ü".repeat(300).as_bytes(), &[]).len(), 200);
        assert_eq!(cleaned("x ".repeat(300).as_bytes(), &[]).len(), 200);
    }
}
