use std::sync::Arc;

use async_trait::async_trait;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body};
use mercurious_core::resources::ObjectName;
use serde_json::{Value, json};
use tower_test::mock::{Handle, SendResponse};

use crate::{Denied, Permit, objects::AutoDeployObject};

/// An API server that answers as the test says, one request after the other.
pub(super) struct ApiServer(Handle<Request<Body>, Response<Body>>);

/// A request that waits for its answer.
pub(super) struct Call {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: String,
    pub(super) body: Value,
    answer: SendResponse<Response<Body>>,
}

pub(super) fn api_server() -> (Client, ApiServer) {
    let (service, handle) = tower_test::mock::pair();
    (Client::new(service, "app"), ApiServer(handle))
}

impl ApiServer {
    pub(super) async fn next(&mut self) -> Call {
        let (request, answer) = self.0.next_request().await.expect("a request");
        let (parts, body) = request.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Call {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            answer,
        }
    }

    /// The next request must be this one.
    pub(super) async fn expect(&mut self, method: &str, path: &str) -> Call {
        let call = self.next().await;
        assert_eq!((call.method.as_str(), call.path.as_str()), (method, path));
        call
    }
}

impl Call {
    pub(super) fn answer(self, body: &Value) {
        self.answer_with(200, body);
    }

    pub(super) fn refuse(self, code: u16, reason: &str, message: &str) {
        let body = json!({
            "apiVersion": "v1", "kind": "Status", "status": "Failure",
            "code": code, "reason": reason, "message": message,
        });
        self.answer_with(code, &body);
    }

    fn answer_with(self, code: u16, body: &Value) {
        let body = Body::from(serde_json::to_vec(body).unwrap());
        self.answer.send_response(Response::builder().status(code).body(body).unwrap());
    }

    /// Lines of a watch.
    pub(super) fn stream(self, lines: &[Value]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.answer.send_response(Response::new(Body::from(text.into_bytes())));
    }
}

/// Lets everything be written.
pub(super) struct Free;

#[async_trait]
impl Permit for Free {
    async fn confirm(&self) -> Result<(), Denied> {
        Ok(())
    }
}

pub(super) fn free() -> Arc<dyn Permit> {
    Arc::new(Free)
}

pub(super) fn web() -> ObjectName {
    ObjectName::new("app", "web")
}

/// An AutoDeploy as the API server shows it.
pub(super) fn auto_deploy(version: &str, status: Option<&Value>, annotations: &Value) -> Value {
    let mut object = json!({
        "apiVersion": "mercurious.dev/v1alpha1", "kind": "AutoDeploy",
        "metadata": {
            "name": "web", "namespace": "app", "uid": "u-1", "resourceVersion": version, "generation": 1,
            "annotations": annotations,
        },
        "spec": {"target": {"name": "web"}, "policyRef": {"name": "web", "namespace": "flux-system"}},
    });
    if let Some(status) = status {
        object["status"] = status.clone();
    }
    object
}

pub(super) fn read(object: Value) -> AutoDeployObject {
    AutoDeployObject::read(serde_json::from_value(object).unwrap()).unwrap()
}
