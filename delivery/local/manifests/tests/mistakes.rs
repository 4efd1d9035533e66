//! What a person gets to read who made a typical mistake.

use std::fs;

use mercurious_manifests::{WarningKind, parse, read_paths};
use proptest::prelude::*;

const EVERYTHING: &str = include_str!("good/everything.yaml");

fn faults(text: &str) -> String {
    parse(text, "app.yaml").expect_err("a fault").to_string()
}

/// Everything, with one thing changed; what validation says about it.
fn broken(from: &str, to: &str) -> String {
    assert!(EVERYTHING.contains(from), "{from}");
    let changed = EVERYTHING.replacen(from, to, 1);
    match parse(&changed, "app.yaml") {
        Err(errors) => errors.to_string(),
        Ok(manifests) => manifests.validate().expect_err("a fault").to_string(),
    }
}

fn deployment(container: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: api}}
spec:
  selector: {{matchLabels: {{app: api}}}}
  template:
    metadata: {{labels: {{app: api}}}}
    spec:
      containers:
        - name: api
          image: ghcr.io/o/api:1
{container}"
    )
}

#[test]
fn r01_r03_an_image_must_be_a_whole_reference() {
    let image = "ghcr.io/team-mercurious/api-gateway:sha-0a1b2c3";
    insta::assert_snapshot!(broken(image, "sha-0123456789abcdef0123456789abcdef01234567"));
    insta::assert_snapshot!(broken(image, "https://ghcr.io/a/b:1"));
    insta::assert_snapshot!(broken(image, "ghcr.io/a/b:"));
    insta::assert_snapshot!(broken(image, "ghcr.io/a/${IMAGE}"));
}

#[test]
fn r06_filter_tags_under_policy_are_refused_where_they_stand() {
    let policy = "apiVersion: image.toolkit.fluxcd.io/v1beta2
kind: ImagePolicy
metadata: {name: api}
spec:
  imageRepositoryRef: {name: api}
  policy:
    alphabetical: {order: asc}
    filterTags: {pattern: '^x$'}
";
    insta::assert_snapshot!(faults(policy));
}

#[test]
fn r34_variables_under_env_from_are_one_fault_for_each() {
    insta::assert_snapshot!(faults(&deployment(
        "          env:
          envFrom:
            - name: KAFKA_BROKERS
              value: kafka:9092
            - name: KAFKA_PASSWORD
              valueFrom: {secretKeyRef: {name: kafka-sasl, key: password}}
            - configMapRef: {name: gateway-config}
"
    )));
}

#[test]
fn misspelt_misplaced_and_mistyped_fields_come_all_together() {
    insta::assert_snapshot!(faults(&deployment(
        "          readinesProbe: {httpGet: {port: 80}}
          env_from: []
          env:
            - {name: PORT, value: 8080}
            - {name: DEBUG, value: yes}
            - {name: A=B, value: c}
          ports:
            - {containerPort: 70000, protocol: UDP}
            - {containerPort: '80'}
          livenessProbe: {httpGet: {path: /, port: '3000'}, timeoutSecond: 1}
          startupProbe: {periodSeconds: 1}
          terminationGracePeriodSeconds: 30
          volumeMounts: {name: a, mountPath: b}
          frobnicate: 1
  replicas: two
  maxUnavailable: 0
  strategy: {type: rollingupdate}
"
    )));
}

#[test]
fn what_one_machine_does_not_do_is_refused_with_the_reason() {
    insta::assert_snapshot!(faults(&deployment(
        "          volumeDevices: [{name: a}]
      initContainers: [{name: migrate}]
      nodeSelector: {disk: ssd}
      hostNetwork: true
      restartPolicy: OnFailure
      volumes:
        - {name: data, persistentVolumeClaim: {claimName: data}}
        - {name: both, emptyDir: {}, secret: {secretName: a}}
        - {name: none}
"
    )));
}

#[test]
fn a_claim_that_is_not_there_is_a_fault_and_one_that_is_there_is_none() {
    let volume = "      volumes:
        - {name: data, persistentVolumeClaim: {claimName: data}}
";
    let judged = |text: &str| parse(text, "app.yaml").unwrap().validate();
    let found = judged(&deployment(volume)).expect_err("a fault").to_string();
    assert!(found.contains("there is no PersistentVolumeClaim default/data"), "{found}");
    let claim = "---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
";
    judged(&format!("{}{claim}", deployment(volume))).unwrap();
}

