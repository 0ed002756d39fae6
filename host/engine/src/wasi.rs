//! WASI, closed: what Rust's std imports is there, and reaches nothing.
//!
//! No file, socket, argument or environment variable; stdin is at its end; stdout and stderr become log lines; both clocks
//! stand at zero; random numbers come from the plugin's digest; `exit` traps. Streams and polls are our own, so that nothing
//! that a guest can call waits: everything is ready at once.

use std::sync::Arc;
use std::time::Duration;

use wasmill_core::Digest;
use wasmtime::component::{HasData, HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::cli::{WasiCli, WasiCliCtxView};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksCtxView};
use wasmtime_wasi::filesystem::{WasiFilesystem, WasiFilesystemCtxView};
use wasmtime_wasi::p2::bindings::sync::io::{poll, streams};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, io, random, sync};
use wasmtime_wasi::p2::pipe::{ClosedInputStream, SinkOutputStream};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, DynPollable, StreamError, StreamResult};
use wasmtime_wasi::random::{WasiRandom, WasiRandomCtx};
use wasmtime_wasi::{Deterministic, HostMonotonicClock, HostWallClock, WasiCtx};

use crate::abi::Level;
use crate::guest::Guest;
use crate::guest_log::GuestLog;
use crate::meter::{Crossing, Functions, HostCall, Meter};
use crate::work::Work;

/// The interfaces that every plugin may import, without their versions, and what each of them gives: nothing of the machine.
pub(crate) const BASELINE: [(&str, &str); 20] = [
    ("wasi:cli/environment", "no variable and no argument"),
    ("wasi:cli/exit", "a trap"),
    ("wasi:cli/stderr", LINES),
    ("wasi:cli/stdin", "the end of it"),
    ("wasi:cli/stdout", LINES),
    ("wasi:cli/terminal-input", NO_TERMINAL),
    ("wasi:cli/terminal-output", NO_TERMINAL),
    ("wasi:cli/terminal-stderr", NO_TERMINAL),
    ("wasi:cli/terminal-stdin", NO_TERMINAL),
    ("wasi:cli/terminal-stdout", NO_TERMINAL),
    ("wasi:clocks/monotonic-clock", STILL),
    ("wasi:clocks/wall-clock", STILL),
    ("wasi:filesystem/preopens", NO_FILE),
    ("wasi:filesystem/types", NO_FILE),
    ("wasi:io/error", "errors of streams"),
    ("wasi:io/poll", "polls that never wait"),
    ("wasi:io/streams", "streams that never wait"),
    ("wasi:random/insecure", SEEDED),
    ("wasi:random/insecure-seed", SEEDED),
    ("wasi:random/random", SEEDED),
];
/// What [`link_log`] and the two output streams give.
pub(crate) const LINES: &str = "lines of the log, limited by limits.log_lines and limits.log_line_bytes";
const NO_TERMINAL: &str = "no terminal";
const NO_FILE: &str = "no file";
const STILL: &str = "a clock that stands at zero";
const SEEDED: &str = "numbers that come of the plugin's digest";

/// Bytes that a stream takes at once; also what bounds the zeroes that a guest may ask us to write.
const STREAM_PERMIT: u64 = 4096;
/// Random bytes that a guest may ask for at once.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// WASI's contexts of one instance.
pub(crate) struct Wasi {
    ctx: WasiCtx,
}

impl Wasi {
    pub(crate) fn new(digest: &Digest) -> Self {
        let seed = digest.as_bytes();
        let (low, _) = seed.split_at(16);
        let mut ctx = WasiCtx::builder();
        ctx.stdin(ClosedInputStream)
            .stdout(SinkOutputStream)
            .stderr(SinkOutputStream)
            .wall_clock(Still)
            .monotonic_clock(Still)
            .secure_random(Deterministic::new(seed.to_vec()))
            .insecure_random(Deterministic::new(seed.to_vec()))
            .insecure_random_seed(u128::from_le_bytes(low.try_into().expect("16 bytes")))
            .max_random_size(RANDOM_BYTES_MAX);
        Self { ctx: ctx.build() }
    }
}

