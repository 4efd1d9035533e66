//! Every committed input of every fuzz target, on the stable toolchain.

#![expect(clippy::unwrap_used, reason = "a test that cannot read its inputs has failed")]

use std::{
    collections::BTreeSet,
    fs,
    panic::catch_unwind,
    path::{Path, PathBuf},
};

use mercurious_properties::PROPERTIES;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn names(directory: &Path) -> BTreeSet<String> {
    fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[test]
fn the_properties_hold_for_every_input_of_the_corpora() {
    let mut broken = Vec::new();
    for (target, property) in PROPERTIES {
        let corpus = fuzz().join("corpus").join(target);
        let inputs = names(&corpus);
        assert!(inputs.len() >= 10, "{target} has {} inputs", inputs.len());
        for input in inputs {
            let data = fs::read(corpus.join(&input)).unwrap();
            if catch_unwind(|| property(&data)).is_err() {
                broken.push(format!("{target}/{input}"));
            }
        }
    }
    assert!(broken.is_empty(), "these inputs break their property: {broken:#?}");
}

#[test]
fn every_property_has_a_fuzz_target_and_a_corpus_and_none_is_left_over() {
    let known: BTreeSet<String> = PROPERTIES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let targets = names(&fuzz().join("fuzz_targets"));
    let targets = targets.iter().map(|name| name.trim_end_matches(".rs").to_owned()).collect();
    assert_eq!(known, targets);
    assert_eq!(known, names(&fuzz().join("corpus")));
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for name in &known {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is no target of fuzz");
    }
}
