//! What a producer's connections and batches are made by.

use std::sync::Arc;

use super::batch::Codec;
use super::tls::Tls;
use crate::config::{KafkaOutput, ProducerConfig};
use crate::kafka::KafkaError;

/// See the module.
pub(super) struct Settings {
    pub(super) config: Arc<ProducerConfig>,
    pub(super) codec: Codec,
    pub(super) tls: Option<Tls>,
}

impl Settings {
    /// # Errors
    /// A file of TLS that cannot be read, or that OpenSSL does not take.
    pub(super) fn new(output: &KafkaOutput) -> Result<Self, KafkaError> {
        let config = Arc::clone(&output.producer);
        let codec = Codec { compression: output.compression, level: config.compression_level };
        let tls = config.tls.as_ref().map(Tls::new).transpose()?;
        Ok(Self { config, codec, tls })
    }
}
