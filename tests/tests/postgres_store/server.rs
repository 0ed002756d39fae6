//! A PostgreSQL server of a test's own, made from the programs of the one that `DATABASE_URL` names, so that it can be
//! stopped and asked for passwords.

use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sqlx::{Connection, PgConnection, query_scalar};
use tempfile::TempDir;

use crate::database::server_url;

pub(crate) const PASSWORD: &str = "s3cret-of-the-test";

pub(crate) struct Server {
    programs: PathBuf,
    folder: TempDir,
    owner: (u32, u32),
    pub(crate) port: u16,
}

impl Server {
    /// A new server with password log-in; `None` when `DATABASE_URL` is not set or its server is not on this machine.
    #[allow(clippy::print_stderr, reason = "a skipped test must be seen")]
    pub(crate) async fn start() -> Option<Self> {
        let url = server_url()?;
        let mut connection = PgConnection::connect(&url).await.expect("DATABASE_URL is reachable");
        let pid: i32 = query_scalar("SELECT pg_backend_pid()").fetch_one(&mut connection).await.expect("a pid");
        let process = PathBuf::from(format!("/proc/{pid}"));
        let Ok(program) = std::fs::read_link(process.join("exe")) else {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "CI must run the database on this machine");
            eprintln!("SKIPPED: the database is not on this machine, so no second server can be made");
            return None;
        };
        let of_process = std::fs::metadata(&process).expect("the server's process");
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("its address").port();
        let server = Self {
            programs: programs_beside(&program),
            folder: tempfile::Builder::new().prefix("wm").tempdir_in("/tmp").expect("a folder"),
            owner: (of_process.uid(), of_process.gid()),
            port,
        };
        server.make();
        server.run();
        Some(server)
    }

    fn make(&self) {
        let path = self.folder.path();
        std::os::unix::fs::chown(path, Some(self.owner.0), Some(self.owner.1)).expect("the folder is given away");
        let password = path.join("password");
        std::fs::write(&password, PASSWORD).expect("the password is written");
        self.call(
            "initdb",
            &[
                "-D",
                &self.data(),
                "-U",
                "postgres",
                "-A",
                "scram-sha-256",
                "--no-sync",
                "--pwfile",
                password.to_str().expect("UTF-8"),
            ],
        );
    }

    /// Starts it, and returns once it takes connections.
    pub(crate) fn run(&self) {
        let folder = self.folder.path().display();
        let options = format!("-c listen_addresses=127.0.0.1 -p {} -k {folder}", self.port);
        self.call("pg_ctl", &["-D", &self.data(), "-w", "-s", "-l", &format!("{folder}/log"), "-o", &options, "start"]);
    }

    /// Stops it as a crash does.
    pub(crate) fn crash(&self) {
        self.call("pg_ctl", &["-D", &self.data(), "-w", "-s", "-m", "immediate", "stop"]);
    }

    pub(crate) fn url(&self, password: &str, database: &str) -> String {
        format!("postgres://postgres:{password}@127.0.0.1:{}/{database}", self.port)
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    /// Runs one of PostgreSQL's programs as the user that may.
    fn call(&self, program: &str, arguments: &[&str]) {
        let status = self.command(&self.programs.join(program)).args(arguments).stdout(Stdio::null()).status();
        assert!(status.expect("the program runs").success(), "{program} {arguments:?} fails");
    }

    fn command(&self, program: &Path) -> Command {
        let me = std::fs::metadata("/proc/self").expect("this process").uid();
        let mut command = if me == self.owner.0 {
            Command::new(program)
        } else {
            let mut command = Command::new("setpriv");
            let (user, group) = self.owner;
            command.args([format!("--reuid={user}"), format!("--regid={group}"), "--clear-groups".into()]).arg(program);
            command
        };
        command.env("LC_ALL", "C").env("HOME", "/").current_dir("/");
        command
    }
}

/// The folder of PostgreSQL's programs. Where a dynamic loader of its own runs the server, that is what `program` is; then they lie
/// in `usr/lib/postgresql/VERSION/bin` of the same prefix.
fn programs_beside(program: &Path) -> PathBuf {
    let versions = program.ancestors().map(|folder| folder.join("usr/lib/postgresql"));
    let inside = versions.filter_map(|folder| std::fs::read_dir(folder).ok()).flatten().flatten();
    let beside = program.parent().expect("a folder").to_owned();
    let mut folders = std::iter::once(beside).chain(inside.map(|version| version.path().join("bin")));
    folders.find(|folder| folder.join("initdb").is_file()).expect("initdb lies beside the server")
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self
            .command(&self.programs.join("pg_ctl"))
            .args(["-D", &self.data(), "-w", "-s", "-m", "immediate", "stop"])
            .stderr(Stdio::null())
            .status();
    }
}
