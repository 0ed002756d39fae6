//! The functions themselves, under the names that the linker knows.

use std::arch::wasm32::{memory_grow, memory_size};
use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_char, c_int, c_void};
use std::ptr::{self, null_mut};
use std::{mem, slice};

use super::heap::{Heap, Memory, PAGE_BYTES};
use crate::guest;
use crate::log::Level;

/// C's numbers of errors.
const ENOMEM: c_int = 48;
/// C's numbers of files.
const STDOUT: c_int = 1;
const STDERR: c_int = 2;

unsafe extern "C" {
    /// Where the linker's own data end.
    static __heap_base: u8;
}

/// The guest's memory.
struct Linear;

impl Memory for Linear {
    fn begin(&self) -> usize {
        (&raw const __heap_base).expose_provenance()
    }

    fn end(&self) -> usize {
        memory_size::<0>() * PAGE_BYTES
    }

    fn grow(&mut self, pages: usize) -> bool {
        memory_grow::<0>(pages) != usize::MAX
    }
}

/// For the one thread that a guest has.
struct Alone<T>(T);

// SAFETY: there is no other thread to share it with.
unsafe impl<T> Sync for Alone<T> {}

static HEAP: Alone<UnsafeCell<Heap<Linear>>> = Alone(UnsafeCell::new(Heap::new(Linear)));

/// What was printed since the last end of a line.
static LINE: Alone<Cell<Vec<u8>>> = Alone(Cell::new(Vec::new()));

fn heap() -> &'static mut Heap<Linear> {
    // SAFETY: one thread, and no function of this module calls another while it has the heap.
    unsafe { &mut *HEAP.0.get() }
}

/// Takes memory for `bytes` ahead of need, since growing it costs a system call and an instance lives for one batch.
pub(crate) fn reserve(bytes: usize) {
    heap().reserve(bytes);
}

fn pointer(address: usize) -> *mut c_void {
    ptr::with_exposed_provenance_mut(address)
}

#[unsafe(no_mangle)]
extern "C" fn malloc(bytes: usize) -> *mut c_void {
    pointer(heap().allocate(bytes, 1))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn free(address: *mut c_void) {
    if !address.is_null() {
        // SAFETY: C's rules.
        unsafe { heap().free(address.expose_provenance()) }
    }
}

#[unsafe(no_mangle)]
extern "C" fn calloc(count: usize, bytes: usize) -> *mut c_void {
    let Some(bytes) = count.checked_mul(bytes) else { return null_mut() };
    let address = pointer(heap().allocate(bytes, 1));
    if !address.is_null() {
        // SAFETY: it has so many bytes.
        unsafe { address.write_bytes(0, bytes) }
    }
    address
}

#[unsafe(no_mangle)]
unsafe extern "C" fn realloc(address: *mut c_void, bytes: usize) -> *mut c_void {
    if address.is_null() {
        return pointer(heap().allocate(bytes, 1));
    }
    // SAFETY: C's rules.
    pointer(unsafe { heap().resize(address.expose_provenance(), bytes) })
}

#[unsafe(no_mangle)]
extern "C" fn aligned_alloc(align: usize, bytes: usize) -> *mut c_void {
    pointer(heap().allocate(bytes, align))
}

#[unsafe(no_mangle)]
unsafe extern "C" fn posix_memalign(result: *mut *mut c_void, align: usize, bytes: usize) -> c_int {
    let address = heap().allocate(bytes, align);
    if address == 0 {
        return ENOMEM;
    }
    // SAFETY: C's rules: the result has room for an address.
    unsafe { result.write(pointer(address)) };
    0
}

#[unsafe(no_mangle)]
unsafe extern "C" fn malloc_usable_size(address: *mut c_void) -> usize {
    // SAFETY: C's rules.
    if address.is_null() { 0 } else { unsafe { heap().usable(address.expose_provenance()) } }
}

/// There are no variables.
#[unsafe(no_mangle)]
extern "C" fn getenv(_name: *const c_char) -> *mut c_char {
    null_mut()
}

/// What is printed becomes lines of the log; no other file can be open.
#[unsafe(no_mangle)]
unsafe extern "C" fn write(file: c_int, bytes: *const u8, count: usize) -> isize {
    if !matches!(file, STDOUT | STDERR) {
        return -1;
    }
    // SAFETY: C's rules: there are so many bytes.
    let bytes = unsafe { slice::from_raw_parts(bytes, count) };
    let mut line = LINE.0.take();
    // Without memory nothing is printed: what Rust says of that comes here too.
    if line.try_reserve(count).is_ok() {
        for byte in bytes {
            match byte {
                b'\n' => log_line(&mut line),
                _ => line.push(*byte),
            }
        }
    }
    // Nothing is there to be dropped.
    mem::forget(LINE.0.replace(line));
    count.cast_signed()
}

/// Logs what was printed and has no end yet.
pub(crate) fn end_line() {
    let mut line = LINE.0.take();
    log_line(&mut line);
    mem::forget(LINE.0.replace(line));
}

#[inline(never)]
fn log_line(line: &mut Vec<u8>) {
    if str::from_utf8(line).is_err() {
        line.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
    }
    match str::from_utf8(line) {
        Ok(text) if !line.iter().all(u8::is_ascii_whitespace) => guest::log(Level::Info, text),
        _ => {}
    }
    line.clear();
}
