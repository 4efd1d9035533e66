use super::{
    Pattern, PatternError,
    template::{Piece, Template, TemplateError},
};

/// Which tags take part, and by which key each is ordered.
#[derive(Clone, Debug)]
pub struct TagFilter {
    pattern: Pattern,
    /// None: the tag itself is the key.
    template: Option<Template>,
}

/// Why a filter cannot be used.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum FilterError {
    /// The pattern.
    #[error("filterTags.pattern cannot be used")]
    Pattern(#[source] PatternError),
    /// The template.
    #[error("filterTags.extract cannot be used")]
    Template(#[source] TemplateError),
}

impl TagFilter {
    /// Reads a pattern, which matches anywhere in a tag, and a template, which is empty where the tag itself is the
    /// key.
    pub fn new(pattern: &str, extract: &str) -> Result<Self, FilterError> {
        let pattern = Pattern::parse(pattern).map_err(FilterError::Pattern)?;
        let template = if extract.is_empty() {
            None
        } else {
            Some(Template::parse(extract, &pattern).map_err(FilterError::Template)?)
        };
        Ok(Self { pattern, template })
    }

    /// The pattern.
    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// The template that makes keys of tags, where there is one.
    pub fn extract(&self) -> Option<String> {
        self.template.as_ref().map(ToString::to_string)
    }

    /// The key of a tag; none where the tag does not take part.
    pub fn key(&self, tag: &str) -> Option<String> {
        match &self.template {
            None => self.pattern.is_match(tag).then(|| tag.to_owned()),
            Some(template) => self.pattern.captures(tag).map(|found| template.expand(&found)),
        }
    }

    /// The pieces of the template.
    pub(super) fn pieces(&self) -> Option<&[Piece]> {
        self.template.as_ref().map(Template::pieces)
    }
}

impl PartialEq for TagFilter {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern && self.extract() == other.extract()
    }
}

impl Eq for TagFilter {}
