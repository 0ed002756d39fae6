//! The commands of the binary.

pub mod demo;
pub mod dlq;
pub mod doctor;
mod engine;
pub mod offsets;
pub mod pipe;
pub mod plugin;
pub mod run;
pub mod schema;
pub mod tap;
pub mod test;
pub mod validate;

use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::config::Config;
use crate::pipeline::open_home;
use crate::store::Store;

/// How a command ends: 0, 1 (failed), 2 (usage) or 78 (bad configuration or set-up), with a sentence for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    code: u8,
    message: Option<String>,
}

impl Exit {
    /// Exit code 0.
    pub fn success() -> Self {
        Self { code: 0, message: None }
    }

    /// Exit code 1.
    pub fn failed(message: impl Into<String>) -> Self {
        Self { code: 1, message: Some(message.into()) }
    }

    /// Exit code 78: something is set up wrongly.
    pub fn bad_setup(message: impl Into<String>) -> Self {
        Self { code: 78, message: Some(message.into()) }
    }

    /// Tells the message and answers the code.
    pub fn finish(self) -> ExitCode {
        if let Some(message) = &self.message {
            say(&format!("{message}\n"));
        }
        ExitCode::from(self.code)
    }
}

/// Runs a command that waits for others, in an async runtime of its own.
///
/// # Errors
/// Those of the command, or when there is no runtime to be had.
pub fn in_runtime(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let exit = runtime.block_on(command);
    // A thread that waits for a line of standard input would hold the process otherwise.
    runtime.shutdown_background();
    exit
}

/// The configuration in a file; or how a command ends that needs it.
fn load(file: &Path) -> Result<Config, Exit> {
    Config::load(file).map_err(|mistakes| Exit::bad_setup(mistakes.to_string()))
}

/// The pipeline's home; or how a command ends that needs it, with `without` where there is none.
async fn home_of(config: &Config, without: &str) -> Result<Store, Exit> {
    match open_home(config).await {
        Ok(home) => home.ok_or_else(|| Exit::failed(without)),
        Err(error) => Err(Exit::bad_setup(error.to_string())),
    }
}

/// Prints on standard output: results that a program may read. A reader that went away is no failure of ours.
pub fn print(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Prints on standard error: what people read.
pub fn say(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
