//! Why a pipeline cannot begin.

use crate::store::StoreError;

/// Before the first event: nothing has been received or stored.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// Somebody must act; exit code 78.
    #[error("{0}")]
    Wrong(String),
    /// A stop was asked for while something that is away was waited for.
    #[error("stopped before everything was connected")]
    Interrupted,
}

impl From<StoreError> for SetupError {
    fn from(error: StoreError) -> Self {
        Self::Wrong(error.to_string())
    }
}
