//! A pipeline of a test: a folder with its file, its plugins and its databases, run by the real binary.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Row, SqliteConnection};
use tempfile::TempDir;

/// How long anything may take before a test fails: generous, since machines are slow at times.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The release binary of the workspace under test.
pub fn binary() -> PathBuf {
    wasmill_harness::wasmill_binary().expect("`cargo xtask test` builds the binary first")
}

/// The workspace's root folder.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace").to_owned()
}

/// The file of a shipped plugin or of a guest of the tests.
///
/// # Panics
/// When it is not built.
pub fn built(name: &str) -> PathBuf {
    let target = root().join("target");
    let found = ["plugins", "guests"].map(|kind| target.join(kind).join(format!("{name}.wasm")));
    let file = found.into_iter().find(|file| file.is_file());
    file.unwrap_or_else(|| panic!("{name}.wasm is not built; run `cargo xtask plugins`"))
}

/// A folder with a pipeline file and a plugin directory.
#[derive(Debug)]
pub struct Pipeline {
    folder: TempDir,
    environment: Vec<(String, String)>,
}

impl Pipeline {
    /// Writes the file. Relative paths in it are inside the folder. Without `admin:` there are no admin pages: tests run side by
    /// side, and the default address is one.
    pub fn new(yaml: &str) -> Self {
        let admin = if yaml.contains("admin:") { "" } else { "\nadmin: false\n" };
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("plugins.d")).expect("a folder");
        std::fs::write(folder.path().join("pipeline.yaml"), format!("{yaml}{admin}")).expect("a file");
        Self { folder, environment: Vec::new() }
    }

    /// Adds a shipped plugin or a guest of the tests, with its YAML beside it.
    #[must_use]
    pub fn plugin(self, order: u32, name: &str, yaml: &str) -> Self {
        let place = self.path("plugins.d").join(format!("{order:02}-{name}.wasm"));
        std::fs::copy(built(name), &place).expect("the plugin is copied");
        std::fs::write(place.with_extension("yaml"), yaml).expect("a file");
        self
    }

    /// Sets a variable for the binary.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs it to its end with this standard input.
    pub fn run(&self, stdin: &[u8]) -> Ran {
        self.start_with(&["run", "pipeline.yaml", "--format", "json", "--until-end"], stdin).wait(PATIENCE)
    }

    /// Starts `wasmill run` and leaves it running.
    pub fn start(&self) -> Running {
        self.start_with(&["run", "pipeline.yaml", "--format", "json"], b"")
    }

    /// Starts any command in the folder.
    pub fn start_with(&self, arguments: &[&str], stdin: &[u8]) -> Running {
        self.start_under(&[], arguments, stdin)
    }

    /// Starts any command in the folder by another program: `under` with its arguments, then the binary and its own.
    pub fn start_under(&self, under: &[&str], arguments: &[&str], stdin: &[u8]) -> Running {
        let (running, mut input) = self.start_open_under(under, arguments);
        let bytes = stdin.to_vec();
        // A binary that refuses its configuration does not read.
        std::thread::spawn(move || drop(input.write_all(&bytes)));
        running
    }

    /// Starts any command in the folder, whose standard input ends only when it is dropped.
    pub fn start_open(&self, arguments: &[&str]) -> (Running, ChildStdin) {
        self.start_open_under(&[], arguments)
    }

    fn start_open_under(&self, under: &[&str], arguments: &[&str]) -> (Running, ChildStdin) {
        let binary = binary();
        let mut all = under.iter().map(OsStr::new).chain([binary.as_os_str()]);
        let mut command = Command::new(all.next().expect("the binary at least"));
        command
            .args(all)
            .args(arguments)
            .current_dir(self.folder.path())
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary starts");
        let input = child.stdin.take().expect("a pipe");
        let stdout = Collected::from(child.stdout.take().expect("a pipe"));
        let stderr = Collected::from(child.stderr.take().expect("a pipe"));
        (Running { child, stdout, stderr }, input)
    }

    /// Rows of an SQLite query in the folder's database, every column as text (`NULL` for null).
    pub fn sqlite(&self, database: &str, sql: &str) -> Vec<Vec<String>> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(self.path(database)).disable_statement_logging();
            let mut connection: SqliteConnection = options.connect().await.expect("the database opens");
            let rows = sqlx::query(sql).fetch_all(&mut connection).await.expect("the query runs");
            connection.close().await.expect("the database closes");
            rows.iter().map(|row| (0..row.len()).map(|column| text(row, column)).collect()).collect()
        })
    }

    /// The one number that a query answers.
    pub fn count(&self, database: &str, sql: &str) -> i64 {
        self.sqlite(database, sql)[0][0].parse().expect("a number")
    }
}

