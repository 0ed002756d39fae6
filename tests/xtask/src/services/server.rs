//! One server process with its folder and port, whatever it serves: start, stop, kill, restart, wipe.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::folders::{self, cannot};
use super::port;
use super::process::{POLL, ProcessId, Signal};

/// How long a server may take to be ready on a busy machine.
const READY_PATIENCE: Duration = Duration::from_secs(120);
/// How long a server may take to end when asked; then it is killed.
const STOP_PATIENCE: Duration = Duration::from_secs(30);
/// How long the kernel may take to clear up a killed process.
const KILL_PATIENCE: Duration = Duration::from_secs(30);
const STATE_FILE: &str = "server.json";
/// Lines of the log in the message about a server that did not start.
const LOG_LINES: usize = 12;

/// How one kind of server is made; the values are its settings.
pub trait Recipe: Clone + Default + PartialEq + Serialize + DeserializeOwned {
    /// Its name in folders and on the command line.
    const NAME: &'static str;
    /// What asks it to end in good order.
    const STOP: Signal;

    /// Downloads what it runs from, unless that is there.
    ///
    /// # Errors
    /// When the machine lacks something, or a download fails.
    fn install(&self) -> Result<()>;

    /// Lays out fresh data in an empty folder.
    ///
    /// # Errors
    /// When that cannot be written.
    fn prepare(&self, folder: &Path, port: u16) -> Result<()>;

    /// The command that serves that data in the foreground.
    ///
    /// # Errors
    /// When what it runs from is not there.
    fn command(&self, folder: &Path, port: u16) -> Result<Command>;

    /// Whether it serves by now.
    fn is_ready(&self, folder: &Path, port: u16, process: ProcessId) -> bool;
}

/// A server. One made by [`Server::start`] is its owner's: dropping it kills the process and deletes the data.
#[derive(Debug)]
pub struct Server<R: Recipe> {
    recipe: R,
    folder: PathBuf,
    port: u16,
    process: Option<ProcessId>,
    child: Option<Child>,
    owned: bool,
}

/// What the folder of a server says about it, for other processes.
#[derive(Serialize, Deserialize)]
struct State<R> {
    recipe: R,
    port: u16,
    process: Option<ProcessId>,
    /// Who wipes it. A server whose owner ended without doing so is swept away by the next start.
    owner: Option<ProcessId>,
}

impl<R: Recipe> Server<R> {
    /// A fresh server of one's own with the default settings.
    ///
    /// # Errors
    /// When the machine lacks something, a download fails or the server does not get ready.
    pub fn start() -> Result<Self> {
        Self::start_with(R::default())
    }

