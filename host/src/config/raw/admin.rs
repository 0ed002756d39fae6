//! What may be written of the HTTP pages.

use schemars::JsonSchema;
use serde::Deserialize;

/// The admin address, `false`, or more about the pages.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum RawAdmin {
    /// Only `false` has a meaning.
    Switch(bool),
    /// `IP:PORT`.
    Address(String),
    /// Address and tap.
    Pages(RawPages),
}

/// The pages.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawPages {
    /// Where they are: `IP:PORT`.
    #[serde(default)]
    #[schemars(extend("default" = crate::config::ADMIN_DEFAULT))]
    pub(in crate::config) address: Option<String>,
    /// Whether `wasmill tap` may look at events while they pass. By default it may where the address is a loopback one.
    #[serde(default)]
    pub(in crate::config) tap: Option<RawTap>,
}

/// Whether events may be looked at, or how.
#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
pub(in crate::config) enum RawTap {
    /// Whether they may.
    Switch(bool),
    /// They may.
    Settings(RawTapSettings),
}

/// How events may be looked at.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawTapSettings {
    /// Fields that are not shown, beside those with names such as `password` and `token`: a name, of fields at any depth, or a path.
    #[serde(default)]
    pub(in crate::config) redact: Vec<String>,
    /// How many may look at once.
    #[serde(default = "connections_max")]
    #[schemars(range(min = 1, max = 64))]
    pub(in crate::config) connections_max: u64,
}

impl Default for RawTapSettings {
    fn default() -> Self {
        Self { redact: Vec::new(), connections_max: connections_max() }
    }
}

fn connections_max() -> u64 {
    4
}
