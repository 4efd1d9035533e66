use super::{
    FilterError, Order, Policy, PolicyWarning, Range, RangeError, TagFilter, shape, template::Piece,
};
use crate::{
    image::Tag,
    resources::{FilterTags, ImagePolicy, PolicyChoice, SortOrder},
};

/// The annotation of an ImagePolicy that names its order: `newest`, `alphabetical`, `semver`, `numerical`, `digest`.
pub const ORDER_ANNOTATION: &str = "mercurious.dev/order";

/// The annotation of an ImagePolicy that names the tag which `order: digest` follows.
pub const TAG_ANNOTATION: &str = "mercurious.dev/tag";

/// Why an ImagePolicy cannot be used. Each says what to write instead.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum PolicyError {
    /// Nothing says what the newest is.
    #[error(
        "the policy names no order: set one of spec.policy.semver, spec.policy.alphabetical and spec.policy.numerical, or the annotation {ORDER_ANNOTATION}: newest"
    )]
    NoOrder,
    /// Too much says what the newest is.
    #[error("the policy names several orders, {orders}: keep one of them under spec.policy")]
    SeveralOrders {
        /// Which.
        orders: String,
    },
    /// The annotation is no order.
    #[error(
        "the annotation {ORDER_ANNOTATION} says `{value}`, which is no order: write newest, alphabetical, semver, numerical or digest"
    )]
    UnknownOrder {
        /// What it says.
        value: String,
    },
    /// The annotation and the spec disagree.
    #[error(
        "the annotation {ORDER_ANNOTATION} says `{annotation}`, but spec.policy says `{spec}`: remove one of them"
    )]
    Contradiction {
        /// What the annotation says.
        annotation: &'static str,
        /// What the spec says.
        spec: &'static str,
    },
    /// `order: semver` without a range.
    #[error(
        "the annotation {ORDER_ANNOTATION} says `semver`, but no range is given: set spec.policy.semver.range, as `>=1.0.0`"
    )]
    NoRange,
    /// The range cannot be read.
    #[error("spec.policy.semver.range cannot be used")]
    Range(#[source] RangeError),
    /// The filter cannot be used.
    #[error("the filter of the policy cannot be used")]
    Filter(#[source] FilterError),
    /// `order: digest` without a tag.
    #[error(
        "the annotation {ORDER_ANNOTATION} says `digest`, but no single tag is named: set the annotation {TAG_ANNOTATION}, or a filterTags.pattern that names one tag, as `^latest$`"
    )]
    NoTag,
    /// A tag that is none.
    #[error(
        "`{value}` cannot be followed, for it is not a tag: write at most 128 letters, digits, `_`, `.` and `-` in the annotation {TAG_ANNOTATION}"
    )]
    BadTag {
        /// What stands there.
        value: String,
    },
    /// The tag does not pass the filter.
    #[error(
        "the annotation {TAG_ANNOTATION} says `{tag}`, which filterTags.pattern `{pattern}` does not match: remove the filter, or name a tag that it matches"
    )]
    TagOutsideFilter {
        /// The tag.
        tag: Tag,
        /// The pattern.
        pattern: String,
    },
    /// The tag's annotation without the order that reads it.
    #[error(
        "the annotation {TAG_ANNOTATION} is read only beside {ORDER_ANNOTATION}: digest: add that annotation, or remove this one"
    )]
    TagWithoutDigest,
}

/// What the annotation names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Newest,
    Alphabetical,
    Semver,
    Numerical,
    Digest,
}

impl Asked {
    fn parse(value: &str) -> Result<Self, PolicyError> {
        match value {
            "newest" => Ok(Self::Newest),
            "alphabetical" => Ok(Self::Alphabetical),
            "semver" => Ok(Self::Semver),
            "numerical" => Ok(Self::Numerical),
            "digest" => Ok(Self::Digest),
            _ => Err(PolicyError::UnknownOrder { value: value.chars().take(80).collect() }),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Alphabetical => "alphabetical",
            Self::Semver => "semver",
            Self::Numerical => "numerical",
            Self::Digest => "digest",
        }
    }
}

impl Policy {
    /// Reads the policy that an ImagePolicy describes, with what is probably not meant about it.
    ///
    /// An alphabetical policy over commit hashes becomes [`Order::Newest`], and a warning says so, unless the
    /// annotation [`ORDER_ANNOTATION`] says `alphabetical`.
    pub fn from_resource(
        resource: &ImagePolicy,
    ) -> Result<(Self, Vec<PolicyWarning>), PolicyError> {
        let annotations = &resource.metadata.annotations;
        let asked =
            annotations.get(ORDER_ANNOTATION).map(|value| Asked::parse(value)).transpose()?;
        let tag = annotations.get(TAG_ANNOTATION).map(String::as_str);
        if tag.is_some() && asked != Some(Asked::Digest) {
            return Err(PolicyError::TagWithoutDigest);
        }
        let filter = filter(resource.spec.filter_tags.as_ref())?;
        let mut order = order(asked, &resource.spec.policy, filter.as_ref(), tag)?;

        let mut warnings = filter.as_ref().map_or_else(Vec::new, |filter| warnings(filter, &order));
        let is_hashes = filter.as_ref().is_some_and(shape::is_ordered_by_hash);
        let by_default = matches!(order, Order::Alphabetical(_)) && asked.is_none() && is_hashes;
        if by_default {
            order = Order::Newest;
        }
        if let Some(filter) = filter.as_ref().filter(|_| is_hashes) {
            let pattern = filter.pattern().to_string();
            match order {
                Order::Newest if by_default => {
                    warnings.push(PolicyWarning::HashesByTime { pattern });
                }
                Order::Alphabetical(_) => {
                    warnings.push(PolicyWarning::HashesByAlphabet { pattern });
                }
                Order::Numerical(_) => warnings.push(PolicyWarning::NeverNumbers { pattern }),
                _ => {}
            }
        }
        Ok((Self { order, filter, by_default }, warnings))
    }
}

