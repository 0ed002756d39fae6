//! What a test does when the machine lacks what it needs: say so loudly, or fail where that must not happen.

use std::io::Write;

/// How the line of a skipped test starts; `cargo xtask test` counts these.
pub const SKIPPED: &str = "SKIPPED: ";

/// Says that a test is skipped and why; the test returns after this. With `CI=true` it fails instead.
///
/// # Panics
/// When the variable `CI` is `true`: nothing may be missing there.
pub fn skip(reason: &str) {
    assert!(!in_ci(), "{reason} (with CI=true a test may not be skipped)");
    // Not by `println!`, which the test harness captures.
    let line = format!("\n{SKIPPED}{}\n", reason.replace('\n', " "));
    let _ = std::io::stdout().lock().write_all(line.as_bytes());
}

/// Whether this is a run that may skip nothing.
pub fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true")
}
