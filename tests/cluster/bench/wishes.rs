/// A Deployment that runs nothing, with what watches its image: pods are looked at during rollouts alone.
pub(crate) fn idle(name: &str, repository: &str, image: &str, interval: &str) -> String {
    wish(name, repository, image, interval, 0, "")
}

/// One that runs the example server.
pub(crate) fn running(name: &str, repository: &str, image: &str) -> String {
    let more = "ports: [{ containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /ready, port: 8080 }, periodSeconds: 1 }";
    wish(name, repository, image, "1h", 1, more)
}

fn wish(
    name: &str,
    repository: &str,
    image: &str,
    interval: &str,
    replicas: u32,
    container: &str,
) -> String {
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
      terminationGracePeriodSeconds: 1
      containers:
        - name: app
          image: '{image}'
          {container}
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
  rollout: {{ timeout: 2m, bake: 1s }}
"
    )
}
