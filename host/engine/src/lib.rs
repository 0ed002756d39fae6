//! Loads, limits and runs plugins. The only crate that names wasmtime.
//!
//! [`Engine::load`] makes a [`Plugin`] of a file's bytes; a [`Generation`] of plugins runs batches, each on one thread with its
//! [`Worker`]. A plugin is sandboxed and cannot wait for anything; what it may burn is in its [`Limits`]. Deliberately absent:
//! any clock that decides, and any I/O beside the compile child and the compile cache.

mod abi;
mod answer;
mod blame;
mod cache;
mod compile;
mod contract;
mod error;
mod fault;
mod gather;
mod generation;
mod grants;
mod guest;
mod guest_log;
mod held;
mod instance;
mod limits;
mod load;
mod look;
mod manifest;
mod meter;
mod outcome;
mod prepare;
mod settings;
mod smoke;
mod snapshot;
mod state;
mod step;
mod trusted;
mod wasi;
mod watch;
mod work;

pub use blame::{GUILTY_MIN, REST_EVENTS, WINDOW_EVENTS};
pub use compile::{COMPILE_ARGUMENT, CompileLimits, Compiler, compile_child_main};
pub use contract::{INTERFACE_VERSION, Kinds};
pub use error::{EngineError, LoadError, Reason};
pub use generation::{Generation, Plugins, Worker};
pub use grants::Grant;
pub use held::{Held, Limit};
pub use limits::{Ceilings, Limits, MEMORY_BYTES_CEILING, TABLE_ELEMENTS_CEILING};
pub use load::{Engine, EngineOptions, InstanceMode, OnOpen, OtherState, Plugin, PluginSpec, StateUse};
pub use look::{Look, Step};
pub use manifest::FIELDS_MAX;
pub use meter::{HostCall, HostCallCost, Meter};
pub use outcome::{BreakerState, BreakerTurn, Broken, Cost, Faults, LogLine, Outcome};
pub use state::{Clock, LaneMemory, StateDelta, StateRow, StateRows};
pub use watch::{Running, Watch};
