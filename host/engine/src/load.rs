//! Loading: from a plugin's file to a [`Plugin`] that can run, by way of the cache and the compile child.

use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use wasmill_core::{Digest, Field, FieldKind, Path, PluginRef};
use wasmtime::component::Linker;

use crate::cache::{self, Cache};
use crate::compile::{CompileLimits, Compiler, compile};
use crate::contract::{self, Kinds};
use crate::error::{EngineError, LoadError, Reason};
use crate::grants::{self, Grant};
use crate::guest::Guest;
use crate::guest_log::Rate;
use crate::instance::{Instance, NoInstance, Template, check_signatures};
use crate::limits::Limits;
use crate::manifest::Manifest;
use crate::meter::Meter;
use crate::prepare::{self, Prepared, Request};
use crate::trusted::{self, OwnCode};
use crate::{guest_log, settings, smoke};

/// How an [`Engine`] is set up.
#[derive(Clone, Debug)]
pub struct EngineOptions {
    /// Where compiled code is kept between runs; `None` compiles at every load. Made with mode 0700 if it is not there.
    pub cache_dir: Option<PathBuf>,
    /// Where plugins are compiled.
    pub compiler: Compiler,
    /// What compiling one plugin may use.
    pub compile: CompileLimits,
    /// Instances that may live at once: one for each thread that runs batches, and with [`InstanceMode::Reuse`] one for each
    /// such thread and plugin. Each reserves some gigabytes of address space, not of memory.
    pub instances: u32,
    /// What counts the calls of the host's functions; `None` where nobody measures them, which costs nothing.
    pub meter: Option<Arc<Meter>>,
}

impl EngineOptions {
    /// Room for 128 instances, compiling in a child of the running program, no cache.
    ///
    /// # Errors
    /// When the system does not say what the running program is.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self {
            cache_dir: None,
            compiler: Compiler::this_program()?,
            compile: CompileLimits::default(),
            instances: 128,
            meter: None,
        })
    }
}

/// How long an instance of a plugin lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum InstanceMode {
    /// One batch: nothing that a plugin keeps in its memory reaches the next.
    #[default]
    Fresh,
    /// Until it traps. Saves some nanoseconds per event, and gives up the proof that a result depends on nothing else than its
    /// event.
    Reuse,
}

/// One plugin as the operator gave it.
#[derive(Clone, Debug)]
pub struct PluginSpec {
    /// Its file, for messages.
    pub file: PathBuf,
    /// The file's bytes.
    pub bytes: Arc<[u8]>,
    /// Its configuration, a JSON object.
    pub config: serde_json::Value,
    /// What it may use.
    pub limits: Limits,
    /// How long its instances live.
    pub instance: InstanceMode,
    /// What it is given beside its fields.
    pub grants: Vec<Grant>,
    /// What becomes of stored state that it cannot read.
    pub state: OtherState,
    /// What becomes of events while its breaker is open.
    pub on_open: OnOpen,
}

/// What becomes of events while the breaker of a plugin is open: because it failed on too many of them, or no longer starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnOpen {
    /// Their lane pauses until there is another plugin, and nothing passes.
    #[default]
    Pause,
    /// They pass the plugin by, and are marked: `$skipped` names it, and home records their offsets.
    Skip,
    /// They are dead letters with the code `plugin_broken`.
    DeadLetter,
}

/// What becomes of state that was stored in another version of the plugin's schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OtherState {
    /// The pipeline does not start.
    #[default]
    Refuse,
    /// It goes, and the plugin begins without.
    Reset,
}

/// Loads plugins. Cheap to share behind an `Arc`; one per process is enough.
pub struct Engine {
    wasm: wasmtime::Engine,
    linker: Linker<Guest>,
    fingerprint: u64,
    cache: Option<Cache>,
    compiler: Compiler,
    compile: CompileLimits,
}

impl Engine {
    /// Sets the engine up.
    ///
    /// # Errors
    /// When the machine does not give the address space, or the cache folder is not ours alone.
    pub fn new(options: EngineOptions) -> Result<Self, EngineError> {
        let trouble = |error: wasmtime::Error| EngineError::Wasmtime(format!("{error:#}"));
        let wasm = settings::runtime(options.instances).map_err(trouble)?;
        let linker = prepare::linker(&wasm, options.meter.as_ref()).map_err(trouble)?;
        Ok(Self {
            fingerprint: settings::fingerprint(&wasm),
            cache: options.cache_dir.as_deref().map(Cache::open).transpose()?,
            compiler: options.compiler,
            compile: options.compile,
            wasm,
            linker,
        })
    }

