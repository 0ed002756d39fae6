//! The demo's folder: pipeline, plugins with their settings, database.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

/// The demo's topic.
pub const TOPIC: &str = "raw-events";

const PIPELINE: &str = include_str!("pipeline.yaml");

/// File name, package, settings.
const PLUGINS: [(&str, &str, &str); 4] = [
    ("10-validate-event", "validate-event", include_str!("10-validate-event.yaml")),
    ("20-enrich-env", "enrich-env", include_str!("20-enrich-env.yaml")),
    ("25-enrich-rdns", "enrich-rdns", include_str!("25-enrich-rdns.yaml")),
    ("30-alert-rules", "alert-rules", include_str!("30-alert-rules.yaml")),
];

/// A folder with everything that the demo needs.
#[derive(Debug)]
pub struct DemoFiles {
    folder: PathBuf,
}

impl DemoFiles {
    /// Writes pipeline, plugins and settings to `folder`, which must be empty or missing.
    ///
    /// # Errors
    /// When the folder is in use, or the shipped plugins are not found.
    pub fn write(folder: &Path) -> anyhow::Result<Self> {
        let plugins = folder.join("plugins.d");
        std::fs::create_dir_all(&plugins).with_context(|| format!("cannot make {}", plugins.display()))?;
        if folder.join("demo.db").exists() {
            bail!("{} holds an earlier demo; name another folder or delete it", folder.display());
        }
        let built = built_plugins()?;
        for (name, package, settings) in PLUGINS {
            let from = built.join(format!("{package}.wasm"));
            std::fs::copy(&from, plugins.join(format!("{name}.wasm")))
                .with_context(|| format!("cannot copy the plugin {}", from.display()))?;
            write(&plugins.join(format!("{name}.yaml")), settings)?;
        }
        write(&folder.join("pipeline.yaml"), PIPELINE)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The pipeline's file.
    pub fn pipeline(&self) -> PathBuf {
        self.folder.join("pipeline.yaml")
    }

    /// The database that it writes.
    pub fn database(&self) -> PathBuf {
        self.folder.join("demo.db")
    }
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// Where the shipped plugins are: `WASMILL_PLUGINS`, beside the binary, or in the workspace's target folder.
fn built_plugins() -> anyhow::Result<PathBuf> {
    let named = std::env::var_os("WASMILL_PLUGINS").map(PathBuf::from);
    let binary = std::env::current_exe().context("cannot tell where this program is")?;
    let beside = binary.ancestors().skip(1).take(3).map(|folder| folder.join("plugins"));
    let built = [PathBuf::from("target/plugins")];
    let found =
        named.into_iter().chain(beside).chain(built).find(|folder| folder.join("validate-event.wasm").is_file());
    found.context("the shipped plugins were not found: build them with `cargo xtask plugins`, or name their folder by WASMILL_PLUGINS")
}
