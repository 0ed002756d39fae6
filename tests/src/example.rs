//! The pipelines of `examples/`, as their READMEs say.

use std::fs;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use xtask::services::tool;

use crate::pipeline::{Pipeline, root};

/// An example by its folder's name.
#[derive(Clone, Copy, Debug)]
pub struct Example(pub &'static str);

impl Example {
    /// The text of one of its files.
    ///
    /// # Errors
    /// When it is not there.
    pub fn file(self, name: &str) -> Result<String> {
        let path = root().join("examples").join(self.0).join(name);
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
    }

    /// Its file with its plugins, which are by their order and name where its README copies them to.
    ///
    /// # Errors
    /// When the README does not.
    pub fn pipeline(self, plugins: &[(u32, &str)]) -> Result<Pipeline> {
        let readme = self.file("README.md")?;
        let mut pipeline = Pipeline::new(&self.file("pipeline.yaml")?);
        for (order, name) in plugins {
            let copy = format!("cp target/plugins/{name}.wasm examples/{}/plugins.d/{order}-{name}.wasm", self.0);
            ensure!(readme.lines().any(|line| line == copy), "the README has no line `{copy}`");
            pipeline = pipeline.plugin(*order, name, &self.file(&format!("plugins.d/{order}-{name}.yaml"))?);
        }
        Ok(pipeline)
    }

    /// The README's `cargo xtask services exec` commands, each with its here-document.
    ///
    /// # Errors
    /// When there is no README.
    pub fn server_commands(self) -> Result<Vec<ServerCommand>> {
        let readme = self.file("README.md")?;
        let mut commands = Vec::new();
        let mut lines = readme.lines();
        while let Some(line) = lines.next() {
            let Some(command) = line.strip_prefix("cargo xtask services exec ") else { continue };
            let (command, has_input) = command.strip_suffix(" <<'END'").map_or((command, false), |rest| (rest, true));
            let input = lines.by_ref().take_while(|line| has_input && *line != "END");
            let input: String = if has_input { input.map(|line| format!("{line}\n")).collect() } else { String::new() };
            let mut words = words(command);
            let tool = words.remove(0);
            commands.push(ServerCommand { tool, arguments: words, input });
        }
        Ok(commands)
    }
}

/// A command of the README that reaches a server.
pub struct ServerCommand {
    /// The server's tool.
    pub tool: String,
    arguments: Vec<String>,
    input: String,
}

/// The words of a command, as a shell divides them; only double quotes are known.
fn words(command: &str) -> Vec<String> {
    let parts = command.split('"').enumerate();
    parts
        .flat_map(|(n, part)| match n % 2 {
            0 => part.split_whitespace().map(str::to_owned).collect(),
            _ => vec![part.to_owned()],
        })
        .collect()
}

impl ServerCommand {
    /// Runs it on this server, with other names in the place of the README's; answers what it prints.
    ///
    /// # Errors
    /// When it fails.
    pub fn run(&self, address: &str, names: &[(&str, &str)]) -> Result<String> {
        let other = |word: &String| names.iter().find(|(name, _)| name == word).map(|(_, own)| (*own).to_owned());
        let arguments = self.arguments.iter().map(|word| other(word).unwrap_or_else(|| word.clone()));
        let mut command: Command = tool(&self.tool, address)?;
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot run {}", self.tool))?;
        std::io::Write::write_all(&mut child.stdin.take().context("a pipe")?, self.input.as_bytes())?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{}: {}", self.tool, String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}
