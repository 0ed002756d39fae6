//! Rules, from what the operator wrote to what is asked about each event.

use crate::columns::{Columns, Registry};
use crate::config::{Labels, RuleSettings, Settings, SeveritySetting};
use crate::memory::Memory;
use crate::template::{Known, Scope, Template, digits, text_of};
use crate::watch::{Facts, What};
use wasmill_expr::Program;
use wasmill_sdk::{Alert, Field, Prepare, Severity};

/// Rules in one config. Each is asked about every event.
pub(crate) const RULES_MAX: usize = 256;
/// Labels of one rule.
pub(crate) const LABELS_MAX: usize = 32;
/// Bytes of a rule's or a label's name.
pub(crate) const NAME_BYTES_MAX: usize = 128;
const NAME_TOO_LONG: &str = "has more than 128 bytes";
/// Different fields and kinds that all rules together read.
pub(crate) const COLUMNS_MAX: usize = 512;
/// Bytes of an alert's summary; what is longer is cut off.
pub(crate) const SUMMARY_BYTES_MAX: usize = 1024;
/// Bytes of an alert's key; what is longer is cut off.
pub(crate) const KEY_BYTES_MAX: usize = 256;
/// Bytes of a label's value; what is longer is cut off.
pub(crate) const LABEL_BYTES_MAX: usize = 256;
/// The label that tells how many alerts were kept back, unless the rule has one of its own by this name.
const SUPPRESSED: &str = "suppressed";

/// The compiled rules of a config.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    reads: Vec<Field>,
    /// Whether any rule remembers something.
    pub(crate) keep_state: bool,
    /// Whether any rule awaits keys.
    pub(crate) await_keys: bool,
}

/// One compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) when: Program,
    pub(crate) name: String,
    /// Of a rule that remembers something of each key.
    pub(crate) memory: Option<Memory>,
    severity: Severity,
    key: Option<Template>,
    summary: Template,
    labels: Vec<(String, Template)>,
}

impl Rules {
    /// The rules in their order.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Rule> {
        self.rules.iter()
    }

    /// How many rules there are.
    pub(crate) fn len(&self) -> usize {
        self.rules.len()
    }

    /// The rule of this number.
    pub(crate) fn rule(&self, number: u32) -> &Rule {
        &self.rules[number as usize]
    }

    /// The rule that remembers something under a key in state.
    pub(crate) fn of_key(&self, key: &[u8]) -> Option<(&Rule, &Memory)> {
        let mut memories = self.rules.iter().filter_map(|rule| Some((rule, rule.memory.as_ref()?)));
        memories.find(|(_, memory)| key.starts_with(&memory.prefix))
    }
}

impl Rule {
    /// Appends the key of an event.
    #[inline]
    pub(crate) fn append_key(&self, columns: &Columns<'_>, text: &mut Vec<u8>) {
        if let Some(key) = &self.key {
            key.append(columns, text, KEY_BYTES_MAX);
        }
    }

    /// The alert that the rule raises about an event for which it remembers nothing.
    #[cold]
    pub(crate) fn alert_at_once(&self, columns: Columns<'_>) -> Alert {
        let mut key = Vec::new();
        self.append_key(&columns, &mut key);
        self.alert(text_of(key), columns, Facts::NONE)
    }

    /// The alert that the rule raises about a key.
    #[cold]
    pub(crate) fn alert(&self, key: String, columns: Columns<'_>, facts: Facts) -> Alert {
        let known = Known { columns, key: &key, facts };
        let summary = self.summary.render(&known, SUMMARY_BYTES_MAX);
        let mut labels = Vec::with_capacity(self.labels.len());
        for (name, value) in &self.labels {
            labels.push((name.clone(), value.render(&known, LABEL_BYTES_MAX)));
        }
        let says_so = self.labels.iter().any(|(name, _)| name == SUPPRESSED);
        if facts.suppressed > 0 && !says_so {
            labels.push((SUPPRESSED.to_owned(), digits(facts.suppressed.into())));
        }
        Alert { rule: self.name.clone(), key, severity: self.severity, summary, labels }
    }
}

impl Prepare for Rules {
    type Config = Settings;

