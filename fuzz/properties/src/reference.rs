use mercurious_core::image::{Commit, Digest, ImageReference, Platform, Repository, Tag};
use oci_spec::distribution::Reference;

use crate::text::assert_fit_to_print;

/// Image references, and every part that one is made of: what parses is printed as what parses to the same.
pub fn image_reference(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Some(reference) = prints_back::<ImageReference>(text) {
        check(&reference);
    }
    if let Some(repository) = prints_back::<Repository>(text) {
        let reference: ImageReference =
            text.parse().expect("a repository alone is an image reference");
        assert_eq!(reference.repository(), &repository);
    }
    if let Some(tag) = prints_back::<Tag>(text) {
        assert_eq!(tag.as_str(), text);
    }
    if let Some(digest) = prints_back::<Digest>(text) {
        assert_eq!(digest.as_str(), text);
    }
    prints_back::<Platform>(text);
    prints_back::<Commit>(text);
}

fn check(reference: &ImageReference) {
    let shown = reference.to_string();
    assert!(shown.bytes().all(|byte| byte.is_ascii_graphic()), "{shown:?}");
    assert!(reference.tag().is_some() || reference.digest().is_some(), "{shown}");
    let locator = reference.locator();
    assert!(locator.parse::<Tag>().is_ok() || locator.parse::<Digest>().is_ok(), "{locator}");

    // A second reader takes the complete form apart into the same parts. It knows no addresses of IPv6.
    if shown.starts_with('[') {
        return;
    }
    let other: Reference = shown.parse().unwrap_or_else(|error| panic!("{shown}: {error}"));
    assert_eq!(other.registry(), reference.repository().host(), "{shown}");
    assert_eq!(other.repository(), reference.repository().path(), "{shown}");
    assert_eq!(other.tag(), reference.tag().map(Tag::as_str), "{shown}");
    assert_eq!(other.digest(), reference.digest().map(Digest::as_str), "{shown}");
}

/// Parses, and asserts that what is printed parses to the same.
fn prints_back<T>(text: &str) -> Option<T>
where
    T: std::str::FromStr + std::fmt::Display + PartialEq + std::fmt::Debug,
    T::Err: std::fmt::Display,
{
    match text.parse::<T>() {
        Ok(value) => {
            let shown = value.to_string();
            match shown.parse::<T>() {
                Ok(again) => assert_eq!(again, value, "{shown}"),
                Err(error) => {
                    panic!("{value:?} is printed as {shown:?}, which is refused: {error}")
                }
            }
            Some(value)
        }
        Err(error) => {
            assert_fit_to_print(&error.to_string());
            None
        }
    }
}
