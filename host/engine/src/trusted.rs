//! The one place that takes compiled code.
#![allow(unsafe_code)]

use wasmtime::Engine;
use wasmtime::component::Component;

/// Compiled code that our own compiler made: in this process, in a child of it, or earlier, kept in a folder that only
/// we may write and checked against its hash.
pub(crate) struct OwnCode<'a>(pub(crate) &'a [u8]);

/// The component that was compiled to `code`.
///
/// # Errors
/// When it was compiled for another engine, version or processor.
pub(crate) fn component(engine: &Engine, code: &OwnCode<'_>) -> wasmtime::Result<Component> {
    // SAFETY: the bytes come from `Component::serialize` of our own compiler, by the promise of `OwnCode`.
    unsafe { Component::deserialize(engine, code.0) }
}
