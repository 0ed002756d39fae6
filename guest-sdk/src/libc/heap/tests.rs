use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::slice;

use super::*;

const PAGES: usize = 64;

/// Pages of this process, which grow as a guest's memory does.
struct Arena {
    begin: *mut u8,
    pages: usize,
}

impl Arena {
    fn layout() -> Layout {
        Layout::from_size_align(PAGES * PAGE_BYTES, PAGE_BYTES).unwrap()
    }

    /// With one page, of which the linker's data take some bytes.
    fn heap() -> Heap<Arena> {
        // SAFETY: the layout has a size.
        let begin = unsafe { alloc_zeroed(Self::layout()) };
        assert!(!begin.is_null());
        Heap::new(Arena { begin, pages: 1 })
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: it came from there.
        unsafe { dealloc(self.begin, Self::layout()) }
    }
}

impl Memory for Arena {
    fn begin(&self) -> usize {
        self.begin.expose_provenance() + 1001
    }

    fn end(&self) -> usize {
        self.begin.expose_provenance() + self.pages * PAGE_BYTES
    }

    fn grow(&mut self, pages: usize) -> bool {
        let fits = self.pages + pages <= PAGES;
        self.pages += if fits { pages } else { 0 };
        fits
    }
}

fn bytes_at<'a>(address: usize, count: usize) -> &'a mut [u8] {
    // SAFETY: the tests ask for blocks that are in use.
    unsafe { slice::from_raw_parts_mut(ptr::with_exposed_provenance_mut(address), count) }
}

/// A block of a test: where it is, how many bytes were asked for, and what fills them.
struct Used {
    address: usize,
    bytes: usize,
    fill: u8,
}

impl Used {
    fn assert_kept(&self, bytes: usize) {
        assert!(bytes_at(self.address, bytes).iter().all(|byte| *byte == self.fill), "{} bytes", self.bytes);
    }
}

