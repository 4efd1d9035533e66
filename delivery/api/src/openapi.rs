use utoipa::{
    Modify, OpenApi,
    openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use crate::{Change, Explanation, Problem, server};

#[derive(OpenApi)]
#[openapi(
    info(title = "Mercurious", description = "The API of a running engine."),
    paths(
        server::list,
        server::show,
        server::explain,
        server::history,
        server::logs,
        server::audit,
        server::events,
        server::openapi,
        server::deploy,
        server::restart,
        server::rollback,
        server::hold,
        server::resume,
        server::suspend,
        server::scan,
        server::sync,
    ),
    components(schemas(Change, Explanation, Problem)),
    modifiers(&Token)
)]
struct Document;

/// Says how changing calls are allowed.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("the content of the file `token` in the data directory"))
            .build();
        if let Some(components) = document.components.as_mut() {
            components.add_security_scheme("token", SecurityScheme::Http(bearer));
        }
    }
}

/// The OpenAPI document of this API, made from the code, with a line's end.
pub fn openapi_json() -> String {
    let mut text = Document::openapi().to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_committed_document_is_the_codes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == super::openapi_json(),
            "docs/openapi.json is old: run `cargo xtask generate`"
        );
    }
}
