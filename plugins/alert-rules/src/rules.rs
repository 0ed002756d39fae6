//! Rules, from what the operator wrote to what is asked about each event.

use crate::columns::{Columns, Registry};
use crate::config::{Labels, RuleSettings, Settings, SeveritySetting};
use crate::template::Template;
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

/// The compiled rules of a config.
#[derive(Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    reads: Vec<Field>,
}

/// One compiled rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) when: Program,
    name: String,
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
}

impl Rule {
    /// The alert that the rule raises about an event.
    #[cold]
    pub(crate) fn alert(&self, columns: &Columns<'_>) -> Alert {
        let key = self.key.as_ref().map(|key| key.render(columns, KEY_BYTES_MAX)).unwrap_or_default();
        let summary = self.summary.render(columns, SUMMARY_BYTES_MAX);
        let alert = Alert::new(self.name.clone(), key, self.severity, summary);
        self.labels
            .iter()
            .fold(alert, |alert, (name, value)| alert.label(name.clone(), value.render(columns, LABEL_BYTES_MAX)))
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
            check_name(&settings.name).map_err(|why| wrong("a rule's name", &settings.name, why))?;
            if rules.iter().any(|other| other.name == settings.name) {
                return Err(wrong("rule", &settings.name, "has the name of another one; give each its own"));
            }
            let rule = compile(settings, &mut registry).map_err(|why| format!("rule `{}`: {why}", settings.name))?;
            rules.push(rule);
        }
        Ok(Rules { rules, reads: registry.into_fields() })
    }

    fn reads(&self) -> Vec<Field> {
        self.reads.clone()
    }
}

fn compile(settings: &RuleSettings, registry: &mut Registry) -> Result<Rule, String> {
    let mut when = Program::condition(&settings.when).map_err(|error| format!("`when`, {error}"))?;
    let slots: Vec<usize> = when.columns().iter().map(|column| registry.column(column)).collect();
    when.bind(&slots);
    let key = match &settings.key {
        Some(key) => Some(Template::path_or_template(key, registry).map_err(|why| wrong("its", "key", &why))?),
        None => None,
    };
    let summary = Template::parse(&settings.summary, registry).map_err(|why| wrong("its", "summary", &why))?;
    let labels = labels(&settings.labels, registry)?;
    if registry.len() > COLUMNS_MAX {
        return Err(format!("with it the rules read more than {COLUMNS_MAX} fields; split them over several copies"));
    }
    Ok(Rule { when, name: settings.name.clone(), severity: settings.severity.into(), key, summary, labels })
}

fn labels(settings: &Labels, registry: &mut Registry) -> Result<Vec<(String, Template)>, String> {
    if settings.0.len() > LABELS_MAX {
        return Err(format!("more than {LABELS_MAX} labels"));
    }
    let mut labels = Vec::with_capacity(settings.0.len());
    for (name, value) in &settings.0 {
        check_name(name).map_err(|why| wrong("its label", name, why))?;
        let template = Template::parse(value, registry).map_err(|why| wrong("its label", name, &why))?;
        labels.push((name.clone(), template));
    }
    Ok(labels)
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.is_empty() {
        Err("is empty")
    } else if name.len() > NAME_BYTES_MAX {
        Err(NAME_TOO_LONG)
    } else if name.chars().any(char::is_control) {
        Err("has a control character")
    } else {
        Ok(())
    }
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
