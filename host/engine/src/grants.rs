//! Grants: what an operator gives a plugin beside the fields that it reads. A plugin gets nothing of the kind unasked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmill_core::Lookup;

use crate::error::Reason;
use crate::manifest::Manifest;

/// One capability, as it is written under `grants:` in the file beside the plugin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Grant {
    /// The host asks DNS for the names of addresses that the plugin's fields hold.
    ReverseDns,
    /// It keeps state from batch to batch.
    State,
}

impl Grant {
    /// Its word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReverseDns => "reverse-dns",
            Self::State => "state",
        }
    }

    /// What a plugin that looks this up needs.
    const fn of(lookup: Lookup) -> Self {
        match lookup {
            Lookup::ReverseDns => Self::ReverseDns,
        }
    }
}

/// Whether a plugin was given all that it asks for.
///
/// # Errors
/// The first grant that it lacks.
pub(crate) fn check(manifest: &Manifest, given: &[Grant]) -> Result<(), Reason> {
    let lookups = manifest.reads.iter().filter_map(|field| Some(Grant::of(field.lookup?)));
    let mut needed = lookups.chain(manifest.state.map(|_| Grant::State));
    match needed.find(|grant| !given.contains(grant)) {
        None => Ok(()),
        Some(grant) => Err(Reason::LacksGrant(grant.as_str().into())),
    }
}
