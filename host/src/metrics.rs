//! `/metrics`: the counts in Prometheus' text format, version 0.0.4. Labels are bounded: plugin, sink, topic and partition as
//! configured, code from plugins (at most 50 of them, the rest summed).

mod names;

use std::collections::BTreeMap;
use std::fmt::{self, Write};

pub use names::Metric;

use crate::health::PartHealth;
use crate::plugin_breakers::BreakerCounts;
use crate::report::{LaneReport, PluginReport, Report, SinkReport, Work};
use crate::status::Status;

/// Most distinct rejection codes shown; the rest is summed under `other`.
const CODES_MAX: usize = 50;

/// Values of one series each, with one more label where there are several.
type Values<'a> = Vec<(Option<(&'static str, &'a str)>, f64)>;

/// The page.
pub fn render(status: &Status) -> String {
    let mut page = Page(String::new());
    // Once: what is added up over several metrics is of one moment.
    let report = status.tally.report();
    for metric in Metric::ALL {
        page.metric(metric, status, &report).expect("writing to a string does not fail");
    }
    page.0
}

struct Page(String);

impl Page {
    fn metric(&mut self, metric: Metric, status: &Status, report: &Report) -> fmt::Result {
        let name = metric.name();
        writeln!(self.0, "# HELP {name} {}\n# TYPE {name} {}", metric.help(), metric.kind())?;
        match metric {
            Metric::Received => self.value(name, &[], report.received as f64),
            Metric::Dropped => self.value(name, &[], report.dropped as f64),
            Metric::Rejected => self.value(name, &[], report.rejected as f64),
            Metric::Alerts => self.value(name, &[], report.alerts as f64),
            Metric::CpuSeconds => self.value(name, &[], report.cpu_seconds),
            Metric::Delivered => self.by(name, "sink", report.delivered.iter().map(|(k, v)| (k.as_str(), *v as f64))),
            Metric::Filtered => self.by(name, "sink", report.filtered.iter().map(|(k, v)| (k.as_str(), *v as f64))),
            Metric::Refused => self.by(name, "sink", report.refused.iter().map(|(k, v)| (k.as_str(), *v as f64))),
            Metric::Retries => self.sinks(name, report, |sink| sink.retries as f64),
            Metric::SinkWrites => self.sinks(name, report, |sink| sink.batches as f64),
            Metric::SinkBytes => self.sinks(name, report, |sink| sink.bytes as f64),
            Metric::SinkSeconds => self.sinks(name, report, |sink| sink.seconds),
            Metric::OpenAlerts => {
                self.by(name, "sink", status.lives.iter().map(|life| (life.sink(), life.open() as f64)))
            }
            Metric::PluginsRefused => {
                self.by(name, "cause", report.plugins_refused.iter().map(|(cause, times)| (*cause, *times as f64)))
            }
            Metric::DeadLetters => self.by(name, "code", by_code(&report.rejections).into_iter()),
            Metric::PluginBreakerOpen | Metric::PluginBreakerOpened => {
                status.breakers.counts().iter().try_for_each(|BreakerCounts { plugin, open, opened }| {
                    let value = if metric == Metric::PluginBreakerOpen { *open as f64 } else { *opened as f64 };
                    let digest = format!("{:#}", plugin.digest);
                    let labels = [("plugin", plugin.name.as_str()), ("version", &plugin.version), ("digest", &digest)];
                    self.value(name, &labels, value)
                })
            }
            Metric::PluginFuel
            | Metric::PluginSeconds
            | Metric::PluginEvents
            | Metric::PluginPassed
            | Metric::PluginRejected
            | Metric::PluginDropped
            | Metric::PluginSkipped
            | Metric::PluginCalls
            | Metric::PluginTraps
            | Metric::PluginLimits
            | Metric::PluginInstances
            | Metric::PluginBytes
            | Metric::PluginStateEvicted
            | Metric::PluginLogLines => self.plugins(metric, &report.plugins),
            Metric::LaneReceived
            | Metric::LanePassed
            | Metric::LaneDropped
            | Metric::LaneRejected
            | Metric::LaneDeadLetters
            | Metric::LaneSkipped
            | Metric::LaneAlerts
            | Metric::LaneFuel
            | Metric::LaneSeconds
            | Metric::LaneCalls
            | Metric::LaneTraps
            | Metric::LaneInstances
            | Metric::LaneBytes => self.lanes(metric, &report.lanes),
            Metric::Lookups | Metric::LookupQueries | Metric::LookupWaits => self.lookups(metric, status),
            Metric::Lag => {
                status.lanes().iter().filter_map(|lane| Some((lane, lane.lag?))).try_for_each(|(lane, lag)| {
                    let partition = lane.partition.to_string();
                    self.value(name, &[("topic", &lane.topic), ("partition", &partition)], lag as f64)
                })
            }
            Metric::Healthy => status.health.parts().iter().try_for_each(|(part, health)| {
                let works = !matches!(health, PartHealth::Red { .. });
                self.value(name, &[("part", part)], f64::from(u8::from(works)))
            }),
        }
    }

    fn plugins(&mut self, metric: Metric, plugins: &[PluginReport]) -> fmt::Result {
        // One file may stand in the directory twice, with another config each.
        let mut sums = BTreeMap::new();
        for plugin in plugins {
            let labels =
                [("plugin", plugin.name.as_str()), ("version", &plugin.version), ("digest", &plugin.digest[..12])];
            for (label, value) in of_plugin(metric, plugin) {
                *sums.entry((labels, label)).or_insert(0.0) += value;
            }
        }
        sums.into_iter().try_for_each(|((labels, label), value)| {
            let labels: Vec<_> = labels.into_iter().chain(label).collect();
            self.value(metric.name(), &labels, value)
        })
    }

