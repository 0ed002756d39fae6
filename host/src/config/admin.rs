//! The HTTP pages of a pipeline.

use std::net::SocketAddr;

use crate::tap::SecretField;

/// Where the admin pages are unless `admin` says otherwise.
pub const ADMIN_DEFAULT: &str = "127.0.0.1:9600";

/// The admin pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminConfig {
    /// Where they are.
    pub address: SocketAddr,
    /// Who may look at events; `None`: nobody.
    pub tap: Option<TapConfig>,
}

/// How events may be looked at while they pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TapConfig {
    /// By this machine alone: the pages are on a loopback address.
    pub is_local: bool,
    /// Fields that are not shown, beside [`crate::tap::SECRET_NAMES`].
    pub redact: Vec<SecretField>,
    /// How many may look at once.
    pub connections_max: usize,
}
