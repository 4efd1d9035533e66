use axum::{http::header, response::IntoResponse};
use mercurious_contracts::{job::JobEvent, problem::Problem};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        self, Content, Ref, RefOr, ResponseBuilder, Schema, Type, path::Operation,
        schema::SchemaType,
    },
};

use super::{events, jobs, probes, regenerate, shares, trips};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Travel",
        description = "Asks for trips and tells how they come to be. An id lets whoever knows it read and change what it stands for; a link made by share lets others read only.",
    ),
    paths(
        trips::create,
        trips::show,
        trips::change,
        regenerate::regenerate,
        shares::share,
        shares::unshare,
        shares::show,
        jobs::show,
        jobs::cancel,
        events::follow,
        probes::version,
        probes::health,
        probes::ready,
        probes::metrics,
        show,
    ),
    components(schemas(JobEvent, Problem)),
    modifiers(&Everywhere)
)]
struct Document;

/// What all operations of `/v1` have in common: the rate limit, a store that may not answer, and headers that are there
/// or not, but never null.
struct Everywhere;

impl Modify for Everywhere {
    fn modify(&self, document: &mut openapi::OpenApi) {
        for (path, item) in &mut document.paths.paths {
            if !path.starts_with("/v1/") {
                continue;
            }
            for operation in [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete] {
                operation.iter_mut().for_each(describe);
            }
        }
    }
}

fn describe(operation: &mut Operation) {
    for parameter in operation.parameters.iter_mut().flatten() {
        if let RefOr::T(parameter) = parameter
            && let Some(RefOr::T(Schema::Object(object))) = &mut parameter.schema
            && let SchemaType::Array(types) = &mut object.schema_type
        {
            types.retain(|kind| *kind != Type::Null);
        }
    }
    for (status, description) in [
        ("429", "requests come too fast; Retry-After says when to go on"),
        (
            "503",
            "the store does not answer, nothing was accepted; Retry-After says when to ask again",
        ),
    ] {
        let content = Content::new(Some(Ref::from_schema_name("Problem")));
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", content)
            .build();
        operation.responses.responses.insert(status.to_owned(), response.into());
    }
}

/// The interface's description.
///
/// # Errors
/// If it cannot be written, which no input decides.
pub fn openapi_json() -> serde_json::Result<String> {
    let mut text = serde_json::to_string_pretty(&Document::openapi())?;
    text.push('\n');
    Ok(text)
}

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "describe",
    tag = "service",
    responses((status = 200, description = "OpenAPI 3.1", body = serde_json::Value))
)]
pub(super) async fn show() -> impl IntoResponse {
    let document = openapi_json().unwrap_or_default();
    ([(header::CONTENT_TYPE, "application/json")], document)
}