fn text(row: &sqlx::sqlite::SqliteRow, column: usize) -> String {
    if let Ok(value) = row.try_get::<Option<String>, _>(column) {
        return value.unwrap_or_else(|| "NULL".to_owned());
    }
    if let Ok(value) = row.try_get::<i64, _>(column) {
        return value.to_string();
    }
    if let Ok(value) = row.try_get::<f64, _>(column) {
        return value.to_string();
    }
    String::from_utf8_lossy(&row.try_get::<Vec<u8>, _>(column).expect("SQLite has no other type")).into_owned()
}

/// What comes out of a pipe, while it comes.
#[derive(Debug)]
struct Collected {
    bytes: Arc<Mutex<Vec<u8>>>,
    thread: Option<JoinHandle<()>>,
}

impl Collected {
    fn from(mut pipe: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let thread = std::thread::spawn(move || {
            let mut piece = vec![0; 64 << 10];
            // A pipe whose process was killed just ends.
            while let Ok(count @ 1..) = pipe.read(&mut piece) {
                kept.lock().expect("nobody panics while it is held").extend_from_slice(&piece[..count]);
            }
        });
        Self { bytes, thread: Some(thread) }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.bytes.lock().expect("nobody panics while it is held")).into_owned()
    }

    fn whole(&mut self) -> String {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("reading a pipe does not panic");
        }
        self.so_far()
    }
}

/// A running binary. Dropping it kills it.
#[derive(Debug)]
pub struct Running {
    child: Child,
    stdout: Collected,
    stderr: Collected,
}

impl Running {
    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(mut self, patience: Duration) -> Ran {
        let deadline = Instant::now() + patience;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("the child is ours") {
                break status;
            }
            if Instant::now() > deadline {
                let _ = self.child.kill();
                panic!("the binary did not end within {patience:?}; it said:\n{}", self.stderr.whole());
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        self.output(status)
    }

    /// Asks it to stop (SIGTERM) and waits for its end.
    pub fn stop(self) -> Ran {
        self.signal("TERM");
        self.wait(PATIENCE)
    }

    /// Ends it at once (SIGKILL).
    pub fn kill(mut self) -> Ran {
        self.end()
    }

    /// Ends it at once, unless it has ended, and gives what it said until then; a second call gives nothing.
    pub fn end(&mut self) -> Ran {
        self.child.kill().expect("the child is ours");
        let status = self.child.wait().expect("the child is ours");
        self.output(status)
    }

    /// Sends a signal by name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal is sent");
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("the child is ours").is_none()
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.stderr.so_far()
    }

    /// Waits until it logs this.
    ///
    /// # Panics
    /// When it does not in time, or ends before, with its log.
    pub fn wait_for_log(&mut self, text: &str) {
        let deadline = Instant::now() + PATIENCE;
        while !self.log().contains(text) {
            let runs = self.is_running() && Instant::now() < deadline;
            assert!(runs || self.log().contains(text), "not logged: {text}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn output(&mut self, status: ExitStatus) -> Ran {
        Ran { code: status.code(), stdout: self.stdout.whole(), stderr: self.stderr.whole() }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A binary that ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it logged.
    pub stderr: String,
}

impl Ran {
    /// The report: the last line of standard output.
    ///
    /// # Panics
    /// With everything that was logged, when there is none.
    pub fn report(&self) -> Value {
        let last = self.stdout.lines().last().unwrap_or_default();
        serde_json::from_str(last)
            .unwrap_or_else(|_| panic!("no report; exit code {:?}, log:\n{}", self.code, self.stderr))
    }

    /// Asserts the law of every report: for each sink of events, received = delivered + filtered + refused + dropped + rejected.
    pub fn assert_sums(&self, event_sinks: &[&str]) -> Value {
        let report = self.report();
        let number = |value: &Value| value.as_u64().unwrap_or_else(|| panic!("no number in {report}"));
        for sink in event_sinks {
            let by_sink = |name: &str| number(&report[name][sink]);
            let sum = by_sink("delivered") + by_sink("filtered") + by_sink("refused");
            let sum = sum + number(&report["dropped"]) + number(&report["rejected"]);
            assert_eq!(number(&report["received"]), sum, "sink {sink}: {report}");
        }
        let by_code: u64 = report["rejections"].as_object().map_or(0, |codes| codes.values().map(number).sum());
        assert_eq!(number(&report["dead_letters"]), by_code, "{report}");
        report
    }
}

/// Waits until `ready` is true.
///
/// # Panics
/// When it does not come true in time, with `what`.
pub fn eventually(what: &str, mut ready: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !ready() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
