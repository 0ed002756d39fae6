//! What the author of a wasmill plugin depends on.
//!
//! A plugin is a struct of the fields wanted and one function. This is a whole one, a validator:
//!
//! ```
//! use wasmill_sdk::{Config, Fields, Verdict};
//!
//! #[derive(Fields)]
//! struct Log<'a> {
//!     severity: &'a str,
//!     #[field(path = "source.ip")]
//!     ip: Option<&'a str>,
//! }
//!
//! /// What the operator may write under `config:`.
//! #[derive(Config)]
//! struct Config {
//!     allowed: Vec<String>,
//!     #[config(default)]
//!     drop_without_ip: bool,
//! }
//!
//! #[wasmill_sdk::validator]
//! fn known_severity(log: Log<'_>, config: &Config) -> Verdict {
//!     if config.drop_without_ip && log.ip.is_none() {
//!         return Verdict::drop();
//!     }
//!     if config.allowed.iter().any(|allowed| allowed == log.severity) {
//!         return Verdict::pass();
//!     }
//!     Verdict::reject("bad_severity", format!("severity `{}` is not one of {:?}", log.severity, config.allowed))
//! }
//!
//! // In a test the same function runs natively:
//! use wasmill_sdk::Loaded;
//! let plugin = Loaded::<known_severity>::configure(r#"{"allowed": ["INFO", "ERROR"]}"#).unwrap();
//! let verdicts = plugin.validate_json(&[r#"{"severity":"INFO"}"#, r#"{"severity":"LOUD"}"#]);
//! assert!(verdicts[0].is_pass());
//! assert_eq!(verdicts[1].rejection().unwrap().code, "bad_severity");
//! ```
//!
//! Such a crate is a `cdylib` (and `rlib`, for its tests) built for `wasm32-wasip2`; the component's exports exist only there.
//!
//! | kind | attribute | the function takes | and answers |
//! |---|---|---|---|
//! | validator | [`macro@validator`] | fields, `&Config` | [`Verdict`] or `Result<(), Rejection>` |
//! | enricher | [`macro@enricher`] | fields, `&Config` | a struct that derives [`macro@Output`], or an `Option` of it |
//! | alerter | [`macro@alerter`] | fields, `&Config` | `Option<Alert>`, `Vec<Alert>` or any iterator of [`Alert`]s |
//!
//! The function must be pure: an instance lives for one batch, and the host gives it the same clock, randomness and nothing else
//! each time. [`Fields`] says which types a field may have, [`Output`] which may be written, [`Prepare`] how to make something
//! of the config once. Fields that only the config names are [`Slots`] and [`Cell`]s.
//!
//! One crate holds one plugin of one kind: a second attribute in a crate does not compile.

extern crate self as wasmill_sdk;

mod alert;
#[allow(unsafe_code, reason = "slots are read without bounds and UTF-8 checks; the module has the proof")]
mod batch;
mod columns;
mod config;
mod events;
mod field;
mod fields;
#[cfg(target_arch = "wasm32")]
mod guest;
#[cfg(doctest)]
mod guide;
#[cfg(any(target_arch = "wasm32", test))]
#[allow(unsafe_code, reason = "it replaces functions of the C library; the module has the proof")]
mod libc;
pub mod log;
#[cfg(not(target_arch = "wasm32"))]
mod native;
mod output;
mod plugin;
#[doc(hidden)]
pub mod run;
pub mod state;
mod text_map;
mod time;
mod value;
mod verdict;
mod words;
mod writer;

pub use alert::{Alert, Evaluation, Severity};
pub use batch::{Batch, Lists, Reader, Slots};
pub use columns::{EventColumns, Suspects};
pub use config::Prepare;
pub use config::schema::{Schema, SchemaKey};
pub use config::value::{ConfigError, FromConfig, Ranged, Scalar, Value as ConfigValue};
pub use events::Events;
pub use field::{Field, Kind, Lookup, State, check_path};
pub use fields::Fields;
#[cfg(not(target_arch = "wasm32"))]
pub use native::Event;
pub use output::{Cell, Cells, Output, Texts, Timestamp, Write, Written};
pub use plugin::{Alerter, Enricher, Loaded, Manifest, Plugin, Validator};
pub use text_map::TextMap;
pub use value::{FieldEnum, FromSlot, Json, RawPayload, Slot, Value};
pub use verdict::{Answer, Rejection, Verdict, Verdicts};
pub use wasmill_sdk_macros::{Config, FieldEnum, Fields, Output, alerter, enricher, validator};
pub use writer::{Columns, Put, Writer};

/// What the macros' code names. Not for authors: it changes without notice.
#[doc(hidden)]
pub mod __private {
    /// What a component says that it was made with.
    pub const SDK: &[u8; SDK_NAME.len()] = match SDK_NAME.as_bytes().first_chunk() {
        Some(bytes) => bytes,
        None => panic!("it is as long as it is"),
    };
    const SDK_NAME: &str = concat!("wasmill-sdk ", env!("CARGO_PKG_VERSION"));

    pub use crate::batch::{Cell, View};
    pub use crate::config::NoConfig;
    pub use crate::config::schema::{json, length};
    pub use crate::config::value::{Object, ranged, variant};
    pub use crate::field::{FixedField, State};
    pub use crate::fields::Unfit;
    #[cfg(target_arch = "wasm32")]
    pub use crate::guest::{Exported, bindings};
    #[cfg(not(target_arch = "wasm32"))]
    pub use crate::native::keys;
    pub use crate::plugin::{Columnar, Shape};
    pub use crate::run;
    pub use crate::run::Place;
    pub use crate::value::required;
}