#[test]
fn other_kinds_and_versions_are_refused_by_name() {
    let object = |version: &str, kind: &str| {
        format!("apiVersion: {version}\nkind: {kind}\nmetadata: {{name: a}}\n---\n")
    };
    insta::assert_snapshot!(faults(
        &[
            object("apps/v1", "StatefulSet"),
            object("autoscaling/v2", "HorizontalPodAutoscaler"),
            object("kustomize.config.k8s.io/v1beta1", "Kustomization"),
            object("apps/v1", "Deploymnet"),
            object("traefik.containo.us/v1alpha1", "Middleware"),
            object("extensions/v1beta1", "Ingress"),
            object("v1", "Deployment"),
            "just a text\n---\n".to_owned(),
            "kind: Secret\n---\n".to_owned(),
            "a: b\n".to_owned(),
        ]
        .concat()
    ));
}

#[test]
fn what_is_not_yaml_is_named_with_its_place() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    let messages: Vec<String> = [
        "a:\n\tb: 1\n".to_owned(),
        format!("{map}data:\n  A: x\n  B: y\n  A: z\n"),
        format!("{map}data: {{A: {{{{ value }}}}}}\n"),
        format!("{map}data: [\n"),
        format!("{map}data: *nothing\n"),
        format!("{map}data: !!binary aGk=\n"),
        format!("{map}data: &a {{b: *a}}\n"),
        format!("{map} data: x\n"),
    ]
    .iter()
    .map(|text| faults(text))
    .collect();
    insta::assert_snapshot!(messages.join("\n"));
}

#[test]
fn a_byte_order_mark_and_returns_change_nothing() {
    let good = parse(EVERYTHING, "app.yaml").map_err(|it| it.to_string()).expect("it reads");
    let with_returns = EVERYTHING.replace('\n', "\r\n");
    assert_eq!(parse(&with_returns, "app.yaml"), Ok(good.clone()));
    let marked = parse(&format!("\u{feff}{EVERYTHING}"), "app.yaml").expect("it reads");
    assert_eq!(marked.len(), good.len());
    let wrong = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\nspecs: 1\n";
    assert_eq!(faults(&wrong.replace('\n', "\r\n")), faults(wrong));
}

#[test]
fn several_documents_are_read_and_a_fault_is_named_in_each() {
    let map =
        |name: &str| format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
    let text = format!("# nothing\n---\n---\n{}...\n{}---\n", map("a"), map("b"));
    assert_eq!(parse(&text, "app.yaml").expect("it reads").len(), 2);
    let text = format!("{}a: 1\n{}b: 1\n", map("a"), map("b"));
    let errors = parse(&text, "app.yaml").expect_err("faults");
    let lines: Vec<usize> = errors.faults().iter().map(|fault| fault.origin.line).collect();
    assert_eq!(lines, [5, 10]);
}

#[test]
fn control_characters_of_a_manifest_reach_no_terminal() {
    for wrong in [
        "kind: ConfigMap\nmetadata: {name: \"a\\e[31m\"}",
        "kind: ConfigMap\nmetadata: {name: a}\ndata: {\"a\\e[31m\": x}",
        "kind: \"Conf\\e[31m\"\nmetadata: {name: a}",
        "kind: ConfigMap\n\"met\\e[31m\": {name: a}",
    ] {
        let said = faults(&format!("apiVersion: v1\n{wrong}\n"));
        assert!(!said.replace('\n', "").contains(char::is_control), "{said:?}");
    }
    let pattern = broken("pattern: '^sha-[a-f0-9]+$'", "pattern: \"(\\e[31m\"");
    assert!(!pattern.replace('\n', "").contains(char::is_control), "{pattern:?}");
}

#[test]
fn a_field_whose_name_has_a_tag_is_refused() {
    let map = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    assert!(faults(&format!("{map}data: {{!!binary aGk=: x}}\n")).contains("tag"));
    assert!(parse(&format!("{map}data: {{!!str 1: x}}\n"), "app.yaml").is_ok());
}

