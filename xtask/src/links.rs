//! Every link of a page leads somewhere.

use std::path::Path;

use regex::Regex;

use crate::tracked::Tracked;

/// Links of a page to files or headings that are not there.
fn dead(page: &Tracked, exists: impl Fn(&Path) -> bool) -> Vec<String> {
    let link = Regex::new(r"\]\(([^)\s]+)[^)]*\)").expect("the pattern is constant");
    let here = page.path.parent().unwrap_or(Path::new(""));
    let mut dead = Vec::new();
    let mut code = false;
    for (number, line) in page.text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        for found in link.captures_iter(line) {
            let target = &found[1];
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((target, ""));
            let leads = if file.is_empty() {
                headings(&page.text).any(|own| own == heading)
            } else {
                exists(&here.join(file))
            };
            if !leads {
                dead.push(format!("{}:{}: {target}", page.path.display(), number + 1));
            }
        }
    }
    dead
}

/// The names by which a page's headings are linked to.
fn headings(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.starts_with('#')).map(|line| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept =
            words.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
        kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    })
}

#[test]
fn r64_every_link_of_every_page_leads_somewhere() {
    let mut all = Vec::new();
    let mut pages = 0;
    for page in crate::tracked::texts().unwrap() {
        if page.path.extension().is_some_and(|end| end == "md") {
            pages += 1;
            all.extend(dead(&page, |path| crate::root().join(path).exists()));
        }
    }
    assert!(pages > 5, "{pages} pages");
    assert!(all.is_empty(), "dead links: {all:#?}");
}

#[test]
fn r64_a_dead_link_is_named_with_its_place() {
    let page = Tracked {
        path: "docs/a.md".into(),
        text: "# Two words\n[x](b.md) [y](#two-words)\n[z](gone.sh#there) [w](#gone)\n\
               ```\n[v](in-code.md)\n```\n[u](https://example.com)"
            .to_owned(),
    };
    let dead = dead(&page, |path| path == Path::new("docs/b.md"));
    assert_eq!(dead, ["docs/a.md:3: gone.sh#there", "docs/a.md:3: #gone"]);
}

#[test]
fn r64_every_test_that_the_table_of_regressions_names_exists() {
    let files = crate::tracked::texts().unwrap();
    let sources: Vec<&str> = files
        .iter()
        .filter(|file| file.path.extension().is_some_and(|end| end == "rs"))
        .map(|file| file.text.as_str())
        .collect();
    let table = std::fs::read_to_string(crate::root().join("docs/regressions.md")).unwrap();
    let name = Regex::new(r"`([a-z0-9]+_[a-z0-9_]+)`").expect("the pattern is constant");
    let named: Vec<&str> =
        name.captures_iter(&table).map(|found| found.extract::<1>().1[0]).collect();
    assert!(named.len() > 30, "{} tests are named", named.len());
    for name in named {
        let written = format!("fn {name}(");
        assert!(sources.iter().any(|text| text.contains(&written)), "there is no {name}");
    }
}
