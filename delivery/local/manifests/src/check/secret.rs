use super::Check;

/// What Kubernetes demands of Secrets of these types: their key, and whether its value is JSON.
const DEMANDS: &[(&str, &[&str], bool)] = &[
    ("kubernetes.io/dockerconfigjson", &[".dockerconfigjson"], true),
    ("kubernetes.io/dockercfg", &[".dockercfg"], true),
    ("kubernetes.io/tls", &["tls.crt", "tls.key"], false),
    ("kubernetes.io/ssh-auth", &["ssh-privatekey"], false),
];

impl Check<'_> {
    pub(super) fn secrets(&mut self) {
        for object in self.manifests.secrets.values() {
            let kind = object.value.kind.as_str();
            let Some((_, keys, is_json)) = DEMANDS.iter().find(|(known, ..)| *known == kind) else {
                continue;
            };
            for key in *keys {
                let Some(value) = object.value.data.get(*key) else {
                    let what = format!("a Secret of this type has the key `{key}`");
                    self.fault(object, "type", what, "add it under `data` or `stringData`");
                    continue;
                };
                let is_object = || {
                    let value = serde_json::from_slice::<serde_json::Value>(value.expose());
                    value.is_ok_and(|value| value.is_object())
                };
                if *is_json && !is_object() {
                    let data = format!("data.{key}");
                    let is_encoded = object.positions.contains_key(&data);
                    let field = if is_encoded { data } else { format!("stringData.{key}") };
                    let hint = "write what `docker login` writes into its config.json";
                    self.fault(object, &field, "is not a JSON object".to_owned(), hint);
                }
            }
        }
    }
}