#[test]
fn a_file_without_end_is_refused_unread() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("large.yaml");
    let file = fs::File::create(&path).expect("a file");
    file.set_len(100 << 20).expect("a hole");
    for path in [path, "/dev/zero".into()] {
        let errors = read_paths(&[path]).expect_err("a fault");
        assert!(errors.to_string().contains("is larger than 16 MiB"), "{errors}");
    }
}

#[test]
fn aliases_and_depth_are_bounded() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let alias = vec![format!("*a{}", level - 1); 10].join(", ");
        bomb.extend([format!("a{level}: &a{level} ["), alias, "]\n".to_owned()]);
    }
    let long = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(1 << 20), "*a, ".repeat(1000));
    let mut nested = String::new();
    nested.extend((0..60).map(|level| format!("&a{level} [")));
    nested.extend(["x, ".repeat(100_000), "]".repeat(60)]);
    let messages = [bomb, long, nested, "[".repeat(100_000), "- ".repeat(100_000)];
    insta::assert_snapshot!(messages.map(|text| faults(&text)).join("\n"));
}

#[test]
fn a_secrets_value_is_never_repeated() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n";
    let messages = [
        "data: {password: hunter2!}",
        "data: {password: 48151623}",
        "stringData: {password: 48151623}",
        "stringData: {password: [hunter2]}",
        "data: hunter2",
        "stringData: {password: hunter2, password: hunter3}",
        "stringData: {a: \"hunter2\\q\"}",
        "stringData: {a: 'hunter2",
        "stringData: {? hunter 2}",
        "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: hunter2}",
        "type: kubernetes.io/dockerconfigjson\nstringData: {config.json: hunter2}",
    ]
    .map(|wrong| match parse(&format!("{secret}{wrong}\n"), "app.yaml") {
        Err(errors) => errors.to_string(),
        Ok(manifests) => manifests.validate().expect_err("a fault").to_string(),
    })
    .join("\n");
    assert!(!messages.contains("hunter") && !messages.contains("48151623"), "{messages}");
    insta::assert_snapshot!(messages);
}

#[test]
fn r15_r16_an_auto_deploys_target_container_and_policy_are_there() {
    insta::assert_snapshot!(
        [
            broken("  container: app\n", "  container: api\n"),
            broken("target: { kind: Deployment, name: api }", "target: { name: gateway }"),
            broken(
                "kind: AutoDeploy\nmetadata: { name: api, namespace: app }",
                "kind: AutoDeploy\nmetadata: { name: api }"
            ),
            broken(
                "policyRef: { name: api-gateway, namespace: flux-system }",
                "policyRef: { name: api-gateway }"
            ),
            broken(
                "image: ghcr.io/team-mercurious/api-gateway:sha",
                "image: ghcr.io/team-mercurious/api:sha"
            ),
        ]
        .join("\n")
    );
}

#[test]
fn a_time_limit_that_leaves_no_time_is_refused_and_no_bake_is_not() {
    let parts = [
        ("rollout: { timeout: 5m", "rollout: { timeout: 0s"),
        ("period: 1s", "period: 0ms"),
        ("timeout: 2s }", "timeout: 0m }"),
    ];
    for (from, to) in parts {
        let said = broken(from, to);
        assert!(said.contains("must be longer than 0s"), "{said}");
    }
    let no_bake = EVERYTHING.replacen("bake: 30s", "bake: 0s", 1);
    assert!(parse(&no_bake, "app.yaml").unwrap().validate().is_ok());
}