/// Numbers that look random and are the same in each run (Knuth's multiplier for 64 bits).
fn numbers(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[test]
fn blocks_keep_what_is_in_them_whatever_is_allocated_resized_and_freed() {
    for seed in 0..40 {
        let mut heap = Arena::heap();
        let mut next = numbers(seed);
        let mut used: Vec<Used> = Vec::new();
        for step in 0..2_000 {
            let bytes = [next(40), next(600), next(20_000), 0][next(4)];
            match next(3) {
                0 if !used.is_empty() => {
                    let old = used.swap_remove(next(used.len()));
                    old.assert_kept(old.bytes);
                    // SAFETY: it is in use.
                    unsafe { heap.free(old.address) }
                }
                1 if !used.is_empty() => {
                    let place = next(used.len());
                    let old = &mut used[place];
                    // SAFETY: it is in use.
                    let address = unsafe { heap.resize(old.address, bytes) };
                    if address != 0 {
                        old.address = address;
                        old.assert_kept(old.bytes.min(bytes));
                        old.bytes = bytes;
                        bytes_at(address, bytes).fill(old.fill);
                    }
                    old.assert_kept(old.bytes);
                }
                _ => {
                    let align = 1 << next(9);
                    let address = heap.allocate(bytes, align);
                    if address == 0 {
                        continue;
                    }
                    assert!(address.is_multiple_of(align.max(ALIGN)), "{address:x} of {align}");
                    // SAFETY: it is in use.
                    assert!(unsafe { heap.usable(address) } >= bytes);
                    assert!(address + bytes <= heap.memory.end());
                    let fill = step as u8;
                    bytes_at(address, bytes).fill(fill);
                    used.push(Used { address, bytes, fill });
                }
            }
        }
        used.iter().for_each(|one| one.assert_kept(one.bytes));
    }
}

#[test]
fn vector_that_grows_alone_stays_where_it_is() {
    let mut heap = Arena::heap();
    let before = heap.allocate(100, 1);
    let address = heap.allocate(8, 1);
    bytes_at(address, 8).fill(7);
    for doubled in 4..22 {
        // SAFETY: it is in use.
        assert_eq!(unsafe { heap.resize(address, 1 << doubled) }, address);
    }
    assert!(bytes_at(address, 8).iter().all(|byte| *byte == 7));
    // What it does not need any more is used for the next.
    // SAFETY: it is in use.
    assert_eq!(unsafe { heap.resize(address, 8) }, address);
    assert!(heap.allocate(8, 1) < address + 64 && before < address);
}

#[test]
fn batches_that_are_alike_need_no_more_memory_than_the_second_of_them() {
    for seed in 0..20 {
        let mut heap = Arena::heap();
        let mut ends = Vec::new();
        for _ in 0..300 {
            // The same numbers for each batch: lists that grow and shrink beside one another, and end in any order.
            let mut next = numbers(seed);
            let mut used: Vec<usize> = (0..8).map(|_| heap.allocate(8, 1)).collect();
            for _ in 0..100 {
                let place = next(used.len());
                // SAFETY: it is in use.
                used[place] = unsafe { heap.resize(used[place], 1 << next(14)) };
                assert_ne!(used[place], 0);
            }
            while !used.is_empty() {
                // SAFETY: it is in use.
                unsafe { heap.free(used.swap_remove(next(used.len()))) };
            }
            ends.push(heap.end);
        }
        assert!(ends[1..].iter().all(|end| *end == ends[1]), "seed {seed}: {ends:?}");
    }
}

#[test]
fn block_that_is_freed_is_used_again() {
    let mut heap = Arena::heap();
    let first = heap.allocate(1000, 1);
    let second = heap.allocate(1000, 1);
    let _third = heap.allocate(1000, 1);
    // SAFETY: they are in use.
    unsafe {
        heap.free(first);
        heap.free(second);
    }
    assert_eq!([heap.allocate(990, 1), heap.allocate(1000, 1)], [second, first]);
}

#[test]
fn memory_is_used_to_its_end_and_more_is_refused() {
    let mut heap = Arena::heap();
    heap.reserve(3 * PAGE_BYTES);
    assert_eq!(heap.memory.pages, 4);
    let mut blocks = Vec::new();
    loop {
        match heap.allocate(10_000, 1) {
            0 => break,
            block => blocks.push(block),
        }
    }
    // The class of 10 000 bytes is 10 240.
    assert_eq!(blocks.len(), (PAGES * PAGE_BYTES - 1001) / 10_240);
    assert_eq!([heap.allocate(usize::MAX, 1), heap.allocate(1 << 31, 1), heap.allocate(100_000, 1)], [0; 3]);
    // SAFETY: it is in use.
    assert_eq!(unsafe { heap.resize(blocks[0], 100_000) }, 0);
    // SAFETY: it is in use.
    unsafe { heap.free(blocks[3]) };
    assert_eq!(heap.allocate(10_000, 1), blocks[3]);
}

#[test]
fn pages_of_somebody_else_are_left_alone() {
    let mut heap = Arena::heap();
    let first = heap.allocate(1000, 1);
    let theirs = heap.memory.end();
    assert!(heap.memory.grow(2));
    let second = heap.allocate(100_000, 1);
    assert!(first < theirs && second > theirs + 2 * PAGE_BYTES);
    // The same where a block is to grow in its place.
    let theirs = heap.memory.end();
    assert!(heap.memory.grow(1));
    // SAFETY: it is in use.
    let third = unsafe { heap.resize(second, 200_000) };
    assert!(third > theirs + PAGE_BYTES);
}

#[test]
fn sizes_are_whole_units_and_waste_a_quarter_at_most() {
    let mut last = (0, 0);
    for bytes in 1..200_000 {
        let (list, size) = size_for(bytes).unwrap();
        assert!(size >= bytes && size.is_multiple_of(ALIGN) && size < bytes + ALIGN + bytes / 4, "{bytes}: {size}");
        assert!(list == last.0 && size == last.1 || (list, bytes - 1) == (last.0 + usize::from(last.1 > 0), last.1));
        last = (list, size);
    }
    assert!(size_for(1 << 31).is_some_and(|(list, _)| list < LISTS));
    assert_eq!([size_for((1 << 31) + 1), size_for(usize::MAX)], [None; 2]);
}
