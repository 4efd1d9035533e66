use anyhow::Context as _;
use mercurious_cluster::Namespace;

use crate::stage::Scene;

/// The example server as a Deployment with a Service, in a namespace of its own.
pub(crate) struct Example {
    pub(crate) namespace: Namespace,
    scene: Scene,
    repository: String,
}

impl Example {
    /// Two replicas of this version, ready.
    pub(crate) async fn start(scene: &Scene, stem: &str, version: &str) -> anyhow::Result<Self> {
        let namespace = scene.namespace(stem).await?;
        let repository = format!("{}/example", namespace.name());
        let example = Self { namespace, scene: scene.clone(), repository };
        example.publish(version, &[]).await?;
        let image = example.image(version);
        example.namespace.kubectl().apply(&manifests(&image)).await?;
        example
            .namespace
            .kubectl()
            .line("rollout status deployment/example --timeout=120s")
            .await?;
        Ok(example)
    }

    /// Pushes an image of this version; its digest.
    pub(crate) async fn publish(
        &self,
        version: &str,
        variables: &[&str],
    ) -> anyhow::Result<String> {
        let images = self.scene.cluster().images();
        images.publish_example(&self.scene.program, &self.repository, version, variables).await
    }

    /// What a pod's container names.
    pub(crate) fn image(&self, version: &str) -> String {
        format!("{}:{version}", self.scene.cluster().images().pulled(&self.repository))
    }

    /// As a person would.
    pub(crate) async fn set_image(&self, version: &str) -> anyhow::Result<()> {
        let image = self.image(version);
        self.namespace.kubectl().line(&format!("set image deployment/example app={image}")).await?;
        Ok(())
    }

    /// Its Service from outside.
    pub(crate) async fn url(&self) -> anyhow::Result<String> {
        let service = self.namespace.kubectl().json("get service example").await?;
        let port = service["spec"]["ports"][0]["nodePort"].as_u64().context("no port")?;
        Ok(format!("http://{}:{port}/", self.scene.cluster().facts().node))
    }

    /// Waits until a container waits for this reason.
    pub(crate) async fn waits(&self, reason: &str) -> anyhow::Result<()> {
        const REASONS: &str = "get pods --output=jsonpath={..state.waiting.reason}";
        self.namespace.until(reason, REASONS, |said| said.contains(reason)).await?;
        Ok(())
    }
}

fn manifests(image: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{ name: example }}
spec:
  replicas: 2
  progressDeadlineSeconds: 60
  selector: {{ matchLabels: {{ app: example }} }}
  strategy: {{ type: RollingUpdate, rollingUpdate: {{ maxSurge: 1, maxUnavailable: 0 }} }}
  template:
    metadata: {{ labels: {{ app: example }} }}
    spec:
      terminationGracePeriodSeconds: 15
      containers:
        - name: app
          image: {image}
          ports: [{{ containerPort: 8080 }}]
          readinessProbe: {{ httpGet: {{ path: /ready, port: 8080 }}, periodSeconds: 1 }}
          # Until the proxy has heard that this pod is leaving.
          lifecycle: {{ preStop: {{ sleep: {{ seconds: 2 }} }} }}
          resources: {{ requests: {{ cpu: 10m, memory: 16Mi }}, limits: {{ memory: 128Mi }} }}
          securityContext:
            allowPrivilegeEscalation: false
            capabilities: {{ drop: [ALL] }}
            readOnlyRootFilesystem: true
---
apiVersion: v1
kind: Service
metadata: {{ name: example }}
spec: {{ type: NodePort, selector: {{ app: example }}, ports: [{{ port: 80, targetPort: 8080 }}] }}
"
    )
}
