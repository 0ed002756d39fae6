//! Functions of the C library that every plugin has, and that a guest needs in another way: memory, which is to be small; what is
//! printed, which goes to the host's log; and the environment, which has no variables.
//!
//! The linker takes these for the library's own, whose code and whose imports of WASI then stay out of a component that has no other
//! use for them. A plugin that brings C code shares them.
//!
//! SAFETY: they take the names of the C library's functions, so they do what those promise: an address of the heap is aligned,
//! unshared and as large as was asked for, or null. A guest has one thread and no signals, so nobody is inside of the heap while
//! another comes.

mod heap;
#[cfg(target_arch = "wasm32")]
mod names;
#[cfg(target_arch = "wasm32")]
pub(crate) use names::{end_line, reserve};
