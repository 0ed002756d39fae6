//! The summary at the end of a run, for people.

use std::fmt::Write;

use crate::report::Report;

/// A few lines: what came in, where it went, what was rejected and why, what each plugin cost.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    let rate = report.received as f64 / report.seconds.max(1e-9);
    let cpu_ns = report.cpu_seconds * 1e9 / (report.received.max(1)) as f64;
    // Writing to a string does not fail.
    let _ = writeln!(
        text,
        "{}: {} events in {:.1} s ({rate:.0}/s, {cpu_ns:.0} ns of processor time each)",
        report.pipeline, report.received, report.seconds
    );
    let _ = writeln!(
        text,
        "  dropped {}, rejected {}, dead letters {}, alerts {}",
        report.dropped, report.rejected, report.dead_letters, report.alerts
    );
    for sink in &report.sinks {
        let count = |map: &std::collections::BTreeMap<String, u64>| map.get(&sink.name).copied().unwrap_or(0);
        let _ = writeln!(
            text,
            "  sink {:<16} {:>9} delivered, {} filtered, {} refused, {} retries, {:.1} ms median write, {}",
            sink.name,
            count(&report.delivered),
            count(&report.filtered),
            count(&report.refused),
            sink.retries,
            sink.p50_ms,
            sink.guarantee
        );
    }
    for (code, count) in &report.rejections {
        let _ = writeln!(text, "  dead letters {code:<20} {count:>9}");
    }
    for plugin in &report.plugins {
        let ns = plugin.work.seconds * 1e9 / plugin.events.max(1) as f64;
        let _ = writeln!(
            text,
            "  plugin {:<16} {} {}  {:>9} events, {ns:.0} ns each, {} rejected, {} traps",
            plugin.name,
            plugin.version,
            &plugin.digest[..12],
            plugin.events,
            plugin.rejected,
            plugin.work.traps
        );
    }
    text
}
