//! Which remedy fits which fault of a look at a registry: the guide's common solutions and more.

/// Words of a failure, with what helps. The first that fits is taken.
const LOOKS: [(&[&str], &str); 11] = [
    (
        &["spec.secretref", "dockerconfigjson"],
        "name an existing Secret of type kubernetes.io/dockerconfigjson in the ImageRepository's namespace",
    ),
    (
        &["401", "403", "denied", "unauthorized", "forbidden", "credential", "authenticat"],
        "check that spec.secretRef names a Secret with a valid login, and that its token may read this package (for ghcr.io: read:packages)",
    ),
    (
        &["429", "rate limit", "too many requests"],
        "wait, look less often (spec.interval), or log in: most registries allow more to those they know",
    ),
    (
        &["certificate", "tls", "handshake"],
        "give the registry's own authority by spec.certSecretRef, or spec.insecure for plain HTTP",
    ),
    (
        &["html", "not a registry"],
        "spec.image leads to a web page: correct the registry's host, or the proxy between",
    ),
    (
        &["redirect"],
        "the registry sends elsewhere: correct the host in spec.image, or ask who runs it",
    ),
    (
        &["realm", "private address"],
        "the registry names a place for tokens that is not to be trusted: correct the host in spec.image, or ask who runs it",
    ),
    (
        &["platform", "linux/"],
        "build the image for this machine too, as an index of several platforms",
    ),
    (
        &["digest", "hash"],
        "the registry gives other bytes than it promises: push the image again, or mistrust what lies between",
    ),
    (
        &["404", "not found", "does not exist", "no tags", "gone"],
        "check that the image exists: push it, or correct spec.image",
    ),
    (
        &["connect", "refused", "dns", "resolve", "no answer", "timed out", "timeout"],
        "check that the registry is up and that this machine reaches it; nothing changes until it answers",
    ),
];

/// What helps against a failed look.
pub(super) fn of_look(failure: &str) -> &'static str {
    let failure = failure.to_ascii_lowercase();
    LOOKS
        .iter()
        .find(|(words, _)| words.iter().any(|word| failure.contains(word)))
        .map_or("check spec.secretRef, the permissions of its login, and that the image exists in the registry", |(_, remedy)| remedy)
}

/// What helps against a problem of replicas.
pub(super) fn of_problem(problem: &str, name: &str) -> String {
    let is = |word: &str| problem.starts_with(word);
    if problem.contains("is not in the registry") {
        "push that image, or correct the image in the Deployment".to_owned()
    } else if is("ErrImagePull") || is("ImagePullBackOff") {
        "check that the image exists, that imagePullSecrets can read it, and that it can be unpacked".to_owned()
    } else if is("CreateContainerConfigError") {
        "check the entrypoint, and that every ConfigMap and Secret that is named exists".to_owned()
    } else {
        format!("`mercurious logs {name}` shows what the replicas print")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_look_gets_the_remedy_that_fits() {
        for (failure, word) in [
            ("ghcr.io answered 403: denied", "secretRef"),
            ("ImageRepository a/b: spec.secretRef: there is no Secret a/c", "dockerconfigjson"),
            ("h answered 429", "spec.interval"),
            ("h answered text/html", "web page"),
            ("connection refused", "reaches it"),
            ("something else", "permissions"),
        ] {
            assert!(of_look(failure).contains(word), "{failure}: {}", of_look(failure));
        }
    }
}
