//! Why an event leaves the stream.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::Digest;

/// A loaded plugin as results name it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PluginRef {
    /// From its manifest.
    pub name: String,
    /// From its manifest.
    pub version: String,
    /// Of its file.
    pub digest: Digest,
}

/// Where an event was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The payload is not what the pipeline takes: no JSON object, too large, ...
    Parse,
    /// A validator said no, or trapped.
    Validate,
    /// An enricher's fields do not fit, or it trapped.
    Enrich,
    /// An alerter trapped.
    Alert,
    /// A sink cannot store it.
    Sink,
}

/// A "no" to one event: it goes to the dead letters with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// Its index in the [`crate::RawBatch`].
    pub event: u32,
    /// Where it was rejected.
    pub stage: Stage,
    /// By which plugin, if one.
    pub plugin: Option<Arc<PluginRef>>,
    /// By which sink, if one; the event may have reached others.
    pub sink: Option<Arc<str>>,
    /// A short stable word, such as `not_json`: what counters and the README's table go by.
    pub code: Cow<'static, str>,
    /// A sentence for people.
    pub reason: String,
}
