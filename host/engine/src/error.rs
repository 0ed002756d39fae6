//! Why a plugin is not loaded.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use wasmill_core::Digest;

use crate::contract::INTERFACE_VERSION;

/// A plugin that cannot be loaded: which file, and why.
#[derive(Debug, thiserror::Error)]
#[error("the plugin \"{}\" (digest {digest:#}) is refused: {reason}", file.display())]
pub struct LoadError {
    /// The plugin's file.
    pub file: PathBuf,
    /// The digest of its bytes.
    pub digest: Digest,
    /// Why.
    pub reason: Reason,
}

/// Why a plugin is refused. Each says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
pub enum Reason {
    /// The file is larger than `component_bytes`.
    #[error(
        "it has {bytes} bytes, and limits.component_bytes is {limit}; strip its debug information, or write \
         `limits: {{ component_bytes: {bytes} }}` or more in the YAML file beside it"
    )]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The limits ask for more than there is.
    #[error("{0}")]
    Limits(String),
    /// The first bytes are not those of WebAssembly.
    #[error("it is no WebAssembly component; build it with --target wasm32-wasip2")]
    NotWebAssembly,
    /// A module, not a component.
    #[error("it is a core module, not a component; build it with --target wasm32-wasip2")]
    CoreModule,
    /// The compiler refuses it.
    #[error("it is no valid component: {0}; build it anew")]
    Invalid(String),
    /// It exports none of our kinds, or no `configure`.
    #[error(
        "it exports no wasmill plugin; it must export the interfaces plugin and one of validator, enricher or alerter of \
         wasmill:plugin@{INTERFACE_VERSION}, as the attributes of wasmill-sdk do"
    )]
    NoPlugin,
    /// It speaks another version of the interface.
    #[error(
        "it is made for wasmill:plugin@{0}, and this host speaks {INTERFACE_VERSION}; build it with the wasmill-sdk of this host"
    )]
    OtherVersion(String),
    /// A function is there with other parameters or results.
    #[error(
        "its function {0} does not have the shape that wasmill:plugin@{INTERFACE_VERSION} says; build it with the wasmill-sdk \
         of this host"
    )]
    OtherSignature(String),
    /// It imports what plugins do not get.
    #[error("it imports \"{0}\", which is not granted to plugins; remove what needs it")]
    NotGranted(String),
    /// It asks for what the operator has not granted.
    #[error(
        "it asks for \"{0}\", which it is not granted; write `grants: [{0}]` in the YAML file beside it if it may have that"
    )]
    LacksGrant(String),
    /// `configure` answered with an error.
    #[error("it refuses its configuration: {0}")]
    Configure(String),
    /// `configure` did not end well.
    #[error("its configure failed ({code}): {text}; see the plugin's author, or raise the limit that is named")]
    ConfigureTrapped {
        /// `trap`, `fuel`, `memory`, `output_too_large` or `bad_answer`.
        code: String,
        /// What happened.
        text: String,
    },
    /// It fails on every event of the trial.
    #[error(
        "it was tried out on three made-up events, of which one had all of its fields and one had none, and failed on each: {0}"
    )]
    Smoke(String),
    /// Its manifest makes no sense.
    #[error("its manifest is wrong: {0}")]
    Manifest(String),
    /// Compiling it took longer than allowed.
    #[error("compiling it took longer than {0} s; raise engine.compile.seconds, or make the plugin smaller")]
    CompileTime(u64),
    /// The compiler needed more memory than allowed, or crashed.
    #[error("the compiler ended without a result ({0}); raise engine.compile.memory_bytes, or make the plugin smaller")]
    CompileDied(String),
    /// The engine or its cache is in trouble, not the plugin.
    #[error("{0}")]
    Engine(String),
}

impl Reason {
    /// In one word, for counting: the setting that was passed, where one was.
    pub fn cause(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "component_bytes",
            Self::Limits(_) => "limits",
            Self::NotWebAssembly | Self::CoreModule | Self::Invalid(_) => "component",
            Self::NoPlugin | Self::OtherVersion(_) | Self::OtherSignature(_) => "interface",
            Self::NotGranted(_) | Self::LacksGrant(_) => "grants",
            Self::ConfigureTrapped { code, .. } if code == "fuel" => "fuel_configure",
            Self::ConfigureTrapped { code, .. } if code == "memory" => "memory",
            Self::ConfigureTrapped { .. } | Self::Configure(_) => "configure",
            Self::Smoke(_) => "trial",
            Self::Manifest(_) => "manifest",
            Self::CompileTime(_) => "compile_seconds",
            Self::CompileDied(_) => "compile_memory_bytes",
            Self::Engine(_) => "engine",
        }
    }
}

/// The engine cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// wasmtime cannot start on this machine.
    #[error("the WebAssembly engine cannot start: {0}; check the limits on address space (ulimit -v)")]
    Wasmtime(String),
    /// The cache folder cannot be used.
    #[error("the compile cache \"{}\" cannot be used: {problem}", path.display())]
    Cache {
        /// The folder.
        path: PathBuf,
        /// What is wrong, and what to do.
        problem: String,
    },
}
