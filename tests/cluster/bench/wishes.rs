/// A Deployment with what watches its image.
pub(crate) struct Wish<'a> {
    pub(crate) name: &'a str,
    pub(crate) repository: &'a str,
    pub(crate) image: &'a str,
    pub(crate) interval: &'a str,
    /// With none, nothing runs: pods are looked at during rollouts alone.
    pub(crate) replicas: u32,
    pub(crate) timeout: &'a str,
    pub(crate) bake: &'a str,
    /// Checks in YAML.
    pub(crate) checks: &'a str,
}

impl Wish<'_> {
    pub(crate) fn manifests(&self) -> String {
        let Self { name, repository, image, interval, replicas, timeout, bake, checks } = self;
        format!(
            "---
apiVersion: apps/v1
kind: Deployment
metadata: {{ name: {name} }}
spec:
  replicas: {replicas}
  selector: {{ matchLabels: {{ app: {name} }} }}
  strategy: {{ type: RollingUpdate, rollingUpdate: {{ maxSurge: 1, maxUnavailable: 0 }} }}
  template:
    metadata: {{ labels: {{ app: {name} }} }}
    spec:
      terminationGracePeriodSeconds: 15
      containers:
        - name: app
          image: '{image}'
          ports: [{{ containerPort: 8080 }}]
          readinessProbe: {{ httpGet: {{ path: /ready, port: 8080 }}, periodSeconds: 1 }}
          # Until the proxy has heard that this pod is leaving.
          lifecycle: {{ preStop: {{ sleep: {{ seconds: 2 }} }} }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImageRepository
metadata: {{ name: {name} }}
spec: {{ image: '{repository}', interval: {interval}, insecure: true }}
---
apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {{ name: {name} }}
spec:
  imageRepositoryRef: {{ name: {name} }}
  policy: {{ alphabetical: {{ order: desc }} }}
  filterTags: {{ pattern: '^sha-[a-f0-9]+$', extract: '$0' }}
---
apiVersion: mercurious.dev/v1alpha1
kind: AutoDeploy
metadata: {{ name: {name} }}
spec:
  target: {{ name: {name} }}
  policyRef: {{ name: {name} }}
  rollout: {{ timeout: {timeout}, bake: {bake} }}
  checks: {checks}
"
        )
    }
}

/// A port on the node that leads to the Deployment of this name.
pub(crate) fn service(name: &str) -> String {
    format!(
        "---
apiVersion: v1
kind: Service
metadata: {{ name: {name} }}
spec: {{ type: NodePort, selector: {{ app: {name} }}, ports: [{{ port: 80, targetPort: 8080 }}] }}
"
    )
}
