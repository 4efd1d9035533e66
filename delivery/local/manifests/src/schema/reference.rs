use std::fmt::Write as _;

use super::{
    Kind,
    shape::{Field, Leaf, Rule, Shape},
};

const INTRODUCTION: &str = "\
# Manifests on one machine

<!-- Written by the tables in delivery/local/manifests/src/schema; a test compares. -->

`mercurious up` reads the manifests that `kubectl apply` takes: files of any number of documents, directories (their own
`*.yaml`, `*.yml` and `*.json`), `-` for standard input, YAML or JSON, `List` objects too. Namespaces are accepted and need
nothing done; any other kind than those below is refused by name.

Every field that is known for these kinds is in one of these groups. A field in none of them is unknown and refused,
with the nearest known one.

| group | meaning |
|---|---|
| honoured | it does here what it does on a cluster |
| honoured where | only these values are taken; any other is refused |
| accepted | it changes nothing here, for the reason given |
| accepted with a warning | the same, but somebody may count on it |
| refused | it would change behaviour and is not supported |

Read as kubectl reads: unquoted `yes`, `on`, `8080` and `0644` are not text (a field that wants text asks for quotes), an empty
field is one that is not there, anchors and merge keys work. A field that stands twice is refused. A file may have 16 MiB,
200,000 values (those that aliases repeat included) and 64 levels.

A Service listens on `127.0.0.1` at its `nodePort`, else at a port that is chosen once and kept; `up` prints it. A check asks it as
`http://NAME.NAMESPACE.svc:PORT/`, with the Service's own `port` (80 where it is left out); `contains` fills in `{{ release.commit }}`,
`{{ release.tag }}` and `{{ release.digest }}`. `logs.deny` is a regular expression as Go reads it.
";

/// `docs/manifests.md`: every known field and what one machine makes of it.
pub fn field_reference() -> String {
    let mut page = INTRODUCTION.to_owned();
    for (kind, name, versions) in Kind::documented() {
        let versions: Vec<String> = versions.iter().map(|version| format!("`{version}`")).collect();
        let _ = write!(page, "\n## {name} ({})\n\n", versions.join(", "));
        page.push_str("| field | group | |\n|---|---|---|\n");
        rows(&mut page, kind.shape(), "", kind);
    }
    page
}

fn rows(page: &mut String, shape: &Shape, path: &str, kind: Kind) {
    for field in shape.fields {
        let path = format!("{path}{}", field.name);
        if path == "apiVersion" || path == "kind" {
            continue;
        }
        // The same for every kind, so that it is said once.
        if path == "metadata" && kind != Kind::Deployment {
            page.push_str("| `metadata` | honoured | as of a Deployment |\n");
            continue;
        }
        // The three probes are alike.
        let is_alike = path.ends_with("livenessProbe") || path.ends_with("startupProbe");
        row(page, field, &path, is_alike);
        if let (Some(inner), false) = (field.inner(), is_alike) {
            let is_list = !matches!(field.rule, Rule::Read(Leaf::Object(_)));
            rows(page, inner, &format!("{path}{}.", if is_list { "[]" } else { "" }), kind);
        }
    }
}

fn row(page: &mut String, field: &Field, path: &str, is_alike: bool) {
    let (group, remark) = match &field.rule {
        Rule::Read(_) if is_alike => ("honoured", "as readinessProbe".to_owned()),
        Rule::Read(leaf) => ("honoured", values(leaf, field.required)),
        Rule::Only(taken, why) => {
            let taken: Vec<String> = taken.iter().map(|value| format!("`{value}`")).collect();
            ("honoured where", format!("{}: {why}", taken.join(" or ")))
        }
        Rule::Ignored(why) => ("accepted", (*why).to_owned()),
        Rule::Noted(why) => ("accepted with a warning", (*why).to_owned()),
        Rule::Refused(why, hint) => ("refused", format!("{why}; {hint}")),
    };
    let _ = writeln!(page, "| `{path}` | {group} | {remark} |");
}

fn values(leaf: &Leaf, required: bool) -> String {
    let mut remarks = Vec::new();
    if required {
        remarks.push("required".to_owned());
    }
    match leaf {
        Leaf::OneOf(values) => {
            let values: Vec<String> = values.iter().map(|value| format!("`{value}`")).collect();
            remarks.push(values.join(", "));
        }
        Leaf::List(1, _) | Leaf::Map(1, ..) => remarks.push("not empty".to_owned()),
        Leaf::Amount => remarks.push("a number or a percentage".to_owned()),
        Leaf::Hidden(_) | Leaf::Map(_, _, Leaf::Hidden(_)) => remarks.push("base64".to_owned()),
        Leaf::Quantity | Leaf::Map(_, _, Leaf::Quantity) => {
            remarks.push("kept, not enforced".to_owned());
        }
        _ => {}
    }
    remarks.join(", ")
}
