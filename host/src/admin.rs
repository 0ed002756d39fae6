//! The admin pages: `/health`, `/health/ready`, `/stats`, `/metrics`, `/config`, `/tap`. None of them changes anything.

mod tap;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use wasmill_expr::time::format_rfc3339;

use crate::metrics;
use crate::status::Status;

/// Serves the pages until the runtime ends.
///
/// # Errors
/// A sentence when the address cannot be used.
pub async fn serve(address: SocketAddr, status: Arc<Status>) -> Result<SocketAddr, String> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        format!("the admin address {address} cannot be used: {error}; set another one with `admin:`, or `admin: false`")
    })?;
    let bound = listener.local_addr().map_err(|error| error.to_string())?;
    let pages = Router::new()
        .route("/health", get(alive))
        .route("/health/ready", get(ready))
        .route("/stats", get(stats))
        .route("/metrics", get(metrics_page))
        .route("/config", get(config))
        .route("/tap", post(tap::tap))
        .with_state(status);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, pages).await {
            tracing::error!("the admin pages stopped: {error}");
        }
    });
    Ok(bound)
}

async fn alive() -> &'static str {
    "alive\n"
}

async fn ready(State(status): State<Arc<Status>>) -> impl IntoResponse {
    let ready = status.health.is_ready();
    let code = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(json!({ "ready": ready, "parts": status.health.parts() })))
}

async fn stats(State(status): State<Arc<Status>>) -> Json<Value> {
    let (last_minute, last) = status.tally.recent();
    let last_processed_at = last.map(rfc3339);
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "report": status.tally.report(),
        "last_minute": last_minute,
        "last_processed_at": last_processed_at,
        "lag": status.lag(),
        "lanes": status.lanes(),
        "generation": status.generation(),
        "lookups": { "reverse_dns": status.names.made().map(|dns| dns.report()) },
        "alerts": status.open_alerts(),
        "health": status.health.parts(),
    }))
}

fn rfc3339(time: SystemTime) -> String {
    let nanos = time.duration_since(UNIX_EPOCH).map_or(0, |since| i64::try_from(since.as_nanos()).unwrap_or(i64::MAX));
    format_rfc3339(nanos).as_str().to_owned()
}

async fn metrics_page(State(status): State<Arc<Status>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], metrics::render(&status))
}

async fn config(State(status): State<Arc<Status>>) -> Json<Value> {
    Json(status.config.clone())
}
