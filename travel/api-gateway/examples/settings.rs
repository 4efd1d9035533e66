//! Prints the page of settings: docs/api-gateway-settings.md.

fn main() {
    #[expect(clippy::print_stdout, reason = "the page is the output")]
    {
        print!("{}", mercurious_api_gateway::settings::page());
    }
}
