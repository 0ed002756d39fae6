//! A client of the tap that reads when it is told to, and sees the bytes as they come.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::pipeline::PATIENCE;

/// An open tap.
#[derive(Debug)]
pub struct Tap {
    answer: BufReader<TcpStream>,
}

impl Tap {
    /// Asks the pages at `address`, and reads until the pipeline says that it is tapped.
    ///
    /// # Panics
    /// When it does not.
    pub fn open(address: &str, request: &Value) -> Self {
        let mut answer = ask(address, address, request);
        let mut head = String::new();
        answer.read_line(&mut head).expect("an answer");
        assert!(head.contains(" 200 "), "{head}");
        let mut tap = Self { answer };
        let first = tap.next().expect("a first line");
        assert_eq!(first["kind"], "tapping", "{first}");
        tap
    }

    /// The next line; `None` at the end.
    ///
    /// # Panics
    /// When what comes is no answer.
    #[allow(clippy::should_implement_trait, reason = "it blocks")]
    pub fn next(&mut self) -> Option<Value> {
        loop {
            let mut line = String::new();
            if self.answer.read_line(&mut line).expect("an answer in time") == 0 {
                return None;
            }
            // Between the lines stand the sizes of chunks.
            if line.starts_with('{') {
                return Some(serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}")));
            }
        }
    }

    /// All lines up to that of the end.
    ///
    /// # Panics
    /// When the answer breaks off before.
    pub fn rest(mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.next().unwrap_or_else(|| panic!("it broke off after {lines:?}"));
            if line["kind"] == "end" {
                return lines;
            }
            lines.push(line);
        }
    }
}

/// The status code for a request that calls the host `host`.
///
/// # Panics
/// When nobody answers.
pub fn code(address: &str, host: &str, request: &Value) -> u16 {
    let mut head = String::new();
    ask(address, host, request).read_line(&mut head).expect("an answer");
    head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status code")
}

fn ask(address: &str, host: &str, request: &Value) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(address).expect("the admin pages answer");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out above zero");
    let body = request.to_string();
    let length = body.len();
    let head =
        format!("POST /tap HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {length}");
    write!(stream, "{head}\r\n\r\n{body}").expect("a request");
    BufReader::new(stream)
}
