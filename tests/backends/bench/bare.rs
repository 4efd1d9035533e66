//! What there is to compare with: a handler that only reads JSON and answers.

use axum::{Json, Router, http::StatusCode, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Serves it at `PORT` until it is killed.
#[expect(clippy::disallowed_methods, reason = "the only setting of a program of a measurement")]
pub(crate) async fn serve() -> anyhow::Result<()> {
    let port: u16 = std::env::var("PORT")?.parse()?;
    let handler = async |Json(_): Json<Value>| (StatusCode::ACCEPTED, Json(json!({"job_id": 1})));
    let router = Router::new().route("/v1/trips", post(handler));
    Ok(axum::serve(TcpListener::bind(("127.0.0.1", port)).await?, router).await?)
}
