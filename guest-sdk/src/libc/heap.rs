//! What is behind `malloc` in a guest: small, and made for an instance that lives for one batch.
//!
//! A block is of one of a hundred sizes, four to each doubling. When it is freed it goes to the list of its size, and is taken from there
//! again; blocks are neither merged nor split. The youngest block is given back to the untouched memory behind it instead, and grows
//! and shrinks where it is, so a vector that grows alone is not copied. A block of a size comes to be only when none of that size is
//! free: there are never more of a size than were in use at once, and an instance that goes on needs no more than its largest batch.
//! (Segregated free lists over a bump pointer: Wilson, Johnstone, Neely and Boles, "Dynamic Storage Allocation: A Survey and Critical
//! Review", 1995, section 3.6.) What dlmalloc does beyond, for programs that run for weeks, is 11 kB of code in each plugin.
//!
//! SAFETY: a caller keeps the rules of C: an address that is freed or resized came from this heap and is not used after. Then each
//! block is in use or in one list, never both. Blocks do not overlap, since the mark that cuts them off moves only within memory
//! that is this heap's own; and whatever is written beside what callers have, a header or a link, is written inside of the block
//! that it belongs to.

use std::ptr;

/// What C promises of any address, and the unit of blocks.
const ALIGN: usize = 16;
const HEADER_BYTES: usize = size_of::<Header>();
/// Blocks up to this have a list for each unit.
const SMALL_UNITS: usize = 4;
/// Lists: of small blocks, and four for each power of two above.
const LISTS: usize = SMALL_UNITS + 4 * 26;
/// What a memory grows by.
pub(crate) const PAGE_BYTES: usize = 65_536;

/// The memory that a heap is laid out in.
pub(crate) trait Memory {
    /// The first address that may be used.
    fn begin(&self) -> usize;
    /// The address behind the last.
    fn end(&self) -> usize;
    /// Adds zeroed bytes at the end, in whole pages. False when there are none.
    fn grow(&mut self, pages: usize) -> bool;
}

/// Stands before the bytes that were given away.
struct Header {
    /// From here to the end of the block.
    bytes: usize,
    /// From the beginning of the block to here: nothing, unless an unusual alignment was asked for.
    skipped: usize,
}

/// All that is known of the memory. It is ready when it is zeroed: `at` and `end` are set when memory is asked for.
#[derive(Debug)]
pub(crate) struct Heap<M> {
    memory: M,
    /// The free blocks of each size: the address of the first, which holds that of the next.
    free: [usize; LISTS],
    /// The first untouched byte.
    at: usize,
    /// The end of what is ours without a gap.
    end: usize,
}

impl<M: Memory> Heap<M> {
    pub(crate) const fn new(memory: M) -> Self {
        Self { memory, free: [0; LISTS], at: 0, end: 0 }
    }

