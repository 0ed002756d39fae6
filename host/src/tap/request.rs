//! What a tap asks for, and which events that is.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use wasmill_core::{EventTime, Format, Projection, ProjectionBuilder, RawBatch};

use super::pace::is_sampled;
use crate::condition::Condition;
use crate::config::nearest;

/// Most events in a second.
pub const RATE_MAX: u64 = 1_000;
/// One event in at most so many.
pub const SAMPLE_MAX: u64 = 1_000_000_000;
/// Most events of a batch that a condition is tried on: so much of a lane's time a tap may take.
pub const LOOKED_AT_MAX: usize = 500;
/// Most names of plugins, and of fields to redact.
const NAMES_MAX: usize = 100;

/// What a client asks for, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TapRequest {
    /// Only what these plugins did; none: all of them.
    pub plugins: Vec<String>,
    /// Only events that this expression is true for, as the source has them.
    #[serde(rename = "where")]
    pub condition: Option<String>,
    /// Only rejections.
    pub rejected: bool,
    /// One event in so many.
    pub sample: u64,
    /// Most events in a second.
    pub rate: u64,
    /// Ends after so many events.
    pub limit: Option<u64>,
    /// Fields to redact, beside those that the host redacts anyway.
    pub redact: Vec<String>,
}

impl Default for TapRequest {
    fn default() -> Self {
        Self {
            plugins: Vec::new(),
            condition: None,
            rejected: false,
            sample: 1,
            rate: 10,
            limit: None,
            redact: Vec::new(),
        }
    }
}

impl fmt::Display for TapRequest {
    /// As JSON, as it is sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

/// Which events a tap takes.
#[derive(Debug)]
pub(super) struct Filter {
    plugins: Vec<String>,
    condition: Option<Where>,
    pub(super) is_of_rejections: bool,
    sample: u64,
}

/// A condition with a projection of its own: that of the pipeline reads what its plugins and sinks need.
#[derive(Debug)]
struct Where {
    projection: Arc<Projection>,
    condition: Condition,
}

impl Filter {
    /// # Errors
    /// A sentence that says what is wrong with the request.
    pub(super) fn new(
        request: &TapRequest,
        plugins: &[&str],
        format: Format,
        event_bytes_max: usize,
    ) -> Result<Self, String> {
        let TapRequest { sample, rate, limit, .. } = *request;
        within("sample", sample, SAMPLE_MAX)?;
        within("rate", rate, RATE_MAX)?;
        within("limit", limit.unwrap_or(1), u64::MAX)?;
        within("the number of plugins", request.plugins.len().max(1) as u64, NAMES_MAX as u64)?;
        within("the number of fields to redact", request.redact.len().max(1) as u64, NAMES_MAX as u64)?;
        for name in &request.plugins {
            if !plugins.contains(&name.as_str()) {
                return Err(unknown(name, plugins));
            }
        }
        let condition = request.condition.as_deref().map(|source| Where::new(source, format, event_bytes_max));
        Ok(Self {
            plugins: request.plugins.clone(),
            condition: condition.transpose()?,
            is_of_rejections: request.rejected,
            sample,
        })
    }

    /// Whether what this plugin did is asked for; `None` is who reads events before all plugins.
    pub(super) fn is_of(&self, plugin: Option<&str>) -> bool {
        self.plugins.is_empty() || plugin.is_some_and(|plugin| self.plugins.iter().any(|name| name == plugin))
    }

    /// Those of `events`, which rise, that are asked for.
    pub(super) fn choose(&self, raw: &RawBatch, events: impl Iterator<Item = u32>) -> Vec<u32> {
        let records = raw.records();
        let sampled = events.filter(|event| is_sampled(records[*event as usize].offset, self.sample));
        match &self.condition {
            None => sampled.collect(),
            Some(condition) => condition.choose(raw, &sampled.take(LOOKED_AT_MAX).collect::<Vec<_>>()),
        }
    }
}

impl Where {
    fn new(source: &str, format: Format, event_bytes_max: usize) -> Result<Self, String> {
        let mut projection = ProjectionBuilder::new(EventTime::Record, event_bytes_max);
        projection.format(format);
        let condition = Condition::bind(source, &mut projection).map_err(|error| format!("where: {error}"))?;
        Ok(Self { projection: projection.build(), condition })
    }