    /// Loads one plugin: checks it, compiles it or takes the compiled code from the cache, has it configured, and tries it out.
    ///
    /// # Errors
    /// Why it is refused, with file and digest.
    pub fn load(&self, spec: &PluginSpec) -> Result<Arc<Plugin>, LoadError> {
        let digest = Digest::of(&spec.bytes);
        let loaded = self.load_checked(spec, digest).map(Arc::new).and_then(|plugin| {
            smoke::try_out(&plugin)?;
            plugin.announce();
            Ok(plugin)
        });
        loaded.map_err(|reason| LoadError { file: spec.file.clone(), digest, reason })
    }

    fn load_checked(&self, spec: &PluginSpec, digest: Digest) -> Result<Plugin, Reason> {
        if spec.bytes.len() > spec.limits.component_bytes {
            return Err(Reason::TooLarge { bytes: spec.bytes.len(), limit: spec.limits.component_bytes });
        }
        spec.limits.check().map_err(Reason::Limits)?;
        contract::check_header(&spec.bytes)?;
        let request = Request { digest, config: spec.config.to_string(), limits: spec.limits.of_preparing() };
        let key = cache::key(&request, self.fingerprint, self.compile);
        if let Some((prepared, code)) = self.cache.as_ref().and_then(|cache| cache.get(&key)) {
            match self.plugin(spec, &request, &prepared, &code) {
                Ok(plugin) => return Ok(plugin),
                Err(reason @ Reason::LacksGrant(_)) => return Err(reason),
                Err(reason) => tracing::warn!(file = %spec.file.display(), %reason, "compiled code is made anew"),
            }
        }
        let (prepared, code) = compile(&self.compiler, self.compile, &request, &spec.bytes)?;
        let plugin = self.plugin(spec, &request, &prepared, &code)?;
        guest_log::emit(&plugin.reference, &prepared.said.lines, prepared.said.suppressed);
        if let Some(cache) = &self.cache
            && let Err(error) = cache.put(&key, &prepared, code)
        {
            tracing::warn!(%error, "compiled code cannot be kept; the next start compiles again");
        }
        Ok(plugin)
    }

    fn plugin(&self, spec: &PluginSpec, request: &Request, prepared: &Prepared, code: &[u8]) -> Result<Plugin, Reason> {
        let manifest = Manifest::check(&prepared.manifest, prepared.kinds).map_err(Reason::Manifest)?;
        grants::check(&manifest, &spec.grants)?;
        let template = self.template(spec, request, prepared, code)?;
        let reference = PluginRef { name: manifest.name, version: manifest.version, digest: request.digest };
        let state = manifest.state.map(|version| StateUse {
            name: reference.name.as_str().into(),
            version,
            is_reset: spec.state == OtherState::Reset,
        });
        Ok(Plugin {
            reference: Arc::new(reference),
            file: spec.file.clone(),
            kinds: template.contract.kinds,
            reads: manifest.reads,
            writes: manifest.writes,
            state,
            id: Digest::of_parts([request.digest.as_bytes().as_slice(), request.config.as_bytes()]),
            config_digest: Digest::of(request.config.as_bytes()),
            instance: spec.instance,
            on_open: spec.on_open,
            not_frozen: prepared.not_frozen.clone(),
            log_rate: Rate::new(&spec.limits),
            template,
        })
    }

