//! What must not compile. The messages are in the traits' `on_unimplemented` and in the macros.
//!
//! A type that no field can have:
//! ```compile_fail,E0277
//! #[derive(wasmill_sdk::Fields)]
//! struct Log { severity: String }
//! ```
//!
//! A type that no written field can have:
//! ```compile_fail,E0277
//! #[derive(wasmill_sdk::Output)]
//! struct Out { sum: u128 }
//! ```
//!
//! A type that no config can hold:
//! ```compile_fail,E0277
//! #[derive(wasmill_sdk::Config)]
//! struct Config { pause: std::time::Duration }
//! ```
//!
//! A first parameter without the derive, and a config without it:
//! ```compile_fail,E0277
//! struct Log;
//! #[wasmill_sdk::validator]
//! fn judge(log: Log) -> wasmill_sdk::Verdict { wasmill_sdk::Verdict::pass() }
//! ```
//! ```compile_fail,E0277
//! # #[derive(wasmill_sdk::Fields)]
//! # struct Log { n: i64 }
//! struct Config;
//! #[wasmill_sdk::validator]
//! fn judge(log: Log, config: &Config) -> wasmill_sdk::Verdict { wasmill_sdk::Verdict::pass() }
//! ```
//!
//! Two plugins in one crate:
//! ```compile_fail,E0428
//! # #[derive(wasmill_sdk::Fields)]
//! # struct Log { n: i64 }
//! #[wasmill_sdk::validator]
//! fn one(log: Log) -> wasmill_sdk::Verdict { wasmill_sdk::Verdict::pass() }
//! #[wasmill_sdk::alerter]
//! fn two(log: Log) -> Option<wasmill_sdk::Alert> { None }
//! ```
//!
//! An answer of the wrong type:
//! ```compile_fail,E0277
//! # #[derive(wasmill_sdk::Fields)]
//! # struct Log { n: i64 }
//! #[wasmill_sdk::validator]
//! fn judge(log: Log) -> bool { log.n > 0 }
//! ```
//!
//! Text that the enricher made, passed off as text that lives as long as the batch:
//! ```compile_fail
//! # #[derive(wasmill_sdk::Fields)]
//! # struct Log { n: i64 }
//! # #[derive(wasmill_sdk::Output)]
//! # struct Out<'a> { text: &'a str }
//! #[wasmill_sdk::enricher]
//! fn enrich<'a>(log: Log) -> Out<'a> { Out { text: &log.n.to_string() } }
//! ```
