//! Prints the description of the interface: docs/api-gateway.openapi.json.

fn main() -> anyhow::Result<()> {
    #[expect(clippy::print_stdout, reason = "the document is the output")]
    {
        print!("{}", mercurious_api_gateway::http::openapi_json()?);
    }
    Ok(())
}