/// Both clocks: always at zero.
struct Still;

impl HostWallClock for Still {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Still {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

/// Defines the baseline for all plugins.
///
/// # Errors
/// None that a plugin can cause: a name defined twice.
pub(crate) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    cli::environment::add_to_linker::<_, WasiCli>(linker, cli_of)?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, cli_of)?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, cli_of)?;
    cli::stdout::add_to_linker::<_, WasiCli>(linker, cli_of)?;
    cli::stderr::add_to_linker::<_, WasiCli>(linker, cli_of)?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, cli_of)?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, cli_of)?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, cli_of)?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, cli_of)?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, cli_of)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(linker, clocks_of)?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(linker, clocks_of)?;
    filesystem::preopens::add_to_linker::<_, WasiFilesystem>(linker, filesystem_of)?;
    sync::filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, filesystem_of)?;
    random::random::add_to_linker::<_, Seeded>(linker, random_of)?;
    random::insecure::add_to_linker::<_, Seeded>(linker, random_of)?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, |guest| guest.wasi().0.ctx.random())?;
    io::error::add_to_linker::<_, HasSelf<ResourceTable>>(linker, |guest| guest.wasi().1)?;
    poll::add_to_linker::<_, Ready>(linker, io_of)?;
    streams::add_to_linker::<_, Ready>(linker, io_of)?;
    Ok(())
}

fn cli_of(guest: &mut Guest) -> WasiCliCtxView<'_> {
    let (wasi, table, _) = guest.wasi();
    WasiCliCtxView { ctx: wasi.ctx.cli(), table }
}

fn clocks_of(guest: &mut Guest) -> WasiClocksCtxView<'_> {
    let (wasi, table, _) = guest.wasi();
    WasiClocksCtxView { ctx: wasi.ctx.clocks(), table }
}

fn filesystem_of(guest: &mut Guest) -> WasiFilesystemCtxView<'_> {
    let (wasi, table, _) = guest.wasi();
    WasiFilesystemCtxView { ctx: wasi.ctx.filesystem(), table }
}

fn random_of(guest: &mut Guest) -> Random<'_> {
    let (wasi, _, work) = guest.wasi();
    Random { ctx: wasi.ctx.random(), work }
}

fn io_of(guest: &mut Guest) -> Io<'_> {
    Io { table: &mut guest.table, log: &mut guest.log, work: &mut guest.work }
}

/// Random numbers that are the same in every instance, and paid for by their bytes.
struct Seeded;

impl HasData for Seeded {
    type Data<'a> = Random<'a>;
}

struct Random<'a> {
    ctx: &'a mut WasiRandomCtx,
    work: &'a mut Work,
}

impl random::random::Host for Random<'_> {
    fn get_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.work.pay(0, len.min(RANDOM_BYTES_MAX) as usize)?;
        self.ctx.get_random_bytes(len)
    }

    fn get_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.ctx.get_random_u64()
    }
}

impl random::insecure::Host for Random<'_> {
    fn get_insecure_random_bytes(&mut self, len: u64) -> wasmtime::Result<Vec<u8>> {
        self.work.pay(0, len.min(RANDOM_BYTES_MAX) as usize)?;
        self.ctx.get_insecure_random_bytes(len)
    }

    fn get_insecure_random_u64(&mut self) -> wasmtime::Result<u64> {
        self.ctx.get_insecure_random_u64()
    }
}

/// Streams and polls that never wait.
struct Ready;

impl HasData for Ready {
    type Data<'a> = Io<'a>;
}

struct Io<'a> {
    table: &'a mut ResourceTable,
    log: &'a mut GuestLog,
    work: &'a mut Work,
}

impl poll::Host for Io<'_> {
    fn poll(&mut self, pollables: Vec<Resource<DynPollable>>) -> wasmtime::Result<Vec<u32>> {
        self.work.pay(pollables.len(), 0)?;
        if pollables.is_empty() {
            return Err(wasmtime::Error::msg("poll was called with an empty list"));
        }
        Ok((0..pollables.len() as u32).collect())
    }
}