#[test]
fn r31_every_backend_and_reference_resolves_and_a_host_has_one_owner() {
    let second = "---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: again, namespace: app}
spec:
  rules:
    - host: api2.gotravelyzer.com
      http: {paths: [{pathType: ImplementationSpecific, backend: {service: {name: api, port: {number: 80}}}}]}
---
apiVersion: v1
kind: Service";
    insta::assert_snapshot!(
        [
            broken(
                "kind: Ingress\nmetadata:\n  name: api\n  namespace: app",
                "kind: Ingress\nmetadata:\n  name: api\n  namespace: cert-manager"
            ),
            broken("port: { name: http } } } }", "port: { name: https } } } }"),
            broken("---\napiVersion: v1\nkind: Service", second),
            broken(
                "  selector: { app: api }\n  sessionAffinity",
                "  selector: { app: apy }\n  sessionAffinity"
            ),
            broken("targetPort: http", "targetPort: web"),
            broken("{ name: other, port: 81 }", "{ port: 80 }"),
            broken("httpGet: { path: /ready, port: http,", "httpGet: { path: /ready, port: web,"),
            broken("matchLabels: { app: api }", "matchLabels: { app: other }"),
            broken("name: settings, mountPath", "name: setting, mountPath"),
            broken(
                "imagePullSecrets: [{ name: ghcr-secret }]",
                "imagePullSecrets: [{ name: ghcr }]"
            ),
            broken("name: settings, key: LOG_LEVEL }", "name: settings, key: LEVEL }"),
            broken("configMapRef: { name: settings }", "configMapRef: { name: gateway-config }"),
            broken("    name: ghcr-secret\n  provider", "    name: ghcr\n  provider"),
        ]
        .join("\n")
    );
}

#[test]
fn r16_a_service_does_not_select_across_namespaces() {
    let service = "apiVersion: v1
kind: Service
metadata: {name: api, namespace: other}
spec: {selector: {app: api}, ports: [{port: 80}]}
---
";
    let manifests = parse(&format!("{service}{EVERYTHING}"), "app.yaml").expect("it reads");
    assert_eq!(
        manifests.validate().expect_err("a fault").to_string(),
        "app.yaml:4:8: spec.selector: selects no Deployment's replicas in namespace other; write labels of a Deployment's spec.template.metadata"
    );
}

#[test]
fn r31_a_prefix_with_and_without_a_slash_at_its_end_has_one_owner_and_an_exact_path_another() {
    let paths = "          - { path: /a, pathType: Prefix, backend: { service: { name: api, port: { number: 80 } } } }
          - { path: /a/, pathType: PATH_TYPE, backend: { service: { name: api, port: { number: 80 } } } }
          - { path: /exactly,";
    let twice = broken("          - { path: /exactly,", &paths.replace("PATH_TYPE", "Prefix"));
    assert!(twice.contains("/a/ is served by app.yaml:107:"), "{twice}");
    let exact = EVERYTHING.replacen(
        "          - { path: /exactly,",
        &paths.replace("PATH_TYPE", "Exact"),
        1,
    );
    let manifests = parse(&exact, "app.yaml").expect("it reads");
    assert_eq!(manifests.validate(), Ok(()));
}

#[test]
fn a_policy_that_cannot_be_used_is_a_fault() {
    let annotation = "  annotations: { mercurious.dev/order: newest }\n";
    insta::assert_snapshot!(
        [
            broken("    alphabetical:\n      order: desc", "    semver: {range: '>=x'}"),
            broken(
                "    alphabetical:\n      order: desc",
                "    alphabetical: {}\n    numerical: {}"
            ),
            broken("pattern: '^sha-[a-f0-9]+$'", "pattern: '^sha-[a-f0-9+$'"),
            broken(annotation, "  annotations: { mercurious.dev/order: latest }\n"),
            broken("    name: api-gateway\n  policy", "    name: gateway\n  policy"),
        ]
        .join("\n")
    );
}

#[test]
fn two_objects_of_one_name_are_refused_across_files() {
    let directory = tempfile::tempdir().expect("a directory");
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n";
    fs::write(directory.path().join("one.yaml"), text).expect("a file");
    fs::write(directory.path().join("two.yaml"), format!("# again\n{text}")).expect("a file");
    fs::write(directory.path().join("three.yaml"), b"a: \xff\n").expect("a file");
    let missing = directory.path().join("absent.yaml");
    let errors = read_paths(&[directory.path().to_owned(), missing]).expect_err("faults");
    let place = directory.path().to_string_lossy().into_owned();
    insta::assert_snapshot!(errors.to_string().replace(&place, "DIR"));
}

#[test]
fn faults_are_bounded_and_the_rest_counted() {
    let variables = "            - {name: A, value: 1}\n".repeat(1000);
    let errors = parse(&deployment(&format!("          env:\n{variables}")), "app.yaml")
        .expect_err("faults");
    assert_eq!((errors.faults().len(), errors.left_out()), (200, 800));
    assert!(errors.to_string().ends_with("\nand 800 more"));
}

#[test]
fn warnings_name_what_loses_requests_and_what_has_no_effect() {
    let text = deployment(
        "          ports: [{containerPort: 80}]
          env:
            - {name: DB_PASSWORD, value: hunter2}
            - {name: URL, value: 'mongodb://user:hunter2@db/'}
            - {name: TOKEN_FILE, value: /run/token}
            - {name: URL, value: again}
          lifecycle: {preStop: {sleep: {seconds: 30}}}
      serviceAccountName: api
  replicas: 4
  revisionHistoryLimit: 0
  minReadySeconds: 600
---
apiVersion: v1
kind: Secret
metadata: {name: piped}
data: {A: aHVudGVyMgo=}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: settings}
data: {MONGO_PASSWORD: hunter2, REDIS_URL: 'redis://:hunter2@redis', HOST: a}
",
    )
    .replace("api:1", "api:latest");
    let text = format!("{text}---\n{}", include_str!("good/guide.yaml"));
    let manifests = parse(&text, "app.yaml").map_err(|it| it.to_string()).expect("it reads");
    let warnings: Vec<String> = manifests.warnings.iter().map(ToString::to_string).collect();
    let warnings = warnings.join("\n");
    assert!(!warnings.contains("hunter2"), "{warnings}");
    insta::assert_snapshot!(warnings);
    assert!(manifests.warnings.iter().any(|it| it.kind == WarningKind::Downtime));
}

