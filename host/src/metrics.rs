//! `/metrics`: the counts in Prometheus' text format, version 0.0.4. Labels are bounded: plugin, sink, topic and partition as
//! configured, code from plugins (at most 50 of them, the rest summed).

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use crate::health::PartHealth;
use crate::plugin_breakers::BreakerCounts;
use crate::report::{PluginReport, Report};
use crate::status::Status;

/// Most distinct rejection codes shown; the rest is summed under `other`.
const CODES_MAX: usize = 50;

/// Every metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Events of committed batches.
    Received,
    /// By sink.
    Delivered,
    /// By sink.
    Filtered,
    /// By sink.
    Refused,
    /// Dropped by validators.
    Dropped,
    /// Rejected before the sinks.
    Rejected,
    /// Dead letters by code.
    DeadLetters,
    /// Alerts raised.
    Alerts,
    /// Alerts that are open, by sink.
    OpenAlerts,
    /// By sink.
    Retries,
    /// Fuel by plugin.
    PluginFuel,
    /// Seconds by plugin.
    PluginSeconds,
    /// Events by plugin.
    PluginEvents,
    /// Events by plugin that it passed on.
    PluginPassed,
    /// Rejections by plugin and code.
    PluginRejected,
    /// Dropped events by plugin.
    PluginDropped,
    /// Events that passed a plugin by.
    PluginSkipped,
    /// Calls by plugin.
    PluginCalls,
    /// Failed calls by plugin and what went wrong.
    PluginTraps,
    /// Instances by plugin.
    PluginInstances,
    /// Bytes by plugin and direction.
    PluginBytes,
    /// Lanes in which a plugin's breaker is open.
    PluginBreakerOpen,
    /// How often it opened.
    PluginBreakerOpened,
    /// Keys of full states by plugin.
    PluginStateEvicted,
    /// Log lines by plugin, logged or not.
    PluginLogLines,
    /// Addresses that were looked up, by outcome.
    Lookups,
    /// Queries of look-ups, by outcome.
    LookupQueries,
    /// 1 while batches wait for the answers of look-ups.
    LookupWaits,
    /// Events behind, by partition.
    Lag,
    /// 1 where a part works.
    Healthy,
    /// Processor seconds of the process.
    CpuSeconds,
}

