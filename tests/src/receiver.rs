//! A webhook's receiver whose behaviour a test decides, on a port of its own.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use wasmill_core::Digest;

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// The body's bytes.
    pub body: Vec<u8>,
    /// How many requests with the same `webhook-id` came before.
    pub repeats: usize,
    /// The status that it was answered with, if any.
    pub answered: Option<u16>,
}

/// What the receiver does with a request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Answers with this status and body.
    Answer(u16, String),
    /// The same with these headers too.
    With(u16, Vec<(&'static str, String)>, String),
    /// Says nothing until the sender gives up.
    Hang,
    /// Closes the connection without an answer.
    Close,
    /// Answers with this status, and a body that does not end until the sender gives up.
    Endless(u16),
}

impl Reply {
    /// An answer without a body.
    pub fn status(status: u16) -> Self {
        Self::Answer(status, String::new())
    }
}

/// The receiver. It listens until the test's process ends.
#[derive(Debug)]
pub struct Receiver {
    port: u16,
    kept: Arc<Mutex<Kept>>,
}

/// What came so far.
#[derive(Debug, Default)]
struct Kept {
    requests: Vec<Request>,
    /// How many there are of each `webhook-id`.
    by_id: HashMap<String, usize>,
}

impl Kept {
    fn push(&mut self, request: Request) {
        *self.by_id.entry(request.header("webhook-id").to_owned()).or_default() += 1;
        self.requests.push(request);
    }
}

impl Receiver {
    /// Answers each request as `script` says.
    ///
    /// # Panics
    /// When no port is free.
    pub fn start(script: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a bound address").port();
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let (script, requests) = (Arc::new(script), Arc::clone(&kept));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (script, requests) = (Arc::clone(&script), Arc::clone(&requests));
                // A connection that breaks is the sender's affair.
                std::thread::spawn(move || drop(serve(stream, &*script, &requests)));
            }
        });
        Self { port, kept }
    }

    /// Takes everything.
    pub fn willing() -> Self {
        Self::start(|_| Reply::status(204))
    }

    /// `http://host:port`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// `host:port`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Every request so far, in the order of their answers.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.kept).requests.clone()
    }

    /// Those that were taken.
    pub fn taken(&self) -> Vec<Request> {
        self.requests().into_iter().filter(|one| matches!(one.answered, Some(200..=299))).collect()
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().expect("nobody panics while it is held")
}

impl Request {
    /// A header, empty where there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {:?}", self.body))
    }

    /// Whether it is signed with `key`, by a computation that shares nothing with the sender's.
    pub fn is_signed_with(&self, key: &[u8]) -> bool {
        let mut signed = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp")).into_bytes();
        signed.extend_from_slice(&self.body);
        let expected = format!("v1,{}", STANDARD.encode(hmac_sha256(key, &signed)));
        self.header("webhook-signature") == expected
    }
}

/// RFC 2104, for keys of at most a block.
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    const BLOCK: usize = 64;
    assert!(key.len() <= BLOCK, "longer keys are hashed first, and no test has one");
    let padded = |pad: u8| -> Vec<u8> { (0..BLOCK).map(|n| key.get(n).copied().unwrap_or_default() ^ pad).collect() };
    let inner = Digest::of(&[padded(0x36), message.to_vec()].concat());
    *Digest::of(&[padded(0x5c), inner.as_bytes().to_vec()].concat()).as_bytes()
}

fn serve(
    stream: TcpStream,
    script: &(dyn Fn(&Request) -> Reply + Send + Sync),
    kept: &Mutex<Kept>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    stream.set_nodelay(true)?;
    loop {
        let mut request = match read(&mut reader) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            // No request at all, as the beginning of TLS is none.
            Err(_) => return write!(&stream, "HTTP/1.1 400 x\r\nconnection: close\r\n\r\n"),
        };
        request.repeats = lock(kept).by_id.get(request.header("webhook-id")).copied().unwrap_or_default();
        let reply = script(&request);
        request.answered = match &reply {
            Reply::Answer(status, _) | Reply::With(status, ..) | Reply::Endless(status) => Some(*status),
            Reply::Hang | Reply::Close => None,
        };
        lock(kept).push(request);
        if !answer(&stream, &mut reader, reply)? {
            return stream.shutdown(Shutdown::Both);
        }
    }
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Option<Request>> {
    let mut line = Vec::new();
    if reader.read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if !line.starts_with(b"POST /") {
        return Err(ErrorKind::InvalidData.into());
    }
    let mut headers = BTreeMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let length = headers.get("content-length").and_then(|length| length.parse().ok()).expect("a length");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Some(Request { headers, body, repeats: 0, answered: None }))
}

/// Whether the connection may be used again.
fn answer(mut stream: &TcpStream, reader: &mut impl Read, reply: Reply) -> std::io::Result<bool> {
    let (status, headers, body) = match reply {
        Reply::Answer(status, body) => (status, Vec::new(), body),
        Reply::With(status, headers, body) => (status, headers, body),
        Reply::Hang => {
            std::io::copy(reader, &mut std::io::sink())?;
            return Ok(false);
        }
        Reply::Close => return Ok(false),
        Reply::Endless(status) => {
            write!(stream, "HTTP/1.1 {status} x\r\ntransfer-encoding: chunked\r\n\r\n")?;
            loop {
                write!(stream, "1000\r\n{}\r\n", "x".repeat(0x1000))?;
            }
        }
    };
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let head = format!("HTTP/1.1 {status} x\r\n{headers}content-length: {}\r\n\r\n", body.len());
    // At once: two small writes would wait for each other.
    stream.write_all(format!("{head}{body}").as_bytes())?;
    Ok(true)
}