#[test]
fn r59_a_value_with_the_end_of_echos_line_is_warned_about() {
    let text = "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\ndata:\n  good: aHVudGVyMg==\n  bad: aHVudGVyMgo=\n";
    let manifests = parse(text, "app.yaml").map_err(|it| it.to_string()).expect("it reads");
    assert_eq!(manifests.warnings.len(), 1);
    assert_eq!(manifests.warnings[0].origin.to_string(), "app.yaml:6:3");
}

/// Manifests with a piece taken out, doubled or replaced by something odd.
fn damaged() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "",
        "-",
        ":",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "<<: ",
        "'",
        "\"",
        "|",
        ">",
        "%",
        "@",
        "\t",
        "\n",
        "---\n",
        "\u{feff}",
        "\u{0}",
        "é",
        "~",
        "!!str ",
        "? ",
        "null",
        "0x",
        "-9223372036854775808",
    ]);
    (0..EVERYTHING.len(), 0..40usize, odd).prop_map(|(start, length, odd)| {
        let floor = |mut at: usize| {
            at = at.min(EVERYTHING.len());
            while !EVERYTHING.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let (start, end) = (floor(start), floor(start + length));
        format!("{}{odd}{}", &EVERYTHING[..start], &EVERYTHING[end..])
    })
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse(&String::from_utf8_lossy(&bytes), "any");
    }

    #[test]
    fn damaged_manifests_never_panic_nor_show_a_secret(text in damaged()) {
        let said = match parse(&text, "any") {
            Err(errors) => errors.to_string(),
            Ok(manifests) => {
                let mut said = format!("{manifests:?}");
                if let Err(errors) = manifests.validate() {
                    said.push_str(&errors.to_string());
                }
                for warning in &manifests.warnings {
                    said.push_str(&warning.to_string());
                }
                said
            }
        };
        prop_assert!(!said.contains("correct horse"), "{said}");
    }
}

#[test]
fn a_check_that_nobody_can_ask_is_refused_before_it_takes_back_a_good_release() {
    let url = "http://api.app.svc/";
    for (from, to, words) in [
        (url, "http://nosuch.app.svc/", "there is no Service app/nosuch"),
        (url, "http://api.app.svc:99/", "has no port 99"),
        (url, "http://api/", "http://api.app.svc/"),
        ("{{ release.commit }}", "{{ release.comit }}", "`release.comit` is not known"),
        (r"(?i)\b(panic|fatal)\b", "(?x)panic", "spec.checks[1].logs.deny"),
    ] {
        let said = broken(from, to);
        assert!(said.contains(words) && said.contains("app.yaml"), "{to}: {said}");
    }
}
