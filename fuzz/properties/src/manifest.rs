use mercurious_manifests::{ManifestErrors, Manifests, parse};

use crate::text::assert_fit_to_print;

const FILE: &str = "any.yaml";

/// A manifest: every fault stands on a line of the text, can be printed, and does not depend on how lines end.
pub fn manifest(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let found = parse(text, FILE);
    assert_eq!(found, parse(text, FILE), "two readings differ");
    match &found {
        Err(errors) => check_faults(errors, text),
        Ok(manifests) => {
            if let Err(errors) = manifests.validate() {
                check_faults(&errors, text);
            }
            check_warnings(manifests, text);
        }
    }
    if !text.contains('\r') {
        let with_returns = parse(&text.replace('\n', "\r\n"), FILE);
        assert_eq!(with_returns, found, "CRLF is read otherwise than LF");
    }
    if !text.starts_with('\u{feff}') {
        let with_mark = parse(&format!("\u{feff}{text}"), FILE);
        assert_eq!(with_mark.is_ok(), found.is_ok(), "a byte order mark is not skipped");
    }
}

fn check_faults(errors: &ManifestErrors, text: &str) {
    assert!(!errors.faults().is_empty());
    assert!(errors.faults().len() <= 200);
    for fault in errors.faults() {
        check_place(fault.origin.line, fault.origin.column, text, &fault.to_string());
        assert_fit_to_print(&fault.to_string());
    }
    assert_eq!(
        errors.to_string().lines().count(),
        errors.faults().len() + usize::from(errors.left_out() > 0)
    );
}

fn check_warnings(manifests: &Manifests, text: &str) {
    for warning in &manifests.warnings {
        check_place(warning.origin.line, warning.origin.column, text, &warning.to_string());
        assert_fit_to_print(&warning.to_string());
    }
}

/// Lines as YAML counts them: they end at LF, CR, or both together.
fn check_place(line: usize, column: usize, text: &str, message: &str) {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').collect();
    assert!((1..=lines.len()).contains(&line), "line {line} of {}: {message}", lines.len());
    let length = lines[line - 1].chars().count();
    assert!((1..=length + 1).contains(&column), "column {column} of {length}: {message}");
}
