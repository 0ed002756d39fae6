//! Log lines, which the host limits in rate and length and marks with the plugin and its digest. Natively they go to stderr.
//!
//! ```
//! use wasmill_sdk::log;
//! log::warn!("no team for {}", "web-1");
//! ```

use std::fmt;

#[doc(inline)]
pub use crate::{
    __log_debug as debug, __log_error as error, __log_info as info, __log_trace as trace, __log_warn as warn,
};

/// How important a line is.
///
/// ```
/// use wasmill_sdk::log::{self, Level};
///
/// log::warn!("{} events came too late", 3);
/// log::write(Level::Warn, format_args!("the same, at a level that is found out"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// Every step.
    Trace,
    /// For the plugin's author.
    Debug,
    /// For the operator.
    Info,
    /// For the operator to look at.
    Warn,
    /// Something is wrong.
    Error,
}

/// Writes a line; the macros of this module are the short way.
#[cold]
pub fn write(level: Level, line: fmt::Arguments<'_>) {
    sink(level, &line.to_string());
}

#[cfg(target_arch = "wasm32")]
use crate::guest::log as sink;

#[cfg(not(target_arch = "wasm32"))]
#[expect(clippy::print_stderr, reason = "natively a plugin runs in a test, whose log is stderr")]
fn sink(level: Level, line: &str) {
    eprintln!("{level:?}: {line}");
}

/// Logs a line for the plugin's author: every step.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_trace {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Trace, ::core::format_args!($($line)*)) };
}

/// Logs a line for the plugin's author.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_debug {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Debug, ::core::format_args!($($line)*)) };
}

/// Logs a line for the operator.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_info {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Info, ::core::format_args!($($line)*)) };
}

/// Logs a line for the operator to look at.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_warn {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Warn, ::core::format_args!($($line)*)) };
}

/// Logs that something is wrong.
#[doc(hidden)]
#[macro_export]
macro_rules! __log_error {
    ($($line:tt)*) => { $crate::log::write($crate::log::Level::Error, ::core::format_args!($($line)*)) };
}
