//! Compiling in a child process. The compiler cannot be stopped from within, and hostile input may make it slow or greedy: so
//! the host starts its own binary again with a hidden argument, hands over the bytes, and takes the result or the child's life.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, setrlimit};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::Reason;
use crate::prepare::{Prepared, Request, prepare};

/// The argument that makes the host's binary a compile child.
pub const COMPILE_ARGUMENT: &str = "__compile";
/// Bytes that a child may answer: compiled code is some times the size of the component.
const ANSWER_BYTES_MAX: u64 = 512 << 20;
/// Bytes of what a child said at its end that an error quotes.
const LAST_WORDS_BYTES_MAX: u64 = 4096;

/// What compiling one plugin may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct CompileLimits {
    /// Seconds until the child is ended. Default 60.
    #[schemars(range(min = 1, max = 3_600))]
    pub seconds: u64,
    /// Bytes of memory that the child may have. Default 1 GiB.
    #[schemars(range(min = 67_108_864_u64))]
    pub memory_bytes: u64,
}

impl Default for CompileLimits {
    fn default() -> Self {
        Self { seconds: 60, memory_bytes: 1 << 30 }
    }
}

/// Where plugins are compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// In a child process: this program, which must call [`compile_child_main`] when its first argument is
    /// [`COMPILE_ARGUMENT`].
    Child(PathBuf),
    /// In this process, without any limit on time or memory: for tests and benchmarks only.
    InProcess,
}

impl Compiler {
    /// A child of the running program.
    ///
    /// # Errors
    /// When the system does not say what the running program is.
    pub fn this_program() -> io::Result<Self> {
        std::env::current_exe().map(Self::Child)
    }
}

/// Has a plugin compiled.
///
/// # Errors
/// Why the plugin is refused, or that the compiler met its limits.
pub(crate) fn compile(
    compiler: &Compiler,
    limits: CompileLimits,
    request: &Request,
    bytes: &[u8],
) -> Result<(Prepared, Vec<u8>), Reason> {
    match compiler {
        Compiler::InProcess => prepare(request, bytes),
        Compiler::Child(program) => in_child(program, limits, request, bytes),
    }
}

fn in_child(
    program: &Path,
    limits: CompileLimits,
    request: &Request,
    bytes: &[u8],
) -> Result<(Prepared, Vec<u8>), Reason> {
    let trouble =
        |error: io::Error| Reason::Engine(format!("the compiler \"{}\" cannot be started: {error}", program.display()));
    let mut child = Command::new(program)
        .arg(COMPILE_ARGUMENT)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(trouble)?;
    let question = frame(&(limits, request), bytes.to_vec());
    let answer = converse(&mut child, question, limits);
    if answer.is_err() {
        // Already gone or not, it must not outlive the question. What `kill` says is of no use then.
        let _ = child.kill();
    }
    let status = child.wait().map_err(trouble)?;
    match answer {
        Err(Silence::Late) => Err(Reason::CompileTime(limits.seconds)),
        Err(Silence::Gone(last_words)) => Err(Reason::CompileDied(ending(status, &last_words))),
        Ok((output, last_words)) => match unframe::<Result<Prepared, Reason>>(output) {
            Some((header, code)) => header.map(|prepared| (prepared, code)),
            None => Err(Reason::CompileDied(ending(status, &last_words))),
        },
    }
}

/// Why a child gave no answer.
enum Silence {
    Late,
    Gone(String),
}

/// Hands the question over and takes the answer, all at once so that no full pipe can stop either side.
fn converse(child: &mut Child, question: Vec<u8>, limits: CompileLimits) -> Result<(Vec<u8>, String), Silence> {
    let gone = || Silence::Gone(String::new());
    let mut stdin = child.stdin.take().ok_or_else(gone)?;
    let stdout = child.stdout.take().ok_or_else(gone)?;
    let mut stderr = child.stderr.take().ok_or_else(gone)?;
    // A child that ends early closes the pipe; its answer, or the lack of one, tells more than the failed write.
    thread::spawn(move || drop(stdin.write_all(&question)));
    let words = thread::spawn(move || {
        let mut words = Vec::new();
        let _ = stderr.by_ref().take(LAST_WORDS_BYTES_MAX).read_to_end(&mut words);
        let _ = io::copy(&mut stderr, &mut io::sink());
        String::from_utf8_lossy(&words).into_owned()
    });
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let mut output = Vec::new();
        let read = stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut output);
        let _ = send.send(read.map(|_| output));
    });
    match receive.recv_timeout(Duration::from_secs(limits.seconds)) {
        Ok(Ok(output)) => Ok((output, words.join().unwrap_or_default())),
        Ok(Err(error)) => Err(Silence::Gone(error.to_string())),
        Err(RecvTimeoutError::Timeout) => Err(Silence::Late),
        Err(RecvTimeoutError::Disconnected) => Err(gone()),
    }
}

fn ending(status: ExitStatus, last_words: &str) -> String {
    match last_words.lines().find(|line| !line.trim().is_empty()) {
        Some(line) => format!("{status}, \"{}\"", crate::guest_log::clean(line, 200)),
        None => status.to_string(),
    }
}

/// What the host's binary does when its first argument is [`COMPILE_ARGUMENT`]: reads one question from stdin, limits itself,
/// compiles, and writes the answer to stdout.
pub fn compile_child_main() -> ExitCode {
    let mut question = Vec::new();
    if io::stdin().lock().read_to_end(&mut question).is_err() {
        return ExitCode::FAILURE;
    }
    let Some(((limits, request), bytes)) = unframe::<(CompileLimits, Request)>(question) else {
        return ExitCode::FAILURE;
    };
    if limit_self(limits).is_err() {
        return ExitCode::FAILURE;
    }
    let answer = match prepare(&request, &bytes) {
        Ok((prepared, code)) => frame(&Ok::<_, Reason>(prepared), code),
        Err(reason) => frame(&Err::<Prepared, _>(reason), Vec::new()),
    };
    match io::stdout().lock().write_all(&answer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// Data is what is limited, not address space: a WebAssembly memory reserves gigabytes of the latter and uses none.
fn limit_self(limits: CompileLimits) -> rustix::io::Result<()> {
    let both = |value: u64| Rlimit { current: Some(value), maximum: Some(value) };
    let processors = thread::available_parallelism().map_or(1, |count| count.get() as u64);
    setrlimit(Resource::Data, both(limits.memory_bytes))?;
    setrlimit(Resource::Cpu, both(limits.seconds.saturating_mul(processors).saturating_add(1)))?;
    setrlimit(Resource::Core, both(0))
}

/// A body and what is said about it: that comes behind, as JSON and then its length, so that taking it off moves nothing.
pub(crate) fn frame(about: &impl Serialize, body: Vec<u8>) -> Vec<u8> {
    let about = serde_json::to_vec(about).expect("our own types have no map with keys that are no text");
    let mut bytes = body;
    bytes.extend_from_slice(&about);
    bytes.extend_from_slice(&(about.len() as u32).to_le_bytes());
    bytes
}

/// The two parts of a [`frame`]; `None` for anything else.
pub(crate) fn unframe<A: DeserializeOwned>(mut bytes: Vec<u8>) -> Option<(A, Vec<u8>)> {
    let (rest, length) = bytes.split_last_chunk::<4>()?;
    let end = rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?;
    let about = serde_json::from_slice(&rest[end..]).ok()?;
    bytes.truncate(end);
    Some((about, bytes))
}