    /// Grows the memory, so that the next `bytes` need not.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        _ = self.make_room(bytes);
    }

    /// The address of `bytes` at a multiple of `align`, a power of two; 0 when there are none left.
    #[inline(never)]
    pub(crate) fn allocate(&mut self, bytes: usize, align: usize) -> usize {
        let unusual = if align > ALIGN { align } else { 0 };
        let Some((list, size)) = bytes.checked_add(unusual + HEADER_BYTES).and_then(size_for) else { return 0 };
        let Some(block) = self.take(list, size) else { return 0 };
        let address = (block + HEADER_BYTES).next_multiple_of(align.max(ALIGN));
        let header = address - HEADER_BYTES;
        let skipped = header - block;
        // SAFETY: it is inside of the block, which has room for it, for the alignment and for the bytes.
        unsafe { header_of(address).write(Header { bytes: size - skipped, skipped }) };
        address
    }

    /// Takes back what `allocate` or `resize` gave.
    ///
    /// # Safety
    /// `address` is in use.
    #[inline(never)]
    pub(crate) unsafe fn free(&mut self, address: usize) {
        // SAFETY: it is in use, so its header stands.
        let Header { bytes, skipped } = unsafe { header_of(address).read() };
        let (block, size) = (address - HEADER_BYTES - skipped, bytes + skipped);
        if block + size == self.at {
            self.at = block;
            return;
        }
        let Some((list, _)) = size_for(size) else { return };
        // SAFETY: nobody has the block any more, and the smallest has room for an address.
        unsafe { ptr::with_exposed_provenance_mut::<usize>(block).write(self.free[list]) };
        self.free[list] = block;
    }

    /// The address of the same bytes, as many as fit, in a block for `bytes`; 0 when there is none, and then the old one stands.
    ///
    /// # Safety
    /// `address` is in use.
    #[inline(never)]
    pub(crate) unsafe fn resize(&mut self, address: usize, bytes: usize) -> usize {
        // SAFETY: it is in use, so its header stands.
        let header = unsafe { &mut *header_of(address) };
        let Some((list, size)) = bytes.checked_add(HEADER_BYTES).and_then(size_for) else { return 0 };
        let begin = address - HEADER_BYTES;
        let is_youngest = begin + header.bytes == self.at && header.skipped == 0;
        // Not where a block of that size is free: else there would be one more of them each time.
        let stays = is_youngest && self.free[list] == 0;
        if stays && (size <= header.bytes || self.make_room_behind(size - header.bytes)) {
            self.at = begin + size;
            header.bytes = size;
            return address;
        }
        // A block that is used by half is left as it is.
        if size <= header.bytes && header.bytes <= 2 * size {
            return address;
        }
        let kept = bytes.min(header.bytes - HEADER_BYTES);
        let new = self.allocate(bytes, ALIGN);
        if new != 0 {
            // SAFETY: both blocks are in use and hold as many bytes; the old one is given up after.
            unsafe {
                let (from, to) = (ptr::with_exposed_provenance(address), ptr::with_exposed_provenance_mut(new));
                ptr::copy_nonoverlapping::<u8>(from, to, kept);
                self.free(address);
            }
        }
        new
    }

    /// How many bytes may be used at an address.
    ///
    /// # Safety
    /// `address` is in use.
    pub(crate) unsafe fn usable(&self, address: usize) -> usize {
        // SAFETY: it is in use, so its header stands.
        unsafe { (*header_of(address)).bytes - HEADER_BYTES }
    }

    /// A free block of a size.
    fn take(&mut self, list: usize, size: usize) -> Option<usize> {
        let block = self.free[list];
        if block != 0 {
            // SAFETY: it is in the list, so it holds the address of the next.
            self.free[list] = unsafe { ptr::with_exposed_provenance::<usize>(block).read() };
            return Some(block);
        }
        if !self.make_room(size) {
            return None;
        }
        let block = self.at;
        self.at += size;
        Some(block)
    }

    /// Sees to so many untouched bytes; where somebody else has grown the memory they begin behind.
    fn make_room(&mut self, bytes: usize) -> bool {
        if self.at == 0 {
            (self.at, self.end) = (first_block(self.memory.begin()), self.memory.end());
        }
        if self.make_room_behind(bytes) {
            return true;
        }
        let begin = self.memory.end();
        if begin == self.end || !self.memory.grow((bytes + ALIGN).div_ceil(PAGE_BYTES)) {
            return false;
        }
        (self.at, self.end) = (first_block(begin), self.memory.end());
        true
    }

    /// The same, only where the untouched memory goes on.
    fn make_room_behind(&mut self, bytes: usize) -> bool {
        let room = self.end.saturating_sub(self.at);
        if bytes <= room {
            return true;
        }
        if self.memory.end() != self.end || !self.memory.grow((bytes - room).div_ceil(PAGE_BYTES)) {
            return false;
        }
        self.end = self.memory.end();
        true
    }
}

/// Where the first block begins, so that what follows its header is aligned; and so for all that follow, whose sizes are whole units.
fn first_block(begin: usize) -> usize {
    (begin + HEADER_BYTES).next_multiple_of(ALIGN) - HEADER_BYTES
}

fn header_of(address: usize) -> *mut Header {
    ptr::with_exposed_provenance_mut(address - HEADER_BYTES)
}

/// The list, and the size, of blocks that hold `bytes` with a header. `None` for more than any memory has.
fn size_for(bytes: usize) -> Option<(usize, usize)> {
    if bytes <= SMALL_UNITS * ALIGN {
        let units = bytes.div_ceil(ALIGN);
        return Some((units - 1, units * ALIGN));
    }
    // It is above one power of two and at most the next, and in one of the quarters between.
    let power = (bytes - 1).ilog2() as usize;
    let quarter = 1 << (power - 2);
    let quarters = (bytes - 1) / quarter - 3;
    let list = SMALL_UNITS + 4 * (power - 6) + quarters - 1;
    (power < 31 && list < LISTS).then_some((list, (4 + quarters) * quarter))
}

#[cfg(test)]
mod tests;