impl Metric {
    /// Every metric, in the order of the page.
    pub const ALL: [Self; 31] = [
        Self::Received,
        Self::Delivered,
        Self::Filtered,
        Self::Refused,
        Self::Dropped,
        Self::Rejected,
        Self::DeadLetters,
        Self::Alerts,
        Self::OpenAlerts,
        Self::Retries,
        Self::PluginFuel,
        Self::PluginSeconds,
        Self::PluginEvents,
        Self::PluginPassed,
        Self::PluginRejected,
        Self::PluginDropped,
        Self::PluginSkipped,
        Self::PluginCalls,
        Self::PluginTraps,
        Self::PluginInstances,
        Self::PluginBytes,
        Self::PluginBreakerOpen,
        Self::PluginBreakerOpened,
        Self::PluginStateEvicted,
        Self::PluginLogLines,
        Self::Lookups,
        Self::LookupQueries,
        Self::LookupWaits,
        Self::Lag,
        Self::Healthy,
        Self::CpuSeconds,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Received => "wasmill_received_events_total",
            Self::Delivered => "wasmill_delivered_total",
            Self::Filtered => "wasmill_filtered_total",
            Self::Refused => "wasmill_refused_total",
            Self::Dropped => "wasmill_dropped_events_total",
            Self::Rejected => "wasmill_rejected_events_total",
            Self::DeadLetters => "wasmill_dead_letters_total",
            Self::Alerts => "wasmill_alerts_total",
            Self::OpenAlerts => "wasmill_open_alerts",
            Self::Retries => "wasmill_sink_retries_total",
            Self::PluginFuel => "wasmill_plugin_fuel_total",
            Self::PluginSeconds => "wasmill_plugin_seconds_total",
            Self::PluginEvents => "wasmill_plugin_events_total",
            Self::PluginPassed => "wasmill_plugin_passed_total",
            Self::PluginRejected => "wasmill_plugin_rejected_total",
            Self::PluginDropped => "wasmill_plugin_dropped_total",
            Self::PluginSkipped => "wasmill_plugin_skipped_total",
            Self::PluginCalls => "wasmill_plugin_calls_total",
            Self::PluginTraps => "wasmill_plugin_traps_total",
            Self::PluginInstances => "wasmill_plugin_instances_total",
            Self::PluginBytes => "wasmill_plugin_bytes_total",
            Self::PluginBreakerOpen => "wasmill_plugin_breaker_open",
            Self::PluginBreakerOpened => "wasmill_plugin_breaker_opened_total",
            Self::PluginStateEvicted => "wasmill_plugin_state_evicted_total",
            Self::PluginLogLines => "wasmill_plugin_log_lines_total",
            Self::Lookups => "wasmill_lookups_total",
            Self::LookupQueries => "wasmill_lookup_queries_total",
            Self::LookupWaits => "wasmill_lookup_waits",
            Self::Lag => "wasmill_lag_events",
            Self::Healthy => "wasmill_healthy",
            Self::CpuSeconds => "wasmill_cpu_seconds_total",
        }
    }

    /// What it says, in one line.
    pub const fn help(self) -> &'static str {
        match self {
            Self::Received => "Events whose batch is committed.",
            Self::Delivered => "Events or alerts that a sink has.",
            Self::Filtered => "Events or alerts that a sink's condition left out.",
            Self::Refused => "Events or alerts that do not fit a sink; dead letters.",
            Self::Dropped => "Events dropped by validators.",
            Self::Rejected => "Events rejected before the sinks; dead letters.",
            Self::DeadLetters => "Dead letters by code.",
            Self::Alerts => "Alerts raised.",
            Self::OpenAlerts => "Alerts that are open at a sink where they have a life.",
            Self::Retries => "Attempts of a sink that failed and were repeated.",
            Self::PluginFuel => "Fuel that a plugin used, about one per WebAssembly instruction.",
            Self::PluginSeconds => "Time spent in a plugin.",
            Self::PluginEvents => {
                "Events that came to a plugin: it passed them on, rejected or dropped them, or they passed it by."
            }
            Self::PluginPassed => "Events that a plugin passed on.",
            Self::PluginRejected => "Events that were rejected by a plugin or for it, by code.",
            Self::PluginDropped => "Events that a plugin dropped.",
            Self::PluginSkipped => "Events that passed a plugin by because its breaker was open.",
            Self::PluginCalls => "Calls into a plugin.",
            Self::PluginTraps => "Calls into a plugin that failed, by what went wrong.",
            Self::PluginInstances => "Instances that were made of a plugin.",
            Self::PluginBytes => "Bytes that a plugin was handed (in) and answered with (out).",
            Self::PluginBreakerOpen => "Lanes in which a plugin's breaker is open.",
            Self::PluginBreakerOpened => "How often a plugin's breaker opened.",
            Self::PluginStateEvicted => "Keys of a plugin's state that had to go because it was full.",
            Self::PluginLogLines => "Lines that a plugin logged, and those beyond what it may log.",
            Self::Lookups => "Addresses that batches looked up, by outcome.",
            Self::LookupQueries => "Queries that look-ups sent and ended, by outcome.",
            Self::LookupWaits => "1 while batches wait for the answers of look-ups, 0 while nobody answers in time.",
            Self::Lag => "Events between what was read and the end of a partition.",
            Self::Healthy => "1 where a part works, 0 where it does not.",
            Self::CpuSeconds => "Processor time of the process.",
        }
    }

    const fn kind(self) -> &'static str {
        match self {
            Self::OpenAlerts | Self::Lag | Self::Healthy | Self::LookupWaits | Self::PluginBreakerOpen => "gauge",
            _ => "counter",
        }
    }
}

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
            Metric::OpenAlerts => {
                self.by(name, "sink", status.lives.iter().map(|life| (life.sink(), life.open() as f64)))
            }
            Metric::Retries => self.by(name, "sink", report.sinks.iter().map(|s| (s.name.as_str(), s.retries as f64))),
            Metric::DeadLetters => {
                let mut shown = BTreeMap::new();
                for (n, (code, count)) in report.rejections.iter().enumerate() {
                    let code = if n < CODES_MAX { code.as_str() } else { "other" };
                    *shown.entry(code).or_insert(0.0) += *count as f64;
                }
                self.by(name, "code", shown.into_iter())
            }
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
            | Metric::PluginInstances
            | Metric::PluginBytes
            | Metric::PluginStateEvicted
            | Metric::PluginLogLines => self.plugins(metric, &report.plugins),
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
            for (label, value) in values(metric, plugin) {
                *sums.entry((labels, label)).or_insert(0.0) += value;
            }
        }
        sums.into_iter().try_for_each(|((labels, label), value)| {
            let labels: Vec<_> = labels.into_iter().chain(label).collect();
            self.value(metric.name(), &labels, value)
        })
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

/// What a metric of a plugin is, with one more label where it has several values.
fn values(metric: Metric, plugin: &PluginReport) -> Vec<(Option<(&'static str, &str)>, f64)> {
    let value = match metric {
        Metric::PluginRejected => {
            let by_code = plugin.rejections.iter();
            return by_code.map(|(code, count)| (Some(("code", code.as_str())), *count as f64)).collect();
        }
        Metric::PluginTraps => {
            let by_code = plugin.faults.iter();
            return by_code.map(|(code, count)| (Some(("code", *code)), *count as f64)).collect();
        }
        Metric::PluginBytes => {
            return [("in", plugin.bytes_in), ("out", plugin.bytes_out)]
                .map(|(direction, bytes)| (Some(("direction", direction)), bytes as f64))
                .into();
        }
        Metric::PluginLogLines => {
            return [("logged", plugin.log_lines), ("suppressed", plugin.log_lines_suppressed)]
                .map(|(outcome, lines)| (Some(("outcome", outcome)), lines as f64))
                .into();
        }
        Metric::PluginSeconds => plugin.seconds,
        Metric::PluginFuel => plugin.fuel as f64,
        Metric::PluginPassed => plugin.passed as f64,
        Metric::PluginDropped => plugin.dropped as f64,
        Metric::PluginSkipped => plugin.skipped as f64,
        Metric::PluginCalls => plugin.calls as f64,
        Metric::PluginInstances => plugin.instances as f64,
        Metric::PluginStateEvicted => plugin.state_evicted as f64,
        _ => plugin.events as f64,
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
