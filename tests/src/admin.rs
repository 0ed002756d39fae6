//! The admin pages of a running binary, as a monitoring system sees them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::pipeline::{Running, eventually};

/// How long a page may take.
const ANSWER: Duration = Duration::from_secs(20);

/// The pages of one process, whose pipeline says `admin: 127.0.0.1:0`.
#[derive(Debug)]
pub struct Admin {
    address: String,
}

impl Admin {
    /// Waits until the process says where its pages are.
    ///
    /// # Panics
    /// When it does not in time.
    pub fn of(running: &mut Running) -> Self {
        const SAID: &str = "admin pages on http://";
        running.wait_for_log(SAID);
        let log = running.log();
        let address = log.split(SAID).nth(1).expect("it was just said");
        let address = address.split(|c: char| c != '.' && c != ':' && !c.is_ascii_digit()).next();
        Self { address: address.expect("a split has a first piece").to_owned() }
    }

    /// Where the pages are: host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Status code and body of a page.
    ///
    /// # Panics
    /// When nobody answers.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("the admin pages answer");
        stream.set_read_timeout(Some(ANSWER)).expect("a time-out above zero");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)
            .expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("a whole answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code");
        (code, body.to_owned())
    }

    /// A page that is JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self, path: &str) -> (u16, Value) {
        let (code, body) = self.get(path);
        (code, serde_json::from_str(&body).unwrap_or_else(|error| panic!("{path}: {error}: {body}")))
    }

    /// Why a part does not work, by `/health/ready`; `None`: it works, or is not there.
    pub fn red(&self, part: &str) -> Option<String> {
        let (_, ready) = self.json("/health/ready");
        let part = &ready["parts"][part];
        (part["state"] == "red").then(|| part["reason"].as_str().unwrap_or_default().to_owned())
    }

    /// Waits until a part does not work for a reason that contains `words`, and gives the reason. The process is not ready then.
    ///
    /// # Panics
    /// When it does not come in time.
    pub fn wait_until_red(&self, part: &str, words: &str) -> String {
        let mut reason = String::new();
        eventually(&format!("{part} says {words}"), || {
            let (code, ready) = self.json("/health/ready");
            reason = ready["parts"][part]["reason"].as_str().unwrap_or_default().to_owned();
            let is_red = ready["parts"][part]["state"] == "red" && reason.contains(words);
            assert!(!is_red || (code == 503 && ready["ready"] == false), "{code} {ready}");
            is_red
        });
        reason
    }

    /// Waits until every part works.
    ///
    /// # Panics
    /// When one does not in time.
    pub fn wait_until_ready(&self) {
        eventually("every part works", || self.get("/health/ready").0 == 200);
    }

    /// Events of committed batches.
    pub fn received(&self) -> u64 {
        self.json("/stats").1["report"]["received"].as_u64().expect("a count")
    }

    /// Waits until so many events are committed, and asserts that there are not more.
    ///
    /// # Panics
    /// When they do not come in time, or too many come.
    pub fn wait_until_received(&self, events: u64) {
        eventually(&format!("{events} events are committed"), || {
            let received = self.received();
            assert!(received <= events, "{received} events are committed, and there are {events}");
            received == events
        });
    }
}
