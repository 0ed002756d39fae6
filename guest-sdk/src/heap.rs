//! The memory behind `malloc`, taken ahead of need.
//!
//! Growing a memory costs system calls, and an instance lives for one batch only. So `configure` grows it once for what a large
//! batch takes ([`reserve`]), and every instance has that much from its beginning. The allocator must not be told at once: it
//! would write a mark to the end of all that it has, and what an instance holds at the end of `configure` is kept as one image
//! from the first byte to the last, zeros included, from which each used page of the next instance is copied anew. Hence the
//! C library's `sbrk` is replaced by one that hands the reserve out piece by piece. Whoever brings another allocator, or grows
//! memory beside this one, does so as ever.
//!
//! SAFETY: the only unsafe thing is the name: the C library's allocator takes this `sbrk` for its own. It gets what it expects, whole
//! zeroed pages that nobody else has: they come from `memory.grow` alone, and each is handed out once.

use std::arch::wasm32::{memory_grow, memory_size};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

const PAGE_BYTES: usize = 65_536;
/// What stands for an address when there is no memory.
const NONE: usize = usize::MAX;

/// The page behind those that were handed out. Both count nothing before the first use.
static BREAK: AtomicUsize = AtomicUsize::new(0);
/// The page behind those that are ours.
static END: AtomicUsize = AtomicUsize::new(0);

/// Takes memory for `bytes` that the allocator will ask for, if there is so much.
pub(crate) fn reserve(bytes: usize) {
    take(bytes.div_ceil(PAGE_BYTES));
}

/// Hands out memory in whole pages, and answers its address.
#[unsafe(no_mangle)]
extern "C" fn sbrk(increment: isize) -> usize {
    let Ok(bytes) = usize::try_from(increment) else { return NONE };
    let pages = bytes.div_ceil(PAGE_BYTES);
    let Some(first) = take(pages) else { return NONE };
    BREAK.store(first + pages, Relaxed);
    first * PAGE_BYTES
}

/// The first of `pages` pages in a row that are ours and not handed out.
fn take(pages: usize) -> Option<usize> {
    let (first, end) = (BREAK.load(Relaxed), END.load(Relaxed));
    if first + pages <= end && end > 0 {
        return Some(first);
    }
    let size = memory_size::<0>();
    // Where somebody else has grown the memory, a new row begins behind.
    let first = if size == end { first } else { size };
    if memory_grow::<0>(first + pages - size) == usize::MAX {
        return None;
    }
    BREAK.store(first, Relaxed);
    END.store(first + pages, Relaxed);
    Some(first)
}
