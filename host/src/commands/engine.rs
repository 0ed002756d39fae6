//! The engine of the commands about one plugin. What it compiles is kept where pipelines keep theirs, so that no command, and no pipeline of
//! the same user, compiles again what another one did.

use std::path::Path;
use std::sync::{Arc, Once};

use wasmill_engine::{Engine, EngineError, EngineOptions, Meter};

use crate::config::{Environment, compiled_folder};

/// Instances that may live at once: of the plugin, and of others beside it.
const INSTANCES: u32 = 4;
/// That nothing is kept is told once, however many engines a command needs.
static TOLD: Once = Once::new();

/// An engine with the limits on compiling that a pipeline has by default. Compiled code is kept in `cache` where it is named, and else in
/// the user's cache folder, or nowhere if that cannot be used.
///
/// # Errors
/// A sentence that says what to do.
pub(super) fn engine(cache: Option<&Path>, meter: Option<Arc<Meter>>) -> Result<Engine, String> {
    let options = EngineOptions::new().map_err(|error| error.to_string())?;
    let options = EngineOptions { instances: INSTANCES, meter, ..options };
    let with = |cache_dir| Engine::new(EngineOptions { cache_dir, ..options.clone() });
    let made = match cache {
        Some(named) => with(Some(named.to_owned())),
        None => match with(compiled_folder(&Environment::of_process())) {
            Err(error @ EngineError::Cache { .. }) => {
                TOLD.call_once(|| tracing::warn!("{error}; until then every command compiles anew"));
                with(None)
            }
            made => made,
        },
    };
    made.map_err(|error| error.to_string())
}
