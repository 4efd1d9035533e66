use std::{fmt, net::SocketAddr};

/// One Deployment of the example server with all that steers it, as manifests.
#[derive(Clone, Debug)]
pub struct Wish {
    /// How many replicas.
    pub replicas: u32,
    /// The `ImageRepository`'s interval.
    pub interval: &'static str,
    /// From the change to complete.
    pub timeout: &'static str,
    /// How long it must stay healthy.
    pub bake: &'static str,
    /// Seconds in which an old replica may finish what it does.
    pub grace_seconds: u32,
    /// A registry other than the embedded one.
    pub registry: Option<SocketAddr>,
    /// Whether checks ask for the commit that is served, and for `/check`.
    pub checks: bool,
    /// Whether a failed rollout goes back by itself.
    pub automatic_rollback: bool,
    /// The value of a Secret that is handed to the program as `EXAMPLE_SECRET`.
    pub secret: &'static str,
    /// A second Deployment, `twin`, that follows the same policy.
    pub twin: bool,
}

impl Default for Wish {
    fn default() -> Self {
        Self {
            replicas: 2,
            interval: "1m0s",
            timeout: "2m0s",
            bake: "1s",
            grace_seconds: 10,
            registry: None,
            checks: true,
            automatic_rollback: true,
            secret: "nothing",
            twin: false,
        }
    }
}

/// Where the manifests are filled in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Places<'a> {
    pub(crate) registry: SocketAddr,
    pub(crate) service: SocketAddr,
    pub(crate) mark: &'a str,
}

impl Wish {
    /// The repository that is watched, beneath the registry.
    pub const REPOSITORY: &str = "team/example";

    pub(crate) fn manifests(&self, places: Places<'_>) -> String {
        Manifests { wish: self, places }.to_string()
    }
}

struct Manifests<'a> {
    wish: &'a Wish,
    places: Places<'a>,
}

impl fmt::Display for Manifests<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Wish { replicas, interval, timeout, bake, grace_seconds, .. } = self.wish;
        let Places { registry, service, mark } = self.places;
        let repository = format!("{}/{}", self.wish.registry.unwrap_or(registry), Wish::REPOSITORY);
        let node_port = service.port();
        let (automatic, secret) = (self.wish.automatic_rollback, self.wish.secret);
        write!(
            formatter,
            "apiVersion: apps/v1
kind: Deployment
metadata: {{ name: example, namespace: app }}
spec:
  replicas: {replicas}
  selector: {{ matchLabels: {{ app: example }} }}
  strategy: {{ type: RollingUpdate, rollingUpdate: {{ maxSurge: 1, maxUnavailable: 0 }} }}
  template:
    metadata: {{ labels: {{ app: example }} }}
    spec:
      terminationGracePeriodSeconds: {grace_seconds}
      containers:
        - name: app
          image: {repository}:latest
          ports: [{{ containerPort: 8080 }}]
          env:
            - {{ name: EXAMPLE_MARK, value: {mark} }}
            - {{ name: EXAMPLE_SECRET, valueFrom: {{ secretKeyRef: {{ name: example, key: word }} }} }}
          readinessProbe: {{ httpGet: {{ path: /ready, port: 8080 }}, periodSeconds: 1 }}
---
apiVersion: v1
kind: Secret
metadata: {{ name: example, namespace: app }}
stringData: {{ word: {secret} }}
---
apiVersion: v1
kind: Service
metadata: {{ name: example, namespace: app }}
spec:
  type: NodePort
  selector: {{ app: example }}
  ports: [{{ port: 80, targetPort: 8080, nodePort: {node_port} }}]
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: {{ name: example, namespace: app }}
spec: {{ image: {repository}, interval: {interval}, insecure: true }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {{ name: example, namespace: app }}
spec:
  imageRepositoryRef: {{ name: example }}
  policy: {{ alphabetical: {{ order: desc }} }}
  filterTags: {{ pattern: '^sha-[a-f0-9]+$', extract: '$0' }}
---
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {{ name: example, namespace: app }}
spec:
  target: {{ kind: Deployment, name: example }}
  policyRef: {{ name: example }}
  rollout: {{ timeout: {timeout}, bake: {bake} }}
  rollback: {{ automatic: {automatic} }}
"
        )?;
        if self.wish.checks {
            formatter.write_str(
                "  checks:
    - name: version
      http: { url: http://example.app.svc/, status: 200, contains: '{{ release.commit }}' }
      period: 200ms
    - name: own-check
      http: { url: http://example.app.svc/check, status: 200 }
      period: 200ms
",
            )?;
        }
        if self.wish.twin {
            write!(
                formatter,
                "---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: twin, namespace: app }}
spec:
  replicas: 1
  selector: {{ matchLabels: {{ app: twin }} }}
  template:
    metadata: {{ labels: {{ app: twin }} }}
    spec:
      containers:
        - name: app
          image: {repository}:latest
          ports: [{{ containerPort: 8080 }}]
          env: [{{ name: EXAMPLE_MARK, value: {mark} }}]
          readinessProbe: {{ httpGet: {{ path: /ready, port: 8080 }}, periodSeconds: 1 }}
---
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {{ name: twin, namespace: app }}
spec:
  target: {{ kind: Deployment, name: twin }}
  policyRef: {{ name: example }}
  rollout: {{ timeout: {timeout}, bake: {bake} }}
"
            )?;
        }
        Ok(())
    }
}
