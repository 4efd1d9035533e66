use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use mercurious_cluster::Namespace;
use mercurious_core::image::Digest;
use mercurious_load::ask;
use mercurious_trials::Image;
use tokio::time::{Instant, sleep};

use crate::stage::Scene;

/// The example server as a Deployment with a Service, in a namespace of its own.
pub(crate) struct Example {
    pub(crate) namespace: Namespace,
    scene: Scene,
    repository: String,
}

impl Example {
    /// Two replicas of this image, ready.
    pub(crate) async fn start(scene: &Scene, stem: &str, image: Image) -> anyhow::Result<Self> {
        let namespace = scene.namespace(stem).await?;
        let repository = format!("{}/example", namespace.name());
        let example = Self { namespace, scene: scene.clone(), repository };
        let reference = example.reference(&image);
        example.push(image).await?;
        example.namespace.kubectl().apply(&manifests(&reference)).await?;
        example.settled().await?;
        Ok(example)
    }

    /// As a workflow would: the commit's tag, then `latest`.
    pub(crate) async fn push(&self, image: Image) -> anyhow::Result<Digest> {
        self.scene.cluster().images().push(&self.scene.program, &self.repository, image).await
    }

    /// The `number`-th in time, with nothing left of its layer.
    pub(crate) async fn push_without_layer(
        &self,
        place: &Path,
        number: u32,
    ) -> anyhow::Result<Digest> {
        let images = self.scene.cluster().images();
        images.push_without_layer(&self.scene.program, place, &self.repository, number).await
    }

    /// The repository as pods name it.
    pub(crate) fn repository(&self) -> String {
        self.scene.cluster().images().pulled(&self.repository)
    }

    /// What a pod's container names.
    pub(crate) fn reference(&self, image: &Image) -> String {
        format!("{}:sha-{}", self.repository(), image.commit())
    }

    /// As a person would.
    pub(crate) async fn set_image(&self, image: &Image) -> anyhow::Result<()> {
        let image = self.reference(image);
        self.namespace.kubectl().line(&format!("set image deployment/example app={image}")).await?;
        Ok(())
    }

    /// Waits until the Deployment is complete.
    pub(crate) async fn settled(&self) -> anyhow::Result<()> {
        let kubectl = self.namespace.kubectl();
        kubectl.line("rollout status deployment/example --timeout=120s").await?;
        Ok(())
    }

    /// The image that the Deployment names now.
    pub(crate) async fn image(&self) -> anyhow::Result<String> {
        const IMAGE: &str =
            "get deployment example --output=jsonpath={..spec.template.spec.containers[0].image}";
        Ok(self.namespace.kubectl().line(IMAGE).await?)
    }

    /// Waits until its Service answers with this version.
    pub(crate) async fn answers(&self, version: &str) -> anyhow::Result<()> {
        answers(&self.url().await?, version).await
    }

    /// Waits until the last pod of this image has ended.
    pub(crate) async fn gone(&self, image: &Image) -> anyhow::Result<()> {
        const IMAGES: &str = "get pods --output=jsonpath={..spec.containers[*].image}";
        let image = image.commit();
        let what = format!("the end of {image}");
        self.namespace.until(&what, IMAGES, |said| !said.contains(&image)).await?;
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

/// Waits until a Service answers with this version. It may refuse for a moment after its pods are ready, or after it
/// was made: that is the proxy, and no fault.
pub(crate) async fn answers(url: &str, version: &str) -> anyhow::Result<()> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = ask(url, Duration::from_secs(2)).await;
        if answer.as_ref().is_ok_and(|answer| answer.starts_with(version)) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "{answer:?} in the place of {version}");
        sleep(Duration::from_millis(100)).await;
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
