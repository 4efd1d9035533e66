use utoipa::{
    Modify, OpenApi, ToSchema as _,
    openapi::{
        self, Content, RefOr, Response, Schema,
        path::Operation,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{Problem, change, live, read, server, unsteered, wait};

#[derive(OpenApi)]
#[openapi(
    info(title = "Mercurious", description = "The API of a running engine."),
    paths(
        read::list,
        read::show,
        read::explain,
        read::history,
        read::verify,
        read::audit,
        read::warnings,
        unsteered::list,
        live::events,
        live::logs,
        wait::settled,
        wait::sync,
        change::change,
        server::openapi,
    ),
    components(schemas(Problem)),
    modifiers(&Everywhere)
)]
struct Document;

/// What all operations have in common: problems, and the token of changing calls.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("the content of the file `token` in the data directory"))
            .build();
        if let Some(components) = document.components.as_mut() {
            // A view is an object and more: the object alone must not be closed.
            if let Some(RefOr::T(Schema::Object(object))) = components.schemas.get_mut("AutoDeploy")
            {
                object.additional_properties = None;
            }
            components.add_security_scheme("token", SecurityScheme::Http(bearer));
        }
        let operations = document.paths.paths.values_mut().flat_map(|path| {
            path.get
                .iter_mut()
                .map(|it| (it, false))
                .chain(path.post.iter_mut().map(|it| (it, true)))
        });
        for (operation, changes) in operations {
            describe(operation, changes);
        }
    }
}

fn describe(operation: &mut Operation, changes: bool) {
    let problem = openapi::Ref::from_schema_name(Problem::name());
    let mut response = Response::new("What went wrong, and what to do");
    let content = Content::new(Some(RefOr::Ref(problem)));
    response.content.insert("application/problem+json".to_owned(), RefOr::T(content));
    operation.responses.responses.insert("default".to_owned(), RefOr::T(response));
    if changes {
        let none: [&str; 0] = [];
        operation.security = Some(vec![SecurityRequirement::new("token", none)]);
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
    fn references(value: &serde_json::Value, found: &mut Vec<String>) {
        match value {
            serde_json::Value::Object(map) => {
                for (key, value) in map {
                    match value.as_str() {
                        Some(text) if key == "$ref" => found.push(text.to_owned()),
                        _ => references(value, found),
                    }
                }
            }
            serde_json::Value::Array(list) => {
                for value in list {
                    references(value, found);
                }
            }
            _ => {}
        }
    }

    #[test]
    fn the_committed_document_is_the_codes() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == super::openapi_json(),
            "docs/openapi.json is old: run `cargo xtask generate`"
        );
    }

    #[test]
    fn every_reference_leads_to_a_schema_and_no_object_is_without_fields() {
        let document: serde_json::Value = serde_json::from_str(&super::openapi_json()).unwrap();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 30, "{found:?}");
        for reference in found {
            let name = reference.strip_prefix("#/components/schemas/").unwrap();
            assert!(schemas.contains_key(name), "{reference} leads nowhere");
        }
        for (name, schema) in schemas {
            let free = schema["type"] == "object"
                && schema.get("properties").is_none()
                && schema.get("additionalProperties").is_none();
            assert!(!free, "{name} is a free-form object");
        }
    }
}
