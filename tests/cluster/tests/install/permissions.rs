use serde_json::Value;

use crate::built::{BUILDS, built, list, name};

/// Each rule of each role, with whose it is.
fn rules() -> Vec<(String, Value)> {
    let objects = BUILDS.into_iter().flat_map(built);
    let roles = objects.filter(|object| object["kind"].as_str().unwrap().ends_with("Role"));
    let rules = roles.flat_map(|role| {
        let who = name(&role);
        list(&role["rules"]).map(|rule| (who.clone(), rule.clone())).collect::<Vec<_>>()
    });
    rules.collect()
}

fn has(list: &Value, word: &str) -> bool {
    self::list(list).any(|item| item == word)
}

#[test]
fn r56_no_role_reaches_over_the_cluster_and_no_rule_has_a_wildcard() {
    let rules = rules();
    assert!(!rules.is_empty());
    for (who, rule) in rules {
        assert!(who.starts_with("Role "), "{who}");
        for field in ["apiGroups", "resources", "verbs", "resourceNames"] {
            assert!(!has(&rule[field], "*"), "{who}: {rule}");
        }
    }
}

#[test]
fn secrets_are_read_one_by_one_and_by_name() {
    for (who, rule) in rules().iter().filter(|(_, rule)| has(&rule["resources"], "secrets")) {
        assert_eq!(rule["verbs"], serde_json::json!(["get"]), "{who}");
        assert!(list(&rule["resourceNames"]).count() > 0, "{who}: {rule}");
    }
}

#[test]
fn what_is_changed_is_named() {
    for (who, rule) in rules() {
        let own = has(&rule["resources"], "events");
        let changes = ["patch", "update", "delete", "deletecollection"];
        if !own && changes.iter().any(|verb| has(&rule["verbs"], verb)) {
            assert!(list(&rule["resourceNames"]).count() > 0, "{who}: {rule}");
        }
        for verb in ["delete", "deletecollection", "bind", "escalate", "impersonate"] {
            assert!(!has(&rule["verbs"], verb), "{who}: {rule}");
        }
    }
}
