//! The metrics: name, kind and help of each.

/// Makes [`Metric`] from its rows.
macro_rules! metrics {
    ($($metric:ident: $kind:ident $name:literal, $help:literal;)*) => {
        /// Every metric.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $(#[doc = $help] $metric,)*
        }

        impl Metric {
            /// Every metric, in the order of the page.
            pub const ALL: [Self; [$(Self::$metric),*].len()] = [$(Self::$metric),*];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$metric => $name,)*
                }
            }

            /// What it says, in one line.
            pub const fn help(self) -> &'static str {
                match self {
                    $(Self::$metric => $help,)*
                }
            }

            /// `counter` or `gauge`.
            pub const fn kind(self) -> &'static str {
                match self {
                    $(Self::$metric => stringify!($kind),)*
                }
            }
        }
    };
}

metrics! {
    Received: counter "wasmill_received_events_total", "Events whose batch is committed.";
    Delivered: counter "wasmill_delivered_total", "Events or alerts that a sink has.";
    Filtered: counter "wasmill_filtered_total", "Events or alerts that a sink's condition left out.";
    Refused: counter "wasmill_refused_total", "Events or alerts that do not fit a sink; dead letters.";
    Dropped: counter "wasmill_dropped_events_total", "Events dropped by validators.";
    Rejected: counter "wasmill_rejected_events_total", "Events rejected before the sinks; dead letters.";
    DeadLetters: counter "wasmill_dead_letters_total", "Dead letters by code.";
    Alerts: counter "wasmill_alerts_total", "Alerts raised.";
    OpenAlerts: gauge "wasmill_open_alerts", "Alerts that are open at a sink where they have a life.";
    Retries: counter "wasmill_sink_retries_total", "Attempts of a sink that failed and were repeated.";
    SinkWrites: counter "wasmill_sink_writes_total", "Groups of batches that a sink wrote.";
    SinkBytes: counter "wasmill_sink_bytes_total", "Bytes of the rows that a sink was given.";
    SinkSeconds: counter "wasmill_sink_seconds_total", "Time of a sink's writes, with the commit where it is in home's database.";
    PluginFuel: counter "wasmill_plugin_fuel_total", "Fuel that a plugin used, about one per WebAssembly instruction.";
    PluginSeconds: counter "wasmill_plugin_seconds_total", "Time spent in a plugin.";
    PluginEvents: counter "wasmill_plugin_events_total", "Events that came to a plugin: it passed them on, rejected or dropped them, or they passed it by.";
    PluginPassed: counter "wasmill_plugin_passed_total", "Events that a plugin passed on.";
    PluginRejected: counter "wasmill_plugin_rejected_total", "Events that were rejected by a plugin or for it, by code.";
    PluginDropped: counter "wasmill_plugin_dropped_total", "Events that a plugin dropped.";
    PluginSkipped: counter "wasmill_plugin_skipped_total", "Events that passed a plugin by because its breaker was open.";
    PluginCalls: counter "wasmill_plugin_calls_total", "Calls into a plugin.";
    PluginTraps: counter "wasmill_plugin_traps_total", "Calls into a plugin that failed, by what went wrong.";
    PluginLimits: counter "wasmill_plugin_limits_total", "How often a limit of a plugin held, by its setting: failed calls, texts and lines that were cut or left out, keys that went, slow and stuck batches.";
    PluginsRefused: counter "wasmill_plugins_refused_total", "Plugins that were in the directory and did not come to serve, by cause: a limit of the load, or what else was wrong.";
    PluginInstances: counter "wasmill_plugin_instances_total", "Instances that were made of a plugin.";
    PluginBytes: counter "wasmill_plugin_bytes_total", "Bytes that a plugin was handed (in) and answered with (out).";
    PluginBreakerOpen: gauge "wasmill_plugin_breaker_open", "Lanes in which a plugin's breaker is open.";
    PluginBreakerOpened: counter "wasmill_plugin_breaker_opened_total", "How often a plugin's breaker opened.";
    PluginStateEvicted: counter "wasmill_plugin_state_evicted_total", "Keys of a plugin's state that had to go because it was full.";
    PluginLogLines: counter "wasmill_plugin_log_lines_total", "Lines that a plugin logged, and those beyond what it may log.";
    LaneReceived: counter "wasmill_lane_received_total", "Events of a lane whose batch is committed.";
    LanePassed: counter "wasmill_lane_passed_total", "Events of a lane that went on to the sinks.";
    LaneDropped: counter "wasmill_lane_dropped_total", "Events of a lane dropped by validators.";
    LaneRejected: counter "wasmill_lane_rejected_total", "Events of a lane rejected before the sinks; dead letters.";
    LaneDeadLetters: counter "wasmill_lane_dead_letters_total", "Dead letters of a lane by code.";
    LaneSkipped: counter "wasmill_lane_skipped_total", "Events of a lane that passed a plugin by because its breaker was open, once for each such plugin.";
    LaneAlerts: counter "wasmill_lane_alerts_total", "Alerts raised about events of a lane.";
    LaneFuel: counter "wasmill_lane_fuel_total", "Fuel that plugins used in a lane.";
    LaneSeconds: counter "wasmill_lane_seconds_total", "Time spent in plugins in a lane.";
    LaneCalls: counter "wasmill_lane_calls_total", "Calls into plugins in a lane.";
    LaneTraps: counter "wasmill_lane_traps_total", "Calls into plugins that failed in a lane, by what went wrong.";
    LaneInstances: counter "wasmill_lane_instances_total", "Instances of plugins that were made in a lane.";
    LaneBytes: counter "wasmill_lane_bytes_total", "Bytes that plugins were handed (in) and answered with (out) in a lane.";
    Lag: gauge "wasmill_lag_events", "Events between what was read and the end of a partition.";
    Lookups: counter "wasmill_lookups_total", "Addresses that batches looked up, by outcome.";
    LookupQueries: counter "wasmill_lookup_queries_total", "Queries that look-ups sent and ended, by outcome.";
    LookupWaits: gauge "wasmill_lookup_waits", "1 while batches wait for the answers of look-ups, 0 while nobody answers in time.";
    Healthy: gauge "wasmill_healthy", "1 where a part works, 0 where it does not.";
    CpuSeconds: counter "wasmill_cpu_seconds_total", "Processor time of the process.";
}
