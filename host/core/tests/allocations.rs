//! Extraction allocates per batch, not per event.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use wasmill_core::{EventTime, FieldKind, PartitionId, ProjectionBuilder, RawBatch};

struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: everything is passed on to the system's allocator as it came.
#[allow(unsafe_code)]
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `GlobalAlloc::alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `GlobalAlloc::dealloc`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(events: i64) -> usize {
    let partition = PartitionId {
        source: "stdin".into(),
        cluster: String::new(),
        topic: "stdin".into(),
        topic_id: String::new(),
        partition: 0,
    };
    let mut raw = RawBatch::new(Arc::new(partition), 0);
    for offset in 0..events {
        let payload = format!(
            r#"{{"at":"2026-01-02T03:04:{:02}Z","n":{offset},"x":{{"y":"\u00e9 {offset}","z":[1,{{}}]}},"f":1.5}}"#,
            offset % 60
        );
        raw.push(offset, 0, None, Some(payload.as_bytes()), []);
    }
    let path = |text: &str| text.parse().expect("a path");
    let mut builder = ProjectionBuilder::new(EventTime::Field(path("at")), 1 << 20);
    for (column, kind) in [("at", FieldKind::Text), ("n", FieldKind::Integer), ("x.y", FieldKind::Text)] {
        builder.column(Some(&path(column)), kind);
    }
    builder.column(Some(&path("f")), FieldKind::Float);
    builder.write(&path("x.new"));
    let projection = builder.build();
    let before = ALLOCATIONS.load(Ordering::Relaxed);
    let (batch, rejections) = projection.extract(raw);
    let after = ALLOCATIONS.load(Ordering::Relaxed);
    assert_eq!((batch.live.len() as i64, rejections.len()), (events, 0));
    after - before
}

#[test]
fn batch_of_many_events_allocates_no_more_than_one_of_few() {
    let few = allocations_of(100);
    let many = allocations_of(2_000);
    assert!(many <= few + 4, "{few} allocations for 100 events, {many} for 2 000");
}