fn filter(spec: Option<&FilterTags>) -> Result<Option<TagFilter>, PolicyError> {
    // An empty filter takes every tag as it is, like none.
    spec.filter(|spec| !(spec.pattern.is_empty() && spec.extract.is_empty()))
        .map(|spec| TagFilter::new(&spec.pattern, &spec.extract))
        .transpose()
        .map_err(PolicyError::Filter)
}

fn order(
    asked: Option<Asked>,
    choice: &PolicyChoice,
    filter: Option<&TagFilter>,
    tag: Option<&str>,
) -> Result<Order, PolicyError> {
    let spec = spec_order(choice)?;
    let Some(asked) = asked else { return spec.ok_or(PolicyError::NoOrder) };
    match (asked, spec) {
        // Flux wants an order in the spec; the alphabet is what people write who have no better one.
        (Asked::Newest, None | Some(Order::Alphabetical(_))) => Ok(Order::Newest),
        (Asked::Digest, None | Some(Order::Alphabetical(_))) => {
            followed_tag(filter, tag).map(Order::Digest)
        }
        (Asked::Alphabetical, None) => Ok(Order::Alphabetical(SortOrder::default())),
        (Asked::Numerical, None) => Ok(Order::Numerical(SortOrder::default())),
        (Asked::Semver, None) => Err(PolicyError::NoRange),
        (_, Some(spec)) if spec.name() == asked.name() => Ok(spec),
        (_, Some(spec)) => {
            Err(PolicyError::Contradiction { annotation: asked.name(), spec: spec.name() })
        }
    }
}

fn spec_order(choice: &PolicyChoice) -> Result<Option<Order>, PolicyError> {
    let named = [
        ("semver", choice.semver.is_some()),
        ("alphabetical", choice.alphabetical.is_some()),
        ("numerical", choice.numerical.is_some()),
    ];
    let orders: Vec<&str> =
        named.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| *name).collect();
    if orders.len() > 1 {
        return Err(PolicyError::SeveralOrders { orders: orders.join(" and ") });
    }
    if let Some(semver) = &choice.semver {
        return Range::parse(&semver.range)
            .map(|range| Some(Order::Semver(range)))
            .map_err(PolicyError::Range);
    }
    let alphabetical = choice.alphabetical.as_ref().map(|one| Order::Alphabetical(one.order));
    let numerical = choice.numerical.as_ref().map(|one| Order::Numerical(one.order));
    Ok(alphabetical.or(numerical))
}

fn followed_tag(filter: Option<&TagFilter>, annotation: Option<&str>) -> Result<Tag, PolicyError> {
    let named = filter.and_then(shape::only_tag);
    let value = annotation.or(named.as_deref()).ok_or(PolicyError::NoTag)?;
    let tag: Tag = value
        .parse()
        .map_err(|_| PolicyError::BadTag { value: value.chars().take(140).collect() })?;
    match filter {
        Some(filter) if !filter.pattern().is_match(tag.as_str()) => {
            Err(PolicyError::TagOutsideFilter { tag, pattern: filter.pattern().to_string() })
        }
        _ => Ok(tag),
    }
}

/// What is probably not meant about a filter, whatever is done about hashes.
fn warnings(filter: &TagFilter, order: &Order) -> Vec<PolicyWarning> {
    let mut warnings = Vec::new();
    let pattern = filter.pattern().to_string();
    let start = !shape::is_anchored_at_start(filter);
    let end = !shape::is_anchored_at_end(filter);
    if (start || end) && !pattern.is_empty() {
        warnings.push(PolicyWarning::NotAnchored { pattern: pattern.clone(), start, end });
    }
    for piece in filter.pieces().unwrap_or_default() {
        if let Piece::Unknown(name) = piece {
            warnings.push(PolicyWarning::UnknownGroup { name: name.clone() });
        }
    }
    if shape::is_constant(filter) {
        let extract = filter.extract().unwrap_or_default();
        warnings.push(PolicyWarning::ConstantKey { extract });
    }
    if matches!(order, Order::Semver(_)) && !shape::can_be_version(filter) {
        warnings.push(PolicyWarning::NeverVersions { pattern });
    }
    warnings
}
