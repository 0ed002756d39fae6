//! Where the alerts and dead letters of a chaos run go besides its database: topics and a webhook. There everything must have come
//! at least once, and what came again must say so by its id.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;

use super::arrivals::{self, Arrival, Arrivals};
use super::course::create_topic;
use super::events::Stream;
use super::store::{Kind, Reader};
use crate::kafka::read::read_topic;
use crate::receiver::{Receiver, Reply};
use crate::services::unique;

const TOPIC_PARTITIONS: i32 = 2;
/// How long the webhook's sink waits for an answer.
const HOOK_TIMEOUT: &str = "1s";

/// See the module; by default there are none.
#[derive(Default)]
pub(super) struct Outlets {
    alerts: Option<Topic>,
    letters: Option<Topic>,
    hook: Option<Hook>,
}

struct Topic {
    brokers: String,
    name: String,
}

struct Hook {
    receiver: Receiver,
    switch: Switch,
}

/// Has a webhook be away: it then breaks off every second request, and has the others wait for nothing.
#[derive(Clone, Default)]
pub(super) struct Switch(Arc<AtomicBool>);

/// What came to each outlet.
#[derive(Default)]
pub(super) struct Arrived {
    pub(super) alerts: Option<Arrivals>,
    pub(super) letters: Option<Arrivals>,
    hook: Option<Arrivals>,
}

impl Outlets {
    /// Topics for alerts and for dead letters.
    pub(super) fn topics(brokers: &str) -> Result<Self> {
        let (alerts, letters) = (Topic::create(brokers, "alerts")?, Topic::create(brokers, "dead")?);
        Ok(Self { alerts: Some(alerts), letters: Some(letters), hook: None })
    }

    /// A topic and a webhook for alerts.
    pub(super) fn away(brokers: &str) -> Result<Self> {
        Ok(Self { alerts: Some(Topic::create(brokers, "alerts")?), letters: None, hook: Some(Hook::start()) })
    }

    pub(super) fn hook(&self) -> Option<Switch> {
        self.hook.as_ref().map(|hook| hook.switch.clone())
    }

    /// What follows the database's sinks in a pipeline.
    pub(super) fn yaml(&self) -> String {
        let mut yaml = String::new();
        if let Some(hook) = &self.hook {
            let url = hook.receiver.url();
            yaml += &format!("  hook: {{ from: alerts, http: {{ url: \"{url}\", timeout: {HOOK_TIMEOUT} }} }}\n");
        }
        if let Some(Topic { brokers, name }) = &self.alerts {
            yaml += &format!("  topic: {{ from: alerts, kafka: {{ brokers: \"{brokers}\", topic: {name} }} }}\n");
        }
        if let Some(Topic { brokers, name }) = &self.letters {
            yaml += &format!("dead_letters: {{ kafka: {{ brokers: \"{brokers}\", topic: {name} }} }}\n");
        }
        yaml
    }

    /// Everything that came.
    pub(super) fn read(&self) -> Result<Arrived> {
        let mut came = Arrived::default();
        if let Some(topic) = &self.alerts {
            let found = read_topic(&topic.brokers, &topic.name)?;
            came.alerts = Some(Arrivals::of(found.iter().map(Arrival::of_alert_message))?);
        }
        if let Some(topic) = &self.letters {
            let found = read_topic(&topic.brokers, &topic.name)?;
            came.letters = Some(Arrivals::of(found.iter().map(Arrival::of_letter_message))?);
        }
        if let Some(hook) = &self.hook {
            came.hook = Some(Arrivals::of(hook.receiver.taken().iter().map(Arrival::of_alert_request))?);
        }
        Ok(came)
    }

    /// Checks that everything came, and nothing else: the alerts that the database has, and the dead letters of the first `total`
    /// events.
    pub(super) fn verify(&self, stream: Stream, store: Kind, reader: &mut Reader, total: u64) -> Result<Arrived> {
        let came = self.read()?;
        if came.alerts.is_some() || came.hook.is_some() {
            let stored = arrivals::stored_alerts(reader)?;
            came.alerts.iter().try_for_each(|alerts| alerts.must_be("the topic of alerts", &stored))?;
            came.hook.iter().try_for_each(|alerts| alerts.must_be("the webhook", &stored))?;
        }
        if let Some(letters) = &came.letters {
            letters.must_be_letters(stream, store, total)?;
        }
        Ok(came)
    }
}

impl Topic {
    fn create(brokers: &str, prefix: &str) -> Result<Self> {
        let name = unique(prefix);
        create_topic(brokers, &name, TOPIC_PARTITIONS)?;
        Ok(Self { brokers: brokers.to_owned(), name })
    }
}

impl Hook {
    fn start() -> Self {
        let switch = Switch::default();
        let Switch(is_away) = switch.clone();
        let receiver = Receiver::start(move |request| match is_away.load(Ordering::Relaxed) {
            false => Reply::status(204),
            true if request.repeats % 2 == 0 => Reply::Close,
            true => Reply::Hang,
        });
        Self { receiver, switch }
    }
}

impl Switch {
    pub(super) fn set_away(&self, is_away: bool) {
        self.0.store(is_away, Ordering::Relaxed);
    }
}

impl Arrived {
    /// A line for each outlet.
    pub(super) fn lines(&self) -> Vec<String> {
        let outlets = [
            ("alerts in the topic", &self.alerts),
            ("alerts at the webhook", &self.hook),
            ("dead letters in the topic", &self.letters),
        ];
        let line = |(what, arrivals): (&str, &Option<Arrivals>)| {
            let arrivals = arrivals.as_ref()?;
            Some(format!("{:>9} {what}, and {} that came again", arrivals.distinct(), arrivals.repeats()))
        };
        outlets.into_iter().filter_map(line).collect()
    }
}