    fn lanes(&mut self, metric: Metric, lanes: &[LaneReport]) -> fmt::Result {
        for lane in lanes {
            let partition = lane.partition.to_string();
            let labels = [("topic", lane.topic.as_str()), ("partition", &partition)];
            for (label, value) in of_lane(metric, lane) {
                let labels: Vec<_> = labels.into_iter().chain(label).collect();
                self.value(metric.name(), &labels, value)?;
            }
        }
        Ok(())
    }

    fn sinks(&mut self, name: &str, report: &Report, value: fn(&SinkReport) -> f64) -> fmt::Result {
        self.by(name, "sink", report.sinks.iter().map(|sink| (sink.name.as_str(), value(sink))))
    }

    fn lookups(&mut self, metric: Metric, status: &Status) -> fmt::Result {
        let Some(report) = status.names.made().map(|dns| dns.report()) else { return Ok(()) };
        let outcomes: &[(&str, u64)] = match metric {
            Metric::Lookups => &[
                ("hit", report.hits),
                ("resolved", report.resolved),
                ("left_out", report.left_out),
                ("skipped", report.skipped),
            ],
            Metric::LookupQueries => &[
                ("name", report.names),
                ("none", report.negatives),
                ("unfit", report.unfit),
                ("failed", report.failed),
                ("timeout", report.timeouts),
            ],
            _ => {
                let waits = f64::from(u8::from(report.waits));
                return self.value(metric.name(), &[("lookup", "reverse_dns")], waits);
            }
        };
        outcomes.iter().try_for_each(|(outcome, count)| {
            self.value(metric.name(), &[("lookup", "reverse_dns"), ("outcome", outcome)], *count as f64)
        })
    }

    fn by<'a>(&mut self, name: &str, label: &str, values: impl Iterator<Item = (&'a str, f64)>) -> fmt::Result {
        for (key, value) in values {
            self.value(name, &[(label, key)], value)?;
        }
        Ok(())
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: f64) -> fmt::Result {
        self.0.write_str(name)?;
        for (n, (label, text)) in labels.iter().enumerate() {
            let open = if n == 0 { '{' } else { ',' };
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            write!(self.0, "{open}{label}=\"{text}\"")?;
        }
        if !labels.is_empty() {
            self.0.write_char('}')?;
        }
        writeln!(self.0, " {value}")
    }
}

/// Counts by code, those beyond the most that are shown summed.
fn by_code(codes: &BTreeMap<String, u64>) -> BTreeMap<&str, f64> {
    let mut shown = BTreeMap::new();
    for (n, (code, count)) in codes.iter().enumerate() {
        let code = if n < CODES_MAX { code.as_str() } else { "other" };
        *shown.entry(code).or_default() += *count as f64;
    }
    shown
}

fn labelled<'a>(label: &'static str, values: impl IntoIterator<Item = (&'a str, f64)>) -> Values<'a> {
    values.into_iter().map(|(text, value)| (Some((label, text)), value)).collect()
}

/// What a metric of a plugin is.
fn of_plugin(metric: Metric, plugin: &PluginReport) -> Values<'_> {
    let value = match metric {
        Metric::PluginRejected => return labelled("code", by_code(&plugin.rejections)),
        Metric::PluginLogLines => {
            let lines = [("logged", plugin.log_lines), ("suppressed", plugin.log_lines_suppressed)];
            return labelled("outcome", lines.map(|(outcome, lines)| (outcome, lines as f64)));
        }
        Metric::PluginLimits => {
            return labelled("limit", plugin.limits.iter().map(|(limit, times)| (*limit, *times as f64)));
        }
        Metric::PluginEvents => plugin.events,
        Metric::PluginPassed => plugin.passed,
        Metric::PluginDropped => plugin.dropped,
        Metric::PluginSkipped => plugin.skipped,
        Metric::PluginStateEvicted => plugin.state_evicted,
        _ => return of_work(metric, &plugin.work),
    };
    vec![(None, value as f64)]
}

/// What a metric of a lane is.
fn of_lane(metric: Metric, lane: &LaneReport) -> Values<'_> {
    let value = match metric {
        Metric::LaneDeadLetters => return labelled("code", by_code(&lane.rejections)),
        Metric::LaneReceived => lane.received,
        Metric::LanePassed => lane.passed,
        Metric::LaneDropped => lane.dropped,
        Metric::LaneRejected => lane.rejected,
        Metric::LaneSkipped => lane.skipped,
        Metric::LaneAlerts => lane.alerts,
        _ => return of_work(metric, &lane.work),
    };
    vec![(None, value as f64)]
}

/// What a metric of the work of plugins is, be it of one of them or of all in a lane.
fn of_work(metric: Metric, work: &Work) -> Values<'_> {
    let value = match metric {
        Metric::PluginTraps | Metric::LaneTraps => {
            return labelled("code", work.faults.iter().map(|(code, count)| (*code, *count as f64)));
        }
        Metric::PluginBytes | Metric::LaneBytes => {
            return labelled("direction", [("in", work.bytes_in as f64), ("out", work.bytes_out as f64)]);
        }
        Metric::PluginSeconds | Metric::LaneSeconds => work.seconds,
        Metric::PluginFuel | Metric::LaneFuel => work.fuel as f64,
        Metric::PluginInstances | Metric::LaneInstances => work.instances as f64,
        _ => work.calls as f64,
    };
    vec![(None, value)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_a_label_is_escaped() {
        let mut page = Page(String::new());
        page.value("a", &[("b", "\\ \" \n }"), ("c", "")], 1.0).unwrap();
        assert_eq!(page.0, "a{b=\"\\\\ \\\" \\n }\",c=\"\"} 1\n");
    }
}
