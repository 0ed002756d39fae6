//! PostgreSQL 17 with TimescaleDB, from Debian's packages.
//!
//! Debian builds TimescaleDB's Apache edition: hypertables, but no compression and no continuous aggregates. A
//! database server refuses to run as root, so there it runs as `nobody`.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::debian::{self, stdout_of};
use super::folders::{self, cannot};
use super::process::{POLL, ProcessId, Signal};
use super::requirements::on_path;
use super::server::{Recipe, Server};

/// A PostgreSQL server with TimescaleDB in every new database.
pub type Timescale = Server<TimescaleRecipe>;

/// Settings of a database server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimescaleRecipe {
    /// Whether a commit waits for the disk. Without it a killed *process* loses nothing; a power cut would.
    pub fsync: bool,
}

impl Default for TimescaleRecipe {
    fn default() -> Self {
        Self { fsync: true }
    }
}

/// Counts our own changes of how the prefix and the template are made.
const LAYOUT: u32 = 1;
const PROGRAMS: &str = "usr/lib/postgresql/17/bin";
const SETTINGS: &str = "
# wasmill: for tests and benchmarks
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
dynamic_shared_memory_type = mmap
jit = off
max_connections = 200
max_worker_processes = 16
max_wal_size = '4GB'
";

impl Timescale {
    /// The address of one of its databases, for `DATABASE_URL`. There is a database `postgres` from the start.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port())
    }

    /// Runs statements by `psql` in the database `postgres`, and gives its unaligned output.
    ///
    /// # Errors
    /// When a statement fails; the rest is not run.
    pub fn psql(&self, sql: &str) -> Result<String> {
        self.psql_in("postgres", sql)
    }

    /// As [`Timescale::psql`], in another database.
    ///
    /// # Errors
    /// When a statement fails; the rest is not run.
    pub fn psql_in(&self, database: &str, sql: &str) -> Result<String> {
        run_psql(&prefix()?, &self.url(database), sql)
    }
}

impl TimescaleRecipe {
    /// `psql` without arguments: the one that came with the server, else the machine's own.
    ///
    /// # Errors
    /// When there is neither, and the server cannot be downloaded.
    pub fn psql() -> Result<Command> {
        let prefix = prefix()?;
        if !prefix.exists() && on_path("psql").is_some() {
            return Ok(Command::new("psql"));
        }
        Self::default().install()?;
        Ok(program(&prefix, "psql"))
    }
}

impl Recipe for TimescaleRecipe {
    const NAME: &'static str = "timescale";
    /// A fast shutdown: open transactions are rolled back.
    const STOP: Signal = Signal::Interrupt;

