use mercurious_webhooks::Settings;

use crate::support::Variables;

fn faults(yaml: &str) -> String {
    let read = Settings::from_yaml(yaml).and_then(|settings| settings.receivers(&Variables));
    let faults = read.unwrap_err().to_string();
    for secret in ["hunter2", "correct"] {
        assert!(!faults.contains(secret), "{faults}");
    }
    faults
}

#[test]
fn no_receivers_are_fine() {
    for yaml in ["", "receivers: []", "# nothing yet\n---\n"] {
        let read = Settings::from_yaml(yaml).and_then(|settings| settings.receivers(&Variables));
        assert!(read.unwrap().is_empty(), "{yaml}");
    }
}

#[test]
fn all_faults_are_told_at_once_each_with_what_to_write() {
    let told = faults(
        "receivers:
- { name: A, type: github, secret: { env: SECRET }, repositories: [ghcr.io/team/*] }
- { name: b, type: githab, secret: { env: SECRET }, repositories: [ghcr.io/team/*] }
- { name: c, type: github, repositories: [ghcr.io/team/*] }
- { name: d, type: github, secret: { env: NONE }, repositories: [ghcr.io/team/*] }
- { name: e, type: github, secret: { env: SHORT }, repositories: [] }
- { name: f, type: quay, secret: { env: ODD }, repositories: [quay.io/*] }
- { name: g, type: quay, proof: signature, secret: { env: SECRET }, repositories: [quay.io/*] }
- { name: h, type: gitlab, secret: { env: SECRET }, repositories: [registry.gitlab.com/team/*] }
- { name: i, type: github-actions, repositories: [ghcr.io/team/*] }
- { name: j, type: gcr, audience: a, keys: 'http://keys.lan/', claims: { email: a }, repositories: [gcr.io/*] }
- { name: k, type: github, audience: a, secret: { env: SECRET }, repositories: ['team/*'] }
- { name: l, type: quay, secret: { env: SECRET }, repositories: [quay.io/a] }
- { name: l, type: quay, secret: { env: SECRET }, repositories: [quay.io/a] }
",
    );
    let wanted = [
        "receiver A: `name`: 1 to 63",
        "receiver b: `type`: `githab` is not known; there are github, dockerhub,",
        "receiver c: `secret`: name one",
        "receiver d: `secret`: the variable NONE: it is not set",
        "receiver e: `secret`: 7 bytes can be guessed",
        "receiver e: `repositories`: name those",
        "receiver f: `secret`: it stands in the path",
        "receiver g: `proof`: `signature` is nothing that quay can do; there is path",
        "receiver h: `repositories`: gitlab does not say which image",
        "receiver i: `audience`: name the one",
        "receiver i: `claims`: `repository` is needed",
        "receiver j: `keys`: `http://keys.lan/` is not an https URL",
        "receiver k: `audience`: only receivers with the proof `oidc`",
        "receiver k: `repositories`: `team/*` does not name a registry",
        "receiver l: `name`: there is another receiver",
    ];
    for wanted in wanted {
        assert!(told.contains(wanted), "{wanted}\nis not in\n{told}");
    }
    assert_eq!(told.lines().count(), wanted.len(), "{told}");
}

#[test]
fn a_key_that_is_not_known_is_named_with_its_place() {
    let told = faults("receivers:\n- { name: a, tpye: github }\n");
    assert!(told.contains("tpye") && told.contains("line 2"), "{told}");
    let told = faults("receivers:\n- { name: a, type: quay, secret: hunter2-hunter2 }\n");
    assert!(told.contains("line 2"), "{told}");
}

#[test]
fn people_are_told_the_paths_and_no_secret() {
    let yaml = "receivers:
- { name: a, type: github, secret: { env: SECRET }, repositories: [ghcr.io/team/*] }
- { name: b, type: quay, secret: { env: SECRET }, repositories: [quay.io/*] }
";
    let receivers = Settings::from_yaml(yaml).unwrap().receivers(&Variables).unwrap();
    let paths: Vec<String> = receivers.describe().map(|(_, _, path)| path).collect();
    assert_eq!(paths, ["/hooks/a", "/hooks/b/TOKEN"]);
    assert!(!format!("{receivers:?}").contains("horse"));
}