    /// A fresh server of one's own.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with(recipe: R) -> Result<Self> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}-{}-{number}", R::NAME, std::process::id());
        sweep()?;
        Self::create(recipe, folders::run()?.join(name), true)
    }

    /// The server of this checkout that outlives us, started unless it runs.
    ///
    /// # Errors
    /// As [`Server::start`], and when it runs with other settings.
    pub fn up(recipe: R) -> Result<Self> {
        sweep()?;
        let folder = shared_folder::<R>()?;
        let Some(mut server) = Self::open(&folder)? else {
            return Self::create(recipe, folder, false);
        };
        if server.recipe != recipe {
            bail!("{0} is there with other settings: first run `cargo xtask services down {0}`", R::NAME);
        }
        if !server.is_running() {
            server.restart()?;
        }
        Ok(server)
    }

    /// The server of this checkout that outlives us, when it is there; it may be stopped.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub fn find() -> Result<Option<Self>> {
        Self::open(&shared_folder::<R>()?)
    }

    /// Stops the server of this checkout that outlives us; deletes its data unless that is to be kept. `false` when
    /// there was none.
    ///
    /// # Errors
    /// When its folder cannot be read or deleted.
    pub fn down(keep: bool) -> Result<bool> {
        sweep()?;
        let Some(mut server) = Self::find()? else { return Ok(false) };
        server.stop()?;
        if !keep {
            remove(&server.folder)?;
        }
        Ok(true)
    }

    /// Its port on 127.0.0.1, the same after a restart.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder with its data and its log, `log`.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Its process, unless it is stopped.
    pub fn process(&self) -> Option<ProcessId> {
        self.process.filter(|process| process.is_running())
    }

    /// Whether its process runs.
    pub fn is_running(&self) -> bool {
        self.process().is_some()
    }

    /// Asks it to end in good order and waits for that; kills it when it takes over 30 s.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub fn stop(&mut self) -> Result<()> {
        if let Some(process) = self.process {
            process.signal(R::STOP);
            if !process.wait_until_gone(STOP_PATIENCE) {
                return self.kill();
            }
        }
        self.reap()
    }

    /// Ends it and its children by SIGKILL, as a power cut would, and waits until they are gone.
    ///
    /// # Errors
    /// When they are still there after 30 s.
    pub fn kill(&mut self) -> Result<()> {
        if let Some(process) = self.process {
            let children = process.children();
            let all = std::iter::once(process).chain(children);
            all.clone().for_each(|one| one.signal(Signal::Kill));
            for one in all {
                if !one.wait_until_gone(KILL_PATIENCE) {
                    bail!("{} (process {}) does not end on SIGKILL", R::NAME, one.pid);
                }
            }
        }
        self.reap()
    }

    /// Starts it again with its data and its port; stops it first when it runs.
    ///
    /// # Errors
    /// When it does not get ready.
    pub fn restart(&mut self) -> Result<()> {
        self.stop()?;
        self.launch()
    }

    fn create(recipe: R, folder: PathBuf, owned: bool) -> Result<Self> {
        recipe.install()?;
        fs::create_dir_all(&folder).with_context(|| cannot("make", &folder))?;
        // Whatever the umask: the server may run as another user.
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).with_context(|| cannot("open", &folder))?;
        let mut server = Self { recipe, folder, port: port::free()?, process: None, child: None, owned };
        server.save()?;
        let started = server.recipe.prepare(&server.folder, server.port).and_then(|()| server.launch());
        if started.is_err() && !owned {
            remove(&server.folder)?;
        }
        started.map(|()| server)
    }

    fn open(folder: &Path) -> Result<Option<Self>> {
        let Some(state) = State::<R>::read(folder)? else { return Ok(None) };
        let State { recipe, port, process, .. } = state;
        Ok(Some(Self { recipe, folder: folder.to_path_buf(), port, process, child: None, owned: false }))
    }

    fn launch(&mut self) -> Result<()> {
        if !port::is_free(self.port) {
            bail!("port {} of {} is taken by another process", self.port, R::NAME);
        }
        let log_path = self.log();
        let log = File::create(&log_path).with_context(|| cannot("write", &log_path))?;
        let errors = log.try_clone().with_context(|| cannot("write", &log_path))?;
        let mut command = self.recipe.command(&self.folder, self.port)?;
        // A process group of its own: Ctrl-C is for us, and we end it in good order.
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        let child = command.spawn().with_context(|| format!("cannot start {}: {command:?}", R::NAME))?;
        self.process = ProcessId::of(child.id());
        self.child = Some(child);
        self.save()?;
        self.wait_until_ready()
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        let deadline = Instant::now() + READY_PATIENCE;
        loop {
            let Some(process) = self.process() else {
                self.reap()?;
                bail!("{} ended while starting; its log ends with:\n{}", R::NAME, self.log_tail());
            };
            if self.recipe.is_ready(&self.folder, self.port, process) {
                return Ok(());
            }
            if Instant::now() > deadline {
                self.kill()?;
                bail!("{} was not ready after {READY_PATIENCE:?}; its log ends with:\n{}", R::NAME, self.log_tail());
            }
            std::thread::sleep(POLL);
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    fn log_tail(&self) -> String {
        let bytes = fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// Takes note of the end of the process.
    fn reap(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.wait().with_context(|| format!("cannot wait for {}", R::NAME))?;
        }
        self.process = None;
        self.save()
    }

    fn save(&self) -> Result<()> {
        let owner = self.owned.then(ProcessId::this);
        let state = State { recipe: self.recipe.clone(), port: self.port, process: self.process, owner };
        let (path, new) = (self.folder.join(STATE_FILE), self.folder.join("server.json.new"));
        fs::write(&new, serde_json::to_vec(&state)?).with_context(|| cannot("write", &new))?;
        fs::rename(&new, &path).with_context(|| cannot("write", &path))
    }
}

impl<R: Recipe> Drop for Server<R> {
    fn drop(&mut self) {
        if !self.owned {
            return;
        }
        if let Err(error) = self.kill().and_then(|()| remove(&self.folder)) {
            eprintln!("could not clear up {}: {error:#}", R::NAME);
        }
    }
}

impl<R: DeserializeOwned> State<R> {
    fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(STATE_FILE);
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map(Some).with_context(|| cannot("understand", &path)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| cannot("read", &path)),
        }
    }
}

fn shared_folder<R: Recipe>() -> Result<PathBuf> {
    Ok(folders::run()?.join(R::NAME))
}

fn remove(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error).with_context(|| cannot("delete", folder)),
        _ => Ok(()),
    }
}

/// Ends and deletes the servers whose owner ended without doing so.
pub(super) fn sweep() -> Result<()> {
    let run = folders::run()?;
    for entry in fs::read_dir(&run).with_context(|| cannot("read", &run))? {
        let folder = entry.with_context(|| cannot("read", &run))?.path();
        // Another sweeper may be at it as well: what cannot be read is gone or not yet written.
        let Ok(Some(state)) = State::<serde_json::Value>::read(&folder) else { continue };
        if state.owner.is_none_or(ProcessId::is_running) {
            continue;
        }
        if let Some(process) = state.process {
            let children = process.children();
            std::iter::once(process).chain(children).for_each(|one| one.signal(Signal::Kill));
            process.wait_until_gone(KILL_PATIENCE);
        }
        remove(&folder)?;
    }
    Ok(())
}