    fn prepare(config: Settings) -> Result<Self, String> {
        if config.rules.is_empty() {
            return Err("`rules` is empty, so nothing would ever alert; write a rule, or remove the plugin".to_owned());
        }
        if config.rules.len() > RULES_MAX {
            return Err(format!("more than {RULES_MAX} rules; split them over several copies of the plugin"));
        }
        let mut registry = Registry::default();
        let mut rules: Vec<Rule> = Vec::with_capacity(config.rules.len());
        for settings in &config.rules {
            check_name("a rule's name", &settings.name)?;
            if rules.iter().any(|other| other.name == settings.name) {
                return Err(wrong("rule", &settings.name, "has the name of another one; give each its own"));
            }
            let rule = compile(settings, &mut registry).map_err(|why| format!("rule `{}`: {why}", settings.name))?;
            rules.push(rule);
        }
        let watches = || rules.iter().filter_map(|rule| rule.memory.as_ref()).map(|memory| memory.watch);
        let keep_state = watches().next().is_some();
        let await_keys = watches().any(|watch| watch.what == What::Absent);
        Ok(Rules { keep_state, await_keys, rules, reads: registry.into_fields() })
    }

    fn reads(&self) -> Vec<Field> {
        self.reads.clone()
    }

    fn keeps_state(&self) -> bool {
        self.keep_state
    }
}

fn compile(settings: &RuleSettings, registry: &mut Registry) -> Result<Rule, String> {
    let mut when = Program::condition(&settings.when).map_err(|error| format!("`when`, {error}"))?;
    let slots: Vec<usize> = when.columns().iter().map(|column| registry.column(column)).collect();
    when.bind(&slots);
    // Filled part by part: where one is wrong, what is there already is let go of as a whole, and not piece by piece.
    let mut rule = Rule {
        when,
        name: settings.name.clone(),
        memory: None,
        severity: settings.severity.into(),
        key: None,
        summary: Template::default(),
        labels: Vec::new(),
    };
    if let Some(key) = &settings.key {
        rule.key = Some(named("its", "key", Template::key(key, registry))?);
    }
    rule.memory = Memory::compile(settings, registry)?;
    let scope = match rule.memory.as_ref().map_or(What::Every, |memory| memory.watch.what) {
        What::Every => Scope::Event,
        What::Rate(_) | What::Distinct(_) => Scope::Window,
        What::Absent => Scope::Absent,
    };
    rule.summary = named("its", "summary", Template::parse(&settings.summary, scope, registry))?;
    compile_labels(&settings.labels, scope, registry, &mut rule.labels)?;
    if registry.len() > COLUMNS_MAX {
        return Err(format!("with it the rules read more than {COLUMNS_MAX} fields; split them over several copies"));
    }
    Ok(rule)
}

#[inline(never)]
fn compile_labels(
    settings: &Labels,
    scope: Scope,
    registry: &mut Registry,
    labels: &mut Vec<(String, Template)>,
) -> Result<(), String> {
    if settings.0.len() > LABELS_MAX {
        return Err(format!("more than {LABELS_MAX} labels"));
    }
    for (name, value) in &settings.0 {
        check_name("its label", name)?;
        let template = named("its label", name, Template::parse(value, scope, registry))?;
        labels.push((name.clone(), template));
    }
    Ok(())
}

#[inline(never)]
fn check_name(what: &str, name: &str) -> Result<(), String> {
    let why = if name.is_empty() {
        "is empty"
    } else if name.len() > NAME_BYTES_MAX {
        NAME_TOO_LONG
    } else if name.chars().any(char::is_control) {
        "has a control character"
    } else {
        return Ok(());
    };
    Err(wrong(what, name, why))
}

/// A template, or what is wrong with the one that has this name.
#[inline(never)]
fn named(what: &str, name: &str, template: Result<Template, String>) -> Result<Template, String> {
    template.map_err(|why| wrong(what, name, &why))
}

/// Says what is wrong with something that has a name.
#[cold]
#[inline(never)]
fn wrong(what: &str, name: &str, why: &str) -> String {
    format!("{what} `{name}` {why}")
}

impl From<SeveritySetting> for Severity {
    fn from(setting: SeveritySetting) -> Self {
        match setting {
            SeveritySetting::Info => Severity::Info,
            SeveritySetting::Warning => Severity::Warning,
            SeveritySetting::Error => Severity::Error,
            SeveritySetting::Critical => Severity::Critical,
        }
    }
}