    fn choose(&self, raw: &RawBatch, events: &[u32]) -> Vec<u32> {
        let mut copy = RawBatch::new(Arc::clone(raw.partition()), raw.first_offset());
        for event in events {
            let record = &raw.records()[*event as usize];
            copy.push(record.offset, record.timestamp_ns, None, raw.payload(*event as usize), []);
        }
        let (batch, _) = self.projection.extract(copy);
        self.condition.choose(&batch).into_iter().map(|chosen| events[chosen as usize]).collect()
    }
}

fn within(what: &str, number: u64, most: u64) -> Result<(), String> {
    match number {
        0 => Err(format!("{what} must be at least 1")),
        _ if number > most => Err(format!("{what} must be at most {most}")),
        _ => Ok(()),
    }
}

fn unknown(name: &str, plugins: &[&str]) -> String {
    if plugins.is_empty() {
        return format!("there is no plugin \"{name}\": this pipeline has no plugins");
    }
    let meant = nearest(name, plugins.iter().copied()).map(|meant| format!(", did you mean \"{meant}\"?"));
    let all = plugins.join(", ");
    format!("there is no plugin \"{name}\"{} The pipeline's plugins are: {all}", meant.as_deref().unwrap_or("."))
}

#[cfg(test)]
mod tests {
    use wasmill_core::PartitionId;

    use super::*;

    fn filter(request: &TapRequest) -> Result<Filter, String> {
        Filter::new(request, &["validate-event", "enrich-env"], Format::Json, 1 << 20)
    }

    fn events(count: usize) -> RawBatch {
        let partition = PartitionId {
            source: "stdin".to_owned(),
            cluster: String::new(),
            topic: "stdin".to_owned(),
            topic_id: String::new(),
            partition: 0,
        };
        let mut raw = RawBatch::new(Arc::new(partition), 0);
        for n in 0..count {
            raw.push(n as i64, 0, None, Some(format!("{{\"n\":{n}}}").as_bytes()), []);
        }
        raw
    }

    #[test]
    fn plugin_that_is_not_there_is_told_with_those_that_are() {
        let request = TapRequest { plugins: vec!["enrich-enf".to_owned()], ..TapRequest::default() };
        let expected = "there is no plugin \"enrich-enf\", did you mean \"enrich-env\"? The pipeline's plugins are: validate-event, enrich-env";
        assert_eq!(filter(&request).unwrap_err(), expected);
    }

    #[test]
    fn numbers_are_limited_at_the_limit_and_one_above() {
        let with = |sample, rate, limit| filter(&TapRequest { sample, rate, limit, ..TapRequest::default() });
        assert!(with(SAMPLE_MAX, RATE_MAX, Some(1)).is_ok());
        for (sample, rate, limit) in
            [(0, 1, None), (SAMPLE_MAX + 1, 1, None), (1, 0, None), (1, RATE_MAX + 1, None), (1, 1, Some(0))]
        {
            assert!(with(sample, rate, limit).is_err(), "{sample} {rate} {limit:?}");
        }
    }

    #[test]
    fn condition_chooses_by_the_payload_as_it_came_among_so_many_events() {
        let request = |condition: &str| TapRequest { condition: Some(condition.to_owned()), ..TapRequest::default() };
        let raw = events(LOOKED_AT_MAX + 10);
        let all = || 0..raw.len() as u32;
        assert_eq!(filter(&request("n > 3 && n < 6")).unwrap().choose(&raw, all()), [4, 5]);
        assert_eq!(filter(&request("n >= 0")).unwrap().choose(&raw, all()).len(), LOOKED_AT_MAX);
        let error = filter(&request("n >")).unwrap_err();
        assert!(error.starts_with("where: "), "{error}");
    }

    #[test]
    fn request_is_json_without_unknown_keys() {
        let read = |text: &str| serde_json::from_str::<TapRequest>(text);
        assert_eq!(read("{}").unwrap(), TapRequest::default());
        let request = TapRequest { condition: Some("n > 1".to_owned()), limit: Some(3), ..TapRequest::default() };
        assert_eq!(read(&request.to_string()).unwrap(), request);
        assert!(read("{\"were\":\"n > 1\"}").is_err());
    }
}
