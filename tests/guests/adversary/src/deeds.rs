//! What a guest can do to its host, wherever it is called.

use std::hint::black_box;

use crate::Deed;
use crate::bindings::wasmill::plugin::log as host;
use crate::bindings::wasmill::plugin::types::Level;

const PAGE_BYTES: usize = 1 << 16;

/// Does it, if it is one of the deeds that can be done anywhere.
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "what it prints is the deed")]
pub(crate) fn do_anywhere(deed: Deed<'_>) {
    let amount = deed.amount();
    match deed.word {
        "trap" => panic!("the adversary traps: {}", deed.argument),
        "loop" => loop {
            black_box(());
        },
        "memory" => hoard(),
        "memory_pages" => grow(amount),
        "stack" => {
            black_box(deep(black_box(1)));
        }
        "shadow_stack" => {
            black_box(deep_and_wide(black_box([1; PAGE_BYTES / 8])));
        }
        "exit" => std::process::exit(deed.argument.parse().unwrap_or(0)),
        "log_flood" => (0..amount).for_each(|number| log(&format!("line {number}"))),
        "log_huge" => log(&"\u{1b}[31m".repeat(amount / 5)),
        "stdout_flood" => (0..amount).for_each(|number| println!("line {number}")),
        "stderr_flood" => (0..amount).for_each(|number| eprintln!("line {number}")),
        "sleep" => std::thread::sleep(std::time::Duration::from_secs(3_600)),
        _ => {}
    }
}

/// A line in the host's log.
pub(crate) fn log(line: &str) {
    host::log(Level::Error, line);
}

/// Fills memory until it is refused.
fn hoard() {
    let mut hoard = Vec::new();
    loop {
        let mut bytes: Vec<u8> = Vec::new();
        bytes.try_reserve_exact(PAGE_BYTES).expect("the host refuses more memory");
        bytes.resize(PAGE_BYTES, 7);
        hoard.push(bytes);
        black_box(&hoard);
    }
}

fn grow(pages: usize) {
    let before = std::arch::wasm32::memory_grow::<0>(pages);
    assert_ne!(before, usize::MAX, "the host refuses {pages} pages");
}

/// A call that no optimiser can make a loop of.
fn deep(depth: u64) -> u64 {
    if depth == 0 { 0 } else { black_box(deep(black_box(depth + 1))) + 1 }
}

/// The same with a page of the guest's own memory per call.
fn deep_and_wide(frame: [u64; PAGE_BYTES / 8]) -> u64 {
    if frame[0] == 0 { 0 } else { black_box(deep_and_wide(black_box(frame))) + 1 }
}
