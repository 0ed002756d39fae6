//! Evaluation allocates nothing on the common path: counted by the allocator itself.

#[path = "support/event.rs"]
mod event;

use event::Event;
use serde_json::json;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use wasmill_expr::Program;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator unchanged; counting allocates nothing.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations(source: &str) -> usize {
    let document = json!({
        "severity": "ERROR", "count": 5, "ratio": 0.5, "flag": true, "tags": ["a", "b"], "source": {"ip": "10.0.0.7"}, "escaped": "a\nb",
    });
    let program = Program::condition(source).expect("the source is valid");
    let event = Event::new(&document, program.columns());
    let before = ALLOCATIONS.with(Cell::get);
    let answer = program.test(&event);
    let after = ALLOCATIONS.with(Cell::get);
    assert_eq!(answer, Ok(true), "{source}");
    after - before
}

#[test]
fn evaluation_does_not_allocate() {
    for source in [
        "severity == 'ERROR' && source.ip.startsWith('10.')",
        "severity in ['WARN', 'ERROR'] && count in [1, 5]",
        "severity.contains('RR') || severity.matches('^E+')",
        "severity.matches('^E[A-Z]+$')",
        "has(missing) || count > 3 && ratio < 1",
        "flag ? 'a' in tags : 'b' in tags",
        "size(tags) == 2 && size(severity) == 5",
        "count * 2 + 1 == 11 && -ratio < 0.0",
        "severity != source.ip && tags == ['a', 'b']",
        "missing == 1 || flag",
    ] {
        assert_eq!(allocations(source), 0, "{source}");
    }
}

#[test]
fn text_with_escapes_is_unescaped_aside() {
    // The counter counts: this is the documented exception, JSON escapes met in a raw token.
    assert_eq!(allocations("escaped in ['a\\nb', ratio]"), 1);
}