    fn install(&self) -> Result<()> {
        let prefix = prefix()?;
        if prefix.exists() {
            return Ok(());
        }
        let _lock = folders::lock("timescale")?;
        if prefix.exists() {
            return Ok(());
        }
        if !Path::new("/usr/share/zoneinfo").exists() {
            bail!("/usr/share/zoneinfo is missing (PostgreSQL reads it): install it by `apt-get install tzdata`");
        }
        eprintln!("downloading PostgreSQL 17 with TimescaleDB ...");
        // Made whole under another name, so that what carries the name is whole.
        let unfinished = folders::beside(&prefix, "unfinished");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).with_context(|| cannot("delete", &unfinished))?;
        }
        debian::unpack(&["postgresql-17", "postgresql-17-timescaledb"], &unfinished, PROGRAMS)?;
        make_template(&unfinished)?;
        fs::rename(&unfinished, &prefix).with_context(|| cannot("make", &prefix))
    }

    fn prepare(&self, folder: &Path, _port: u16) -> Result<()> {
        let template = prefix()?.join("template");
        stdout_of(Command::new("cp").args(["-a", "--reflink=auto"]).arg(&template).arg(folder.join("data"))).map(|_| ())
    }

    fn command(&self, folder: &Path, port: u16) -> Result<Command> {
        let mut command = server_command(&prefix()?, &folder.join("data"), port)?;
        if !self.fsync {
            command.args(["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]);
        }
        Ok(command)
    }

    fn is_ready(&self, folder: &Path, _port: u16, process: ProcessId) -> bool {
        is_ready(&folder.join("data"), process.pid)
    }
}

fn prefix() -> Result<PathBuf> {
    Ok(folders::downloads()?.join(format!("timescale-17-{LAYOUT}")))
}

fn program(prefix: &Path, name: &str) -> Command {
    let mut command = Command::new(prefix.join(PROGRAMS).join(name));
    command.env("LC_ALL", "C").env("PGCONNECT_TIMEOUT", "10");
    command
}

/// A program of the server, which runs as `nobody` where we are root.
fn server_program(prefix: &Path, name: &str) -> Result<Command> {
    let mut command = program(prefix, name);
    command.current_dir("/");
    if let Some((user, group)) = server_user()? {
        // Setting the user also clears the supplementary groups.
        command.env("HOME", "/").uid(user).gid(group);
    }
    Ok(command)
}

fn server_command(prefix: &Path, data: &Path, port: u16) -> Result<Command> {
    let mut command = server_program(prefix, "postgres")?;
    command.arg("-D").arg(data).arg("-p").arg(port.to_string());
    Ok(command)
}

/// Initialises a cluster once, with the extension in what new databases are copied from.
fn make_template(prefix: &Path) -> Result<()> {
    let data = prefix.join("template");
    fs::create_dir_all(&data).with_context(|| cannot("make", &data))?;
    fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).with_context(|| cannot("close", &data))?;
    if let Some((user, group)) = server_user()? {
        chown(&data, Some(user), Some(group)).with_context(|| cannot("hand over", &data))?;
    }
    let mut initdb = server_program(prefix, "initdb")?;
    initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]).arg(&data);
    initdb.args(["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]);
    stdout_of(&mut initdb)?;
    let config = data.join("postgresql.conf");
    let settings = fs::read_to_string(&config).with_context(|| cannot("read", &config))? + SETTINGS;
    fs::write(&config, settings).with_context(|| cannot("write", &config))?;
    add_extension(prefix)
}

/// How long the server of the template may take to be ready.
const TEMPLATE_PATIENCE: Duration = Duration::from_secs(60);

fn add_extension(prefix: &Path) -> Result<()> {
    let port = super::port::free()?;
    let log_path = folders::beside(prefix, "log");
    let log = File::create(&log_path).with_context(|| cannot("write", &log_path))?;
    let mut command = server_command(prefix, &prefix.join("template"), port)?;
    command.args(["-c", "fsync=off"]).stdout(Stdio::null()).stderr(log);
    let mut server = command.spawn().context("cannot start postgres")?;
    let process = ProcessId::of(server.id()).context("postgres ended at once")?;
    let added = add_extension_by(prefix, process, port);
    process.signal(TimescaleRecipe::STOP);
    server.wait().context("cannot wait for postgres")?;
    added.with_context(|| format!("cannot add TimescaleDB to the template, see {}", log_path.display()))
}

fn add_extension_by(prefix: &Path, server: ProcessId, port: u16) -> Result<()> {
    let deadline = Instant::now() + TEMPLATE_PATIENCE;
    while !is_ready(&prefix.join("template"), server.pid) {
        if !server.is_running() || Instant::now() > deadline {
            bail!("postgres ended or was not ready after {TEMPLATE_PATIENCE:?}");
        }
        std::thread::sleep(POLL);
    }
    for database in ["template1", "postgres"] {
        let url = format!("postgres://postgres@127.0.0.1:{port}/{database}");
        run_psql(prefix, &url, "set client_min_messages = error; create extension timescaledb")?;
    }
    Ok(())
}

fn run_psql(prefix: &Path, url: &str, sql: &str) -> Result<String> {
    stdout_of(program(prefix, "psql").args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url, "-c", sql]))
}

/// PostgreSQL's own note of its state: its process id on the first line, `ready` on the eighth.
fn is_ready(data: &Path, pid: u32) -> bool {
    let Ok(note) = fs::read_to_string(data.join("postmaster.pid")) else { return false };
    let lines: Vec<&str> = note.lines().map(str::trim).collect();
    lines.first() == Some(&pid.to_string().as_str()) && lines.get(7) == Some(&"ready")
}

/// User and group that the server runs as, when we are root.
fn server_user() -> Result<Option<(u32, u32)>> {
    if !folders::is_root() {
        return Ok(None);
    }
    let users = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let ids =
        users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|user| user.first() == Some(&"nobody"));
    let id = |index: usize| ids.as_ref().and_then(|user| user.get(index)?.parse().ok());
    match (id(2), id(3)) {
        (Some(user), Some(group)) => Ok(Some((user, group))),
        _ => bail!("there is no user `nobody` for PostgreSQL, which refuses to run as root: run as a normal user"),
    }
}
