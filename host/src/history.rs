//! Which plugins served when: what home keeps of it, and how it is told.

use serde::{Deserialize, Serialize};
use sqlx::{ColumnIndex, Decode, Row, Type};
use wasmill_core::PluginRef;
use wasmill_engine::Plugin;

/// A plugin of a generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedPlugin {
    /// The name of its file.
    pub file: String,
    /// From its manifest.
    pub name: String,
    /// From its manifest.
    pub version: String,
    /// SHA-256 of its file.
    pub digest: String,
    /// SHA-256 of its configuration.
    pub config_digest: String,
}

/// A generation that served, or serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Served {
    /// Since when, by home's clock, as RFC 3339.
    pub served_at: String,
    /// Its digest: `$digest` of the rows that it made.
    pub generation: String,
    /// Its plugins, in their order.
    pub plugins: Vec<ServedPlugin>,
    /// Where it began in each partition, as far as it ran there, and home keeps commits.
    pub from: Vec<ServedFrom>,
}

/// Where a generation began in a partition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedFrom {
    /// The topic (or file).
    pub topic: String,
    /// The partition.
    pub partition: i32,
    /// The first offset.
    pub offset: i64,
}

impl Served {
    /// What a database tells: `served_at`, `generation`, and as JSON `plugins` and `starts`.
    pub(crate) fn read<'r, R: Row>(row: &'r R) -> Result<Self, sqlx::Error>
    where
        &'static str: ColumnIndex<R>,
        String: Decode<'r, R::Database> + Type<R::Database>,
    {
        let json = |error: serde_json::Error| sqlx::Error::Decode(error.into());
        let [served_at, generation, plugins, starts] =
            ["served_at", "generation", "plugins", "starts"].map(|column| row.try_get::<String, _>(column));
        Ok(Self {
            served_at: served_at?,
            generation: generation?,
            plugins: serde_json::from_str(&plugins?).map_err(json)?,
            from: serde_json::from_str(&starts?).map_err(json)?,
        })
    }
}

impl ServedPlugin {
    /// What is told of a plugin.
    pub fn of(plugin: &Plugin) -> Self {
        let PluginRef { name, version, digest } = &**plugin.reference();
        Self {
            file: plugin.file().file_name().unwrap_or_default().to_string_lossy().into_owned(),
            name: name.clone(),
            version: version.clone(),
            digest: digest.to_string(),
            config_digest: plugin.config_digest().to_string(),
        }
    }
}
