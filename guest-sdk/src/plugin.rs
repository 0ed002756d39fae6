//! A plugin from its config to its answers: the same code in a guest and in native tests.

use std::fmt;

use crate::alert::Evaluation;
use crate::batch::{Batch, View};
use crate::config::Prepare;
use crate::field::{Field, FixedField, Kind, check_path};
use crate::run::Place;
use crate::state::Host;
use crate::verdict::Verdicts;
use crate::writer::{Columns, Writer};

/// A plugin's function, with what the attributes know about it. Implemented by `#[validator]`, `#[enricher]` and
/// `#[alerter]` for a type that has the function's name.
pub trait Plugin: Sized + 'static {
    /// The prepared config.
    type Settings: Prepare;
    #[doc(hidden)]
    const NAME: &'static str;
    #[doc(hidden)]
    const VERSION: &'static str;
    /// The schema version of its state, where it keeps any.
    #[doc(hidden)]
    const STATE: Option<u32>;
    #[doc(hidden)]
    fn shape() -> Shape;
    #[doc(hidden)]
    fn place() -> &'static Place<Self>;
}

/// Which fields a plugin's types name.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub reads: Columnar,
    pub writes: Columnar,
    /// Only a validator's fields can be required.
    pub can_require: bool,
}

/// The fields of one struct.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Columnar {
    pub fixed: &'static [FixedField],
    pub dynamic: bool,
}

impl Columnar {
    /// Of a plugin that writes nothing.
    pub const NONE: Columnar = Columnar { fixed: &[], dynamic: false };
}

/// A [`Plugin`] that judges events.
pub trait Validator: Plugin {
    #[doc(hidden)]
    fn validate(view: &View<'_>, settings: &Self::Settings, host: &Host) -> Verdicts;
}

/// A [`Plugin`] that adds to events.
pub trait Enricher: Plugin {
    #[doc(hidden)]
    fn enrich<'a>(view: &'a View<'a>, settings: &'a Self::Settings, host: &Host, writer: &mut Writer<'a>);
}

/// A [`Plugin`] that raises alerts.
pub trait Alerter: Plugin {
    #[doc(hidden)]
    fn evaluate(view: &View<'_>, settings: &Self::Settings, host: &Host) -> Evaluation;
}

/// What a plugin tells the host about itself.
///
/// ```
/// use wasmill_sdk::{Fields, Loaded, Manifest, Verdict};
///
/// #[derive(Fields)]
/// struct Log { status: i64 }
///
/// #[wasmill_sdk::validator]
/// fn known(log: Log) -> Verdict {
///     if log.status > 0 { Verdict::pass() } else { Verdict::drop() }
/// }
///
/// let plugin = Loaded::<known>::configure("{}").unwrap();
/// let Manifest { reads, writes, .. } = plugin.manifest();
/// assert!(reads[0].path == "status" && reads[0].required && writes.is_empty());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The plugin crate's name.
    pub name: String,
    /// The plugin crate's version.
    pub version: String,
    /// The fields it reads, in the order of a batch's columns.
    pub reads: Vec<Field>,
    /// The fields it writes, in the order of its answer's columns.
    pub writes: Vec<Field>,
    /// The schema version of the state that it keeps; `None`: it keeps none.
    pub state: Option<u32>,
}

/// A configured plugin. In native tests it has a state of its own, which lasts from batch to batch.
pub struct Loaded<P: Plugin> {
    settings: P::Settings,
    manifest: Manifest,
    read_kinds: Vec<Kind>,
    write_kinds: Vec<Kind>,
    host: Host,
}

impl<P: Plugin> fmt::Debug for Loaded<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded").field("manifest", &self.manifest).finish_non_exhaustive()
    }
}

impl<P: Plugin> Loaded<P> {
    /// A plugin with this config, a JSON object.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub fn configure(config: &str) -> Result<Self, String> {
        let settings = P::Settings::from_json(config)?;
        let shape = P::shape();
        let mut reads = fields(shape.reads, settings.reads(), "reads")?;
        let writes = fields(shape.writes, settings.writes(), "writes")?;
        if !shape.can_require {
            reads.iter_mut().for_each(|field| field.required = false);
        }
        let (read_kinds, write_kinds) = (kinds(&reads), kinds(&writes));
        let state = P::STATE.filter(|_| settings.keeps_state());
        let manifest = Manifest { name: P::NAME.to_owned(), version: P::VERSION.to_owned(), reads, writes, state };
        Ok(Loaded { settings, manifest, read_kinds, write_kinds, host: Default::default() })
    }

    /// What the plugin tells the host.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The prepared config.
    pub fn settings(&self) -> &P::Settings {
        &self.settings
    }

    /// The kinds of the fields that the plugin reads: those of its batches.
    pub fn read_kinds(&self) -> &[Kind] {
        &self.read_kinds
    }

    /// Where its state is.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    fn view<'b>(&self, batch: &'b Batch) -> View<'b> {
        assert!(batch.kinds() == self.read_kinds, "the batch's fields are not the ones in the plugin's manifest");
        batch.view(P::shape().reads.fixed.len())
    }
}

impl<P: Validator> Loaded<P> {
    /// The plugin's verdicts on a batch.
    ///
    /// # Panics
    /// When the batch's fields are not those of the manifest, or the plugin's function panics. So do the other two.
    pub fn validate(&self, batch: &Batch) -> Verdicts {
        P::validate(&self.view(batch), &self.settings, &self.host)
    }
}

impl<P: Enricher> Loaded<P> {
    /// What the plugin writes to a batch.
    pub fn enrich(&self, batch: &Batch) -> Columns {
        let view = self.view(batch);
        let mut writer = Writer::new(batch.events(), &self.write_kinds);
        P::enrich(&view, &self.settings, &self.host, &mut writer);
        writer.finish()
    }
}

impl<P: Alerter> Loaded<P> {
    /// What the plugin raises about a batch.
    pub fn evaluate(&self, batch: &Batch) -> Evaluation {
        P::evaluate(&self.view(batch), &self.settings, &self.host)
    }
}

#[inline(never)]
fn kinds(fields: &[Field]) -> Vec<Kind> {
    let mut kinds = Vec::new();
    for field in fields {
        kinds.push(field.kind);
    }
    kinds
}

/// The fields that the struct names, then those that the config names.
fn fields(columnar: Columnar, named_by_config: Vec<Field>, verb: &str) -> Result<Vec<Field>, String> {
    if !columnar.dynamic && !named_by_config.is_empty() {
        return Err(format!(
            "this plugin is built wrong: `Prepare::{verb}` names fields, but its struct has no `#[field(dynamic)]` field"
        ));
    }
    for field in &named_by_config {
        if field.kind != Kind::Raw {
            check_path(&field.path)?;
        }
    }
    let mut fields: Vec<Field> = columnar.fixed.iter().map(Field::from).collect();
    fields.extend(named_by_config);
    Ok(fields)
}
