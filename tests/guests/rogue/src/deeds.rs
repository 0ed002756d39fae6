//! What a guest can do to its host, whatever its kind.

use std::hint::black_box;

use crate::bindings::wasmill::plugin::log::log;
use crate::bindings::wasmill::plugin::types::Level;

/// Does `deed`, if it is one of these.
pub(crate) fn misdeed(deed: &str, argument: &str) {
    let amount = argument.parse::<usize>().unwrap_or(0);
    match deed {
        "trap" => std::arch::wasm32::unreachable(),
        "panic" => panic!("a panic about {argument}"),
        "long_panic" => panic!("{}", "p".repeat(amount)),
        "abort" => std::process::abort(),
        "exit" => std::process::exit(3),
        "loop" => loop {
            black_box(());
        },
        "burn" => (0..amount).for_each(|n| {
            black_box(n);
        }),
        "stack" => {
            black_box(deep(black_box(0)));
        }
        "memory" => hoard(amount),
        "log" => (0..amount).for_each(|n| log(Level::Info, &format!("line {n}"))),
        "long_log" => log(Level::Warn, &"x\x1b".repeat(amount)),
        "log_loop" => log_for_ever(&"l".repeat(amount)),
        "print" => print(amount),
        "sleep" => sleep(),
        "sleep_loop" => loop {
            sleep();
        },
        "clock" => assert_eq!(std::time::SystemTime::now(), std::time::UNIX_EPOCH),
        "outside" => outside(),
        _ => {}
    }
}

fn log_for_ever(line: &str) -> ! {
    loop {
        log(Level::Info, line);
    }
}

fn sleep() {
    std::thread::sleep(std::time::Duration::from_secs(3600));
}

#[allow(clippy::print_stdout, reason = "what becomes of it is what is tested")]
fn print(lines: usize) {
    (0..lines).for_each(|n| println!("print {n}"));
}

/// Recursion that no optimiser can turn into a loop.
fn deep(n: u64) -> u64 {
    if n == u64::MAX { 0 } else { black_box(deep(black_box(n + 1))) + 1 }
}

/// Takes `megabytes`, or all that there is.
fn hoard(megabytes: usize) {
    let mut hoard = Vec::new();
    let end = if megabytes == 0 { usize::MAX } else { megabytes };
    for _ in 0..end {
        hoard.push(vec![1u8; 1 << 20]);
        black_box(&hoard);
    }
}

/// Tries everything that a program may try outside of itself, and traps if any of it works.
fn outside() {
    assert_eq!(std::env::vars().count(), 0);
    assert!(std::env::args().next().is_none());
    assert!(std::fs::read("/etc/passwd").is_err());
    assert!(std::fs::write("/tmp/x", "x").is_err());
    assert!(std::fs::read_dir("/").is_err());
    let mut line = String::new();
    assert_eq!(std::io::stdin().read_line(&mut line).unwrap_or(0), 0);
}
