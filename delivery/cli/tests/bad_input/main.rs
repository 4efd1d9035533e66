//! What bad input gets: a clear error in `explain`, `status` and `doctor`; nothing is deployed, and the running
//! version serves on.

#![expect(clippy::unwrap_used, reason = "tests, and what only they call")]

mod registry;
mod running;

use registry::Lie;
use running::{Running, tiny_manifest, up_fails};

/// One odd thing that a registry may do, and words that must be said about it.
struct Case {
    name: &'static str,
    begin: fn(&Running),
    end: fn(&Running),
    words: &'static [&'static str],
}

/// Nothing of these may even begin a rollout.
const LOOKS: [Case; 9] = [
    lie("HTML", |run| run.registry.tell(Lie::Html), &["HTML page"]),
    lie(
        "an error with status 200",
        |run| run.registry.tell(Lie::ErrorWithStatus200),
        &["quota is used up"],
    ),
    lie("endless pages", |run| run.registry.tell(Lie::EndlessPages), &["pages"]),
    lie(
        "a redirect elsewhere",
        |run| run.registry.tell(Lie::RedirectElsewhere),
        &["elsewhere.invalid"],
    ),
    lie("a private realm", |run| run.registry.tell(Lie::PrivateRealm), &["169.254.169.254"]),
    image(
        "a digest that is not there",
        |run| run.registry.dangling("v2.0.0"),
        &["v2.0.0", "does not exist"],
    ),
    image(
        "bytes of another digest",
        |run| run.registry.forged("v2.0.0"),
        &["v2.0.0", "has the digest"],
    ),
    image("another platform", |run| run.registry.foreign_platform("v2.0.0"), &["linux/s390x"]),
    Case {
        name: "no tag that matches",
        begin: |run| run.registry.forget("v1.0.0"),
        end: |_| {},
        words: &["no tags"],
    },
];

const fn lie(name: &'static str, begin: fn(&Running), words: &'static [&'static str]) -> Case {
    Case { name, begin, end: |run| run.registry.tell(Lie::None), words }
}

const fn image(name: &'static str, begin: fn(&Running), words: &'static [&'static str]) -> Case {
    Case { name, begin, end: |run| run.registry.forget("v2.0.0"), words }
}

#[test]
fn a_registry_that_lies_changes_nothing_and_is_told_of_everywhere() {
    let run = Running::start();
    let before = run.digest();
    let mut unsaid = Vec::new();
    for case in &LOOKS {
        (case.begin)(&run);
        run.ok(&["scan", "app"]);
        for command in [&["explain", "app"][..], &["status", "app"], &["doctor"]] {
            let (_, text) = run.says(command);
            for word in case.words {
                if !text.contains(word) {
                    unsaid.push(format!("{}: {command:?} does not say {word}:\n{text}", case.name));
                }
            }
        }
        let (code, doctor) = run.says(&["doctor"]);
        assert_eq!(code, 3, "{}: {doctor}", case.name);
        assert!(doctor.contains("remedy: "), "{}: {doctor}", case.name);
        assert_eq!(run.digest(), before, "{}", case.name);
        assert_eq!(run.attempts(), 1, "{}: a rollout was begun", case.name);
        assert_eq!(run.served(), "v1", "{}", case.name);
        (case.end)(&run);
    }
    assert!(unsaid.is_empty(), "{}", unsaid.join("\n"));
}

#[test]
fn a_layer_that_reaches_outside_or_bursts_is_taken_back_and_held() {
    let run = Running::start();
    let before = run.digest();
    let cases: [(&str, &str, Build); 4] = [
        ("v2.0.0", "..", |tar| file(tar, b"../../outside", 1)),
        ("v2.0.1", "/outside", |tar| link(tar, "a", "/outside", tar::EntryType::Link)),
        ("v2.0.2", "outside", |tar| link(tar, "a", "../../outside", tar::EntryType::Link)),
        ("v2.0.3", "500 times its size", |tar| file(tar, b"bomb", 300 << 20)),
    ];
    for (index, (tag, word, build)) in cases.into_iter().enumerate() {
        run.registry.layer(tag, build);
        run.says(&["sync", "--timeout", "60s"]);
        let (_, explained) = run.says(&["explain", "app"]);
        assert!(explained.contains(tag) && explained.contains(word), "{tag}: {explained}");
        assert!(explained.contains("held"), "{tag}: {explained}");
        let (code, doctor) = run.says(&["doctor"]);
        assert!(code == 3 && doctor.contains(word), "{tag}: {doctor}");
        assert_eq!(run.digest(), before, "{tag}");
        assert_eq!(run.attempts(), index + 2, "{tag}");
        assert_eq!(run.served(), "v1", "{tag}");
    }
}

#[test]
fn what_a_person_holds_is_no_fault() {
    let run = Running::start();
    assert_eq!(run.says(&["doctor"]).0, 0);
    run.ok(&["hold", "app", "--reason", "not on a Friday"]);
    let (code, doctor) = run.says(&["doctor"]);
    assert!(code == 0 && doctor.contains("not on a Friday"), "{doctor}");
}

/// A layer in the making.
type Tar = tar::Builder<Vec<u8>>;
type Build = fn(&mut Tar);

fn header(size: u64, kind: tar::EntryType) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header
}

fn file(tar: &mut Tar, path: &[u8], size: u64) {
    let mut header = header(size, tar::EntryType::Regular);
    // The library refuses to write such a path itself.
    header.as_old_mut().name[..path.len()].copy_from_slice(path);
    header.set_cksum();
    tar.append(&header, std::io::Read::take(std::io::repeat(0), size)).unwrap();
}

fn link(tar: &mut Tar, path: &str, to: &str, kind: tar::EntryType) {
    let mut header = header(0, kind);
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.as_old_mut().linkname[..to.len()].copy_from_slice(to.as_bytes());
    header.set_cksum();
    tar.append(&header, std::io::empty()).unwrap();
}

#[test]
fn a_manifest_that_cannot_be_used_is_refused_with_its_place_and_the_nearest_field() {
    let good = tiny_manifest("127.0.0.1:9/team/app");
    for (from, to, words) in [
        ("replicas: 1", "replica: 1", &["bad.yaml:", "replica", "replicas"][..]),
        ("range: '>=0.0.0'", "range: '>>1'", &["bad.yaml:", "range"]),
        ("policy: { semver: { range: '>=0.0.0' } }", "policy: {}", &["bad.yaml:", "policy"]),
        ("policyRef: { name: app }", "policyRef: { name: apq }", &["bad.yaml:", "apq"]),
        (
            "target: { kind: Deployment, name: app }",
            "target: { kind: Deployment, name: api }",
            &["api"],
        ),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        let (code, text) = up_fails(&bad);
        assert_eq!(code, 2, "{to}: {text}");
        for word in words {
            assert!(text.contains(word), "{to}: {word} is not in:\n{text}");
        }
    }
}
