//! What may be written under `sinks.NAME.http`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Passthrough, duration_schema, scalar_text, size_schema};
use crate::config::HttpFormat;
use crate::config::read::Ordered;

/// A webhook: POST requests with JSON, repeated until the receiver takes or refuses them. Each has `webhook-id` (the same when
/// the same events come again) and `webhook-timestamp`, and `webhook-signature` where there is a secret, as
/// <https://www.standardwebhooks.com> describes; `wasmill-origin` says which event it is, `wasmill-alert-id` which alert.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::config) struct RawHttp {
    /// The receiver's address: `https://host/path`. Only its host is ever shown.
    #[schemars(extend("writeOnly" = true))]
    pub(in crate::config) url: String,
    /// Further headers, such as `Authorization`. Their values are never shown.
    #[serde(default)]
    pub(in crate::config) headers: Ordered<Passthrough>,
    /// What requests are signed with: `whsec_` and base64, or another text of at least 16 bytes.
    #[serde(default)]
    #[schemars(extend("writeOnly" = true))]
    pub(in crate::config) secret: Option<String>,
    /// How long the receiver may take to answer, 100ms to 10m. After that the request is sent again.
    #[serde(default = "timeout")]
    #[schemars(schema_with = "duration_schema", extend("default" = "10s"))]
    pub(in crate::config) timeout: String,
    /// How events become bodies. A batch (`array`, `lines`) that is refused is sent once more event by event, so a receiver must take
    /// a whole batch or nothing of it; after a crash batches are cut anew, so `wasmill-origins` or the alerts' ids tell repeats.
    #[serde(default)]
    #[schemars(extend("default" = "single"))]
    pub(in crate::config) format: HttpFormat,
    /// Most events of a request, for `array` and `lines`; by default 100.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000))]
    pub(in crate::config) batch_events_max: Option<u64>,
    /// Most bytes of a body, 1KiB to 64MiB. A larger event is rejected with the code `too_large`.
    #[serde(default = "bytes_max", deserialize_with = "scalar_text")]
    #[schemars(schema_with = "size_schema", extend("default" = "1MiB"))]
    pub(in crate::config) batch_bytes_max: String,
    /// Most attempts to have a request taken; its events are then rejected with the code `undelivered`, and the waits begin anew with
    /// the next request, which is sent after the first of them. 0: for ever; the lane waits as long as the receiver is away.
    #[serde(default)]
    #[schemars(range(max = 1_000))]
    pub(in crate::config) attempts: u64,
}

fn timeout() -> String {
    "10s".to_owned()
}

fn bytes_max() -> String {
    "1MiB".to_owned()
}
