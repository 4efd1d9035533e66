//! Prints the OpenAPI document.
use std::io::Write as _;

fn main() -> std::io::Result<()> {
    std::io::stdout().write_all(mercurious_api::openapi_json().as_bytes())
}