    fn template(
        &self,
        spec: &PluginSpec,
        request: &Request,
        prepared: &Prepared,
        code: &[u8],
    ) -> Result<Template, Reason> {
        let trouble = |error: wasmtime::Error| Reason::Engine(format!("its compiled code cannot be used: {error:#}"));
        let component = trusted::component(&self.wasm, &OwnCode(code)).map_err(trouble)?;
        let template = Template {
            contract: contract::read(&self.wasm, &component)?,
            pre: self.linker.instantiate_pre(&component).map_err(trouble)?,
            digest: request.digest,
            limits: spec.limits.clone(),
            configure: prepare::per_instance(prepared, &request.config),
        };
        // An instance of the pool, whose own bounds the compile child does not have.
        match Instance::bare(&template) {
            Ok(mut instance) => check_signatures(&mut instance, &template.contract)
                .map_err(|name| Reason::OtherSignature(name.into()))?,
            Err(NoInstance::Host(text)) => return Err(Reason::Engine(text)),
            Err(NoInstance::Plugin(fault)) => {
                return Err(Reason::ConfigureTrapped { code: fault.code.into(), text: fault.text });
            }
        }
        Ok(template)
    }
}

/// The state that a plugin keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateUse {
    /// The name that it stands under: the plugin's.
    pub name: Arc<str>,
    /// The version of its schema.
    pub version: u32,
    /// Whether what was stored in another version goes.
    pub is_reset: bool,
}

/// A plugin that can run.
pub struct Plugin {
    id: Digest,
    reference: Arc<PluginRef>,
    file: PathBuf,
    kinds: Kinds,
    reads: Vec<Field>,
    writes: Vec<(Path, FieldKind)>,
    state: Option<StateUse>,
    config_digest: Digest,
    instance: InstanceMode,
    on_open: OnOpen,
    not_frozen: Option<String>,
    log_rate: Rate,
    template: Template,
}

impl Plugin {
    /// Name, version and digest.
    pub fn reference(&self) -> &Arc<PluginRef> {
        &self.reference
    }

    /// The digest of its file and its configuration: what its breaker goes by, since one file may serve twice.
    pub fn id(&self) -> Digest {
        self.id
    }

    /// The file that it came from.
    pub fn file(&self) -> &std::path::Path {
        &self.file
    }

    /// What it is, by its exports.
    pub fn kinds(&self) -> Kinds {
        self.kinds
    }

    /// The fields that it reads, in the order of its columns.
    pub fn reads(&self) -> &[Field] {
        &self.reads
    }

    /// The fields that it writes, in the order of its columns.
    pub fn writes(&self) -> &[(Path, FieldKind)] {
        &self.writes
    }

    /// The state that it keeps, if any.
    pub fn state(&self) -> Option<&StateUse> {
        self.state.as_ref()
    }

    /// What it asks for beside its fields.
    pub fn needs(&self) -> Vec<Grant> {
        grants::needed(&self.reads, self.state.is_some())
    }

    /// What it imports, by name, and what it gets for each.
    pub fn imports(&self) -> Vec<(String, &'static str)> {
        contract::imports(self.template.pre.engine(), self.template.pre.component())
    }

    /// What it may use.
    pub fn limits(&self) -> &Limits {
        &self.template.limits
    }

    /// The digest of its configuration.
    pub fn config_digest(&self) -> Digest {
        self.config_digest
    }

    /// How long its instances live.
    pub fn instance_mode(&self) -> InstanceMode {
        self.instance
    }

    /// What becomes of events while its breaker is open.
    pub fn on_open(&self) -> OnOpen {
        self.on_open
    }

    /// Why each instance is configured anew; `None` where the code is pre-initialised, which is faster.
    pub fn configured_per_instance(&self) -> Option<&str> {
        self.not_frozen.as_deref()
    }

    pub(crate) fn log_rate(&self) -> &Rate {
        &self.log_rate
    }

    pub(crate) fn template(&self) -> &Template {
        &self.template
    }

    fn announce(&self) {
        let PluginRef { name, version, digest } = &*self.reference;
        let kinds = self.kinds;
        match &self.not_frozen {
            None => tracing::info!(%name, %version, %digest, %kinds, "plugin loaded, pre-initialised"),
            Some(why) => tracing::warn!(
                %name, %version, %digest, %kinds, why,
                "plugin loaded; every batch configures it anew, which is slower"
            ),
        }
        if self.kinds.enricher && self.writes.is_empty() {
            tracing::warn!(%name, "the enricher writes no field");
        }
    }
}

impl std::fmt::Debug for Plugin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plugin").field("reference", &self.reference).field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine").field("cache", &self.cache).field("compiler", &self.compiler).finish_non_exhaustive()
    }
}
