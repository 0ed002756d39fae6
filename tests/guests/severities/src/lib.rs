//! A small validator, as authors write it. `severities-bare` does the same without the SDK, and a benchmark compares the two.

use wasmill_sdk::{Fields, Verdict};

/// What it reads.
#[derive(Fields)]
pub struct Log<'a> {
    severity: &'a str,
    status: Option<i64>,
}

/// Lets known severities pass whose status, if there is one, can be one.
#[wasmill_sdk::validator]
pub fn judge(log: Log<'_>) -> Verdict {
    if !["DEBUG", "INFO", "WARN", "ERROR", "CRITICAL"].contains(&log.severity) {
        return Verdict::reject("bad_severity", "the severity is not known");
    }
    match log.status {
        Some(status) if !(100..600).contains(&status) => Verdict::reject("bad_status", "the status is none"),
        _ => Verdict::pass(),
    }
}
