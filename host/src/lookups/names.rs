//! Reverse DNS, made when the first plugin asks for it and kept for those that come after.

use std::sync::{Arc, Mutex, PoisonError};

use super::ReverseDns;
use crate::config::ReverseDnsConfig;
use crate::health::Health;

/// See the module.
#[derive(Debug)]
pub struct Names {
    settings: ReverseDnsConfig,
    health: Arc<Health>,
    // Guards the making of it.
    service: Mutex<Option<Arc<ReverseDns>>>,
}

impl Names {
    /// Nobody has asked yet.
    pub fn new(settings: ReverseDnsConfig, health: Arc<Health>) -> Self {
        Self { settings, health, service: Mutex::default() }
    }

    /// The service, made if need be. Called within the async runtime.
    ///
    /// # Errors
    /// A sentence, when the system does not say which DNS servers it has.
    pub fn service(&self) -> Result<Arc<ReverseDns>, String> {
        let mut service = self.service.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(service) = &*service {
            return Ok(Arc::clone(service));
        }
        let made = Arc::new(ReverseDns::new(&self.settings, Arc::clone(&self.health))?);
        *service = Some(Arc::clone(&made));
        Ok(made)
    }

    /// The service, if a plugin has asked for it.
    pub fn made(&self) -> Option<Arc<ReverseDns>> {
        self.service.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
