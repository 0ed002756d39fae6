//! Grants: what an operator gives a plugin beside the fields that it reads. A plugin gets nothing of the kind unasked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmill_core::{Field, Lookup};

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
    /// Every one that there is.
    pub const ALL: [Self; 2] = [Self::ReverseDns, Self::State];

    /// Its word in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ReverseDns => "reverse-dns",
            Self::State => "state",
        }
    }

    /// What a plugin gets by it.
    pub const fn gives(self) -> &'static str {
        match self {
            Self::ReverseDns => "names of addresses in events, which the host asks DNS for",
            Self::State => "bytes by key, which the host keeps from batch to batch",
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
    let needed = needed(&manifest.reads, manifest.state.is_some());
    match needed.into_iter().find(|grant| !given.contains(grant)) {
        None => Ok(()),
        Some(grant) => Err(Reason::LacksGrant(grant.as_str().into())),
    }
}

/// What a plugin asks for that reads such fields and keeps state, or does not; each once.
pub(crate) fn needed(reads: &[Field], has_state: bool) -> Vec<Grant> {
    let is_needed = |grant: &Grant| match grant {
        Grant::State => has_state,
        Grant::ReverseDns => reads.iter().any(|field| field.lookup.is_some_and(|lookup| Grant::of(lookup) == *grant)),
    };
    Grant::ALL.into_iter().filter(is_needed).collect()
}
