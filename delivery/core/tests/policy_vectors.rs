//! Policies answer as the programs that Flux is made of do.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use mercurious_core::{
    policy::{Order, Policy, Range, TagFilter, Version},
    resources::SortOrder,
};
use serde::{Deserialize, de::DeserializeOwned};

#[derive(Deserialize)]
struct RangeCase {
    range: String,
    valid: bool,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    matching: Vec<String>,
    #[serde(default)]
    latest: Option<String>,
}

#[derive(Deserialize)]
struct FilterCase {
    pattern: String,
    extract: String,
    valid: bool,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    keys: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct OrderCase {
    order: SortOrder,
    values: Vec<String>,
    error: bool,
    #[serde(default)]
    latest: Option<String>,
}

fn read<T: DeserializeOwned>(directory: &Path, name: &str) -> Vec<T> {
    let path = directory.join(name);
    let text =
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let cases: Vec<T> = serde_json::from_str(&text).unwrap();
    assert!(!cases.is_empty(), "{} holds nothing", path.display());
    cases
}

/// Everything that differs, so that one run shows all of it.
#[derive(Default)]
struct Differences {
    cases: usize,
    found: Vec<String>,
}

impl Differences {
    fn expect<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: &T, expected: &T) {
        self.cases += 1;
        if found != expected {
            self.found.push(format!("{what}: expected {expected:?}, found {found:?}"));
        }
    }

    fn none(&self, name: &str) {
        let shown = self.found.iter().take(40).cloned().collect::<Vec<_>>().join("\n");
        assert!(
            self.found.is_empty(),
            "{name}: {} of {} differ\n{shown}",
            self.found.len(),
            self.cases
        );
    }
}

fn latest(order: &Order, values: &[String]) -> Option<String> {
    order.latest(values).unwrap().map(|index| values[index].clone())
}

fn ranges(directory: &Path) {
    let mut differences = Differences::default();
    for case in read::<RangeCase>(directory, "semver.json") {
        let what = format!("range {:?}", case.range);
        let range = Range::parse(&case.range);
        differences.expect(&what, &range.is_ok(), &case.valid);
        let Ok(range) = range else { continue };
        let matching: Vec<String> = case
            .tags
            .iter()
            .filter(|tag| Version::of_tag(tag).is_ok_and(|version| range.contains(&version)))
            .cloned()
            .collect();
        differences.expect(&what, &matching, &case.matching);
        let order = Order::Semver(range);
        let expected = case.latest.filter(|tag| !tag.is_empty());
        differences.expect(&what, &latest(&order, &case.tags), &expected);

        let selection = Policy::new(order, None).select(&case.tags).unwrap();
        let matched: Vec<String> = selection
            .tags
            .into_iter()
            .filter(|verdict| verdict.matched)
            .map(|verdict| verdict.tag)
            .collect();
        differences.expect(&what, &matched, &case.matching);
    }
    differences.none("semver.json");
}

fn filters(directory: &Path) {
    let mut differences = Differences::default();
    for case in read::<FilterCase>(directory, "filter-tags.json") {
        let what = format!("pattern {:?} extract {:?}", case.pattern, case.extract);
        let filter = TagFilter::new(&case.pattern, &case.extract);
        differences.expect(&what, &filter.is_ok(), &case.valid);
        let Ok(filter) = filter else { continue };
        let keys: BTreeMap<String, String> =
            case.tags.iter().filter_map(|tag| Some((tag.clone(), filter.key(tag)?))).collect();
        differences.expect(&what, &keys, &case.keys);
    }
    differences.none("filter-tags.json");
}

fn orders(directory: &Path, name: &str, order: fn(SortOrder) -> Order) {
    let mut differences = Differences::default();
    for case in read::<OrderCase>(directory, name) {
        let what = format!("{:?} of {:?}", case.order, case.values);
        let order = order(case.order);
        differences.expect(&what, &order.latest(&case.values).is_err(), &case.error);
        if !case.error && order.latest(&case.values).is_ok() {
            differences.expect(&what, &latest(&order, &case.values), &case.latest);
        }
    }
    differences.none(name);
}

fn own() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors")
}

#[test]
fn ranges_answer_as_masterminds_semver() {
    ranges(&own());
}

#[test]
fn filters_answer_as_the_regexp_of_go() {
    filters(&own());
}

#[test]
fn numbers_answer_as_the_strconv_of_go() {
    orders(&own(), "numerical.json", Order::Numerical);
}

#[test]
fn the_alphabet_is_that_of_bytes() {
    orders(&own(), "alphabetical.json", Order::Alphabetical);
}

/// More vectors than the repository carries, where somebody has them: in `MERCURIOUS_VECTORS`, or beside the checkout.
#[test]
fn a_larger_set_of_vectors_is_matched_where_there_is_one() {
    #[expect(clippy::disallowed_methods, reason = "a test is told where its data lies")]
    let named = std::env::var_os("MERCURIOUS_VECTORS").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/vectors");
    let Some(directory) = named.or_else(|| beside.is_dir().then_some(beside)) else {
        println!("skipped: MERCURIOUS_VECTORS is not set, and there is no set beside the checkout");
        return;
    };
    ranges(&directory);
    filters(&directory);
    orders(&directory, "numerical.json", Order::Numerical);
    orders(&directory, "alphabetical.json", Order::Alphabetical);
}