impl poll::HostPollable for Io<'_> {
    fn ready(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<bool> {
        self.table.get(&pollable)?;
        Ok(true)
    }

    fn block(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        self.table.get(&pollable)?;
        Ok(())
    }

    fn drop(&mut self, pollable: Resource<DynPollable>) -> wasmtime::Result<()> {
        poll::HostPollable::drop(self.table, pollable)
    }
}

impl Io<'_> {
    fn print(&mut self, stream: &Resource<DynOutputStream>, bytes: &[u8]) -> StreamResult<()> {
        self.table.get(stream).map_err(|error| StreamError::Trap(error.into()))?;
        self.work.pay(0, bytes.len()).map_err(|fault| StreamError::Trap(fault.into()))?;
        self.log.write(bytes);
        Ok(())
    }
}

impl streams::Host for Io<'_> {
    fn convert_stream_error(&mut self, error: StreamError) -> wasmtime::Result<streams::StreamError> {
        streams::Host::convert_stream_error(self.table, error)
    }
}

/// The only input stream is stdin, and it is at its end.
impl streams::HostInputStream for Io<'_> {
    fn read(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn blocking_read(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<Vec<u8>> {
        Err(StreamError::Closed)
    }

    fn skip(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_skip(&mut self, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn subscribe(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        streams::HostInputStream::subscribe(self.table, stream)
    }

    fn drop(&mut self, stream: Resource<DynInputStream>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

/// The output streams are stdout and stderr: what is written becomes log lines.
impl streams::HostOutputStream for Io<'_> {
    fn check_write(&mut self, _: Resource<DynOutputStream>) -> StreamResult<u64> {
        Ok(STREAM_PERMIT)
    }

    fn write(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.print(&stream, &bytes)
    }

    fn blocking_write_and_flush(&mut self, stream: Resource<DynOutputStream>, bytes: Vec<u8>) -> StreamResult<()> {
        self.print(&stream, &bytes)
    }

    fn write_zeroes(&mut self, stream: Resource<DynOutputStream>, _: u64) -> StreamResult<()> {
        self.print(&stream, b"")
    }

    fn blocking_write_zeroes_and_flush(&mut self, stream: Resource<DynOutputStream>, _: u64) -> StreamResult<()> {
        self.print(&stream, b"")
    }

    fn flush(&mut self, _: Resource<DynOutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn blocking_flush(&mut self, _: Resource<DynOutputStream>) -> StreamResult<()> {
        Ok(())
    }

    fn subscribe(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<Resource<DynPollable>> {
        streams::HostOutputStream::subscribe(self.table, stream)
    }

    fn splice(&mut self, _: Resource<DynOutputStream>, _: Resource<DynInputStream>, _: u64) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn blocking_splice(
        &mut self,
        _: Resource<DynOutputStream>,
        _: Resource<DynInputStream>,
        _: u64,
    ) -> StreamResult<u64> {
        Err(StreamError::Closed)
    }

    fn drop(&mut self, stream: Resource<DynOutputStream>) -> wasmtime::Result<()> {
        self.table.delete(stream)?;
        Ok(())
    }
}

/// Defines the `log` import of the plugin interface.
///
/// # Errors
/// As [`link`].
pub(crate) fn link_log(
    linker: &mut Linker<Guest>,
    interface: &str,
    meter: Option<&Arc<Meter>>,
) -> wasmtime::Result<()> {
    let mut functions = Functions { instance: linker.instance(interface)?, meter };
    functions.define(HostCall::Log, |store, (level, text): (Level, String)| {
        let guest = store.data_mut();
        guest.work.pay(0, text.len())?;
        guest.log.line(level, &text);
        Ok(())
    })
}

impl Crossing for (Level, String) {
    fn bytes(&self) -> usize {
        size_of::<Level>() + self.1.len()
    }
}
