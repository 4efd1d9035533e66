use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::{Entry, Node, Position, Scalar, Value};

/// Nested deeper than any manifest, and shallow enough for the stack.
const MAX_DEPTH: usize = 64;
/// Values in one file, those that anchors keep and aliases repeat included.
const MAX_NODES: usize = 200_000;
/// Bytes of text in one file, those that anchors keep and aliases repeat included.
const MAX_TEXT: usize = 32 * 1024 * 1024;

/// Why a text is not YAML that can be read here, and where.
#[derive(Debug)]
pub(crate) struct Broken {
    pub(crate) position: Position,
    pub(crate) what: String,
    pub(crate) hint: Option<&'static str>,
}

impl Broken {
    fn new(position: Position, what: impl Into<String>) -> Self {
        Self { position, what: what.into(), hint: None }
    }

    fn syntax(error: &ScanError) -> Self {
        let position = (error.marker().line().max(1), error.marker().col() + 1);
        let what = error.info();
        let hint = what.contains("tab").then_some("YAML is indented with spaces: replace the tab");
        Self { position, what: format!("not YAML: {what}"), hint }
    }
}

/// The documents of a text, in order, without the empty ones; and what ended the reading early, if anything did.
///
/// Bounded in depth, values and text, so that a few lines of aliases cannot become gigabytes.
pub(crate) fn documents(text: &str) -> (Vec<Node>, Option<Broken>) {
    let options = granit_parser::options! {
        emit_comments: false,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(text, options),
        anchors: HashMap::new(),
        nodes: 0,
        text: 0,
    };
    let mut documents = Vec::new();
    loop {
        match builder.document() {
            Ok(Some(node)) if node.is_null() => {}
            Ok(Some(node)) => documents.push(node),
            Ok(None) => return (documents, None),
            Err(broken) => return (documents, Some(broken)),
        }
    }
}

struct Builder<'text> {
    parser: Parser<'text, StrInput<'text>>,
    anchors: HashMap<usize, (Node, Size)>,
    nodes: usize,
    text: usize,
}

/// What a value costs to repeat.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    text: usize,
    depth: usize,
}

impl Size {
    const ONE: Self = Self { nodes: 1, text: 0, depth: 1 };

    fn add(&mut self, part: Self) {
        self.nodes = self.nodes.saturating_add(part.nodes);
        self.text = self.text.saturating_add(part.text);
        self.depth = self.depth.max(part.depth + 1);
    }
}

impl<'text> Builder<'text> {
    fn next(&mut self) -> Result<Option<(Event<'text>, Span)>, Broken> {
        self.parser.next_event().transpose().map_err(|error| Broken::syntax(&error))
    }

    /// The next document; nothing at the end.
    fn document(&mut self) -> Result<Option<Node>, Broken> {
        while let Some((event, span)) = self.next()? {
            match event {
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart(..) => self.anchors.clear(),
                Event::StreamStart | Event::DocumentEnd => {}
                event => return self.node(event, &span, 0).map(|(node, _)| Some(node)),
            }
        }
        Ok(None)
    }

    fn node(
        &mut self,
        event: Event<'text>,
        span: &Span,
        depth: usize,
    ) -> Result<(Node, Size), Broken> {
        let position = start(span);
        self.spend(Size { depth: depth + 1, ..Size::ONE }, position)?;
        let (value, anchor, size) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let size = Size { text: text.len(), ..Size::ONE };
                self.spend(Size { nodes: 0, ..size }, position)?;
                (Value::Scalar(scalar(text, style, tag.as_deref(), position)?), anchor, size)
            }
            Event::SequenceStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), "seq", position)?;
                let (items, size) = self.list(depth, position)?;
                (Value::List(items), anchor, size)
            }
            Event::MappingStart(_, anchor, tag) => {
                refuse_tag(tag.as_deref(), "map", position)?;
                let (entries, size) = self.map(depth, position)?;
                (Value::Map(entries), anchor, size)
            }
            Event::Alias(id) => return self.alias(id, depth, position),
            _ => return Err(Broken::new(position, "not YAML: a value was expected here")),
        };
        let node = Node { position, value };
        if anchor > 0 {
            // The copy that an anchor keeps is paid for as well.
            self.spend(Size { depth: 0, ..size }, position)?;
            self.anchors.insert(anchor, (node.clone(), size));
        }
        Ok((node, size))
    }

    fn alias(
        &mut self,
        id: usize,
        depth: usize,
        position: Position,
    ) -> Result<(Node, Size), Broken> {
        let Some(size) = self.anchors.get(&id).map(|(_, size)| *size) else {
            return Err(Broken::new(position, "an alias stands inside its own anchor"));
        };
        // Paid for before it is copied.
        self.spend(Size { depth: depth + size.depth, ..size }, position)?;
        match self.anchors.get(&id) {
            Some((node, size)) => Ok((node.clone(), *size)),
            None => Err(Broken::new(position, "an alias of nothing")),
        }
    }

    fn list(&mut self, depth: usize, position: Position) -> Result<(Vec<Node>, Size), Broken> {
        let mut items = Vec::new();
        let mut total = Size::ONE;
        while let Some((event, span)) = self.next()? {
            if event == Event::SequenceEnd {
                return Ok((items, total));
            }
            let (node, size) = self.node(event, &span, depth + 1)?;
            total.add(size);
            items.push(node);
        }
        Err(Broken::new(position, "not YAML: the list has no end"))
    }

    fn map(&mut self, depth: usize, position: Position) -> Result<(Vec<Entry>, Size), Broken> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut seen = HashSet::new();
        let mut merged = Vec::new();
        let mut total = Size::ONE;
        loop {
            let Some((event, span)) = self.next()? else {
                return Err(Broken::new(position, "not YAML: the map has no end"));
            };
            if event == Event::MappingEnd {
                break;
            }
            let is_plain = matches!(event, Event::Scalar(_, ScalarStyle::Plain, ..));
            let place = start(&span);
            let key = self.key(event, place)?;
            let Some((event, span)) = self.next()? else {
                return Err(Broken::new(place, "not YAML: a field has no value"));
            };
            let (node, size) = self.node(event, &span, depth + 1)?;
            total.add(size);
            total.text = total.text.saturating_add(key.len());
            if key == "<<" && is_plain {
                merged.push(node);
            } else if seen.insert(key.clone()) {
                entries.push(Entry { key, position: place, node });
            } else {
                let first = entries.iter().find(|entry| entry.key == key);
                let line = first.map_or(0, |entry| entry.position.0);
                let what =
                    format!("the field `{}` stands here twice, first on line {line}", short(&key));
                return Err(Broken { position: place, what, hint: Some("keep one of them") });
            }
        }
        for node in merged {
            merge(&mut entries, &mut seen, node)?;
        }
        Ok((entries, total))
    }

    fn key(&mut self, event: Event<'text>, place: Position) -> Result<String, Broken> {
        let text = match event {
            Event::Scalar(text, _, anchor, tag) => {
                refuse_tag(tag.as_deref(), "str", place)?;
                let size = Size { text: text.len(), ..Size::ONE };
                self.spend(Size { depth: 0, ..size }, place)?;
                if anchor > 0 {
                    let value = Value::Scalar(Scalar::Text(text.clone().into_owned()));
                    self.spend(Size { depth: 0, ..size }, place)?;
                    self.anchors.insert(anchor, (Node { position: place, value }, size));
                }
                text.into_owned()
            }
            Event::Alias(id) => {
                let (node, _) = self.alias(id, 0, place)?;
                node.text().map(str::to_owned).ok_or_else(|| {
                    Broken::new(
                        place,
                        "a field's name must be text, not an alias of something else",
                    )
                })?
            }
            _ => {
                return Err(Broken {
                    position: place,
                    what: "a field's name must be text".to_owned(),
                    hint: Some("where this is a template, as `{{ … }}`, render it first"),
                });
            }
        };
        Ok(text)
    }

    fn spend(&mut self, size: Size, position: Position) -> Result<(), Broken> {
        self.nodes = self.nodes.saturating_add(size.nodes);
        self.text = self.text.saturating_add(size.text);
        let too_much = if self.nodes > MAX_NODES {
            format!("more than {MAX_NODES} values, those repeated by aliases included")
        } else if self.text > MAX_TEXT {
            format!("more than {MAX_TEXT} bytes of text, those repeated by aliases included")
        } else if size.depth > MAX_DEPTH {
            format!("nested deeper than {MAX_DEPTH}")
        } else {
            return Ok(());
        };
        Err(Broken::new(position, too_much))
    }
}

/// `<<: *defaults`: the fields of one map, or of several, under those that stand beside it.
fn merge(entries: &mut Vec<Entry>, seen: &mut HashSet<String>, node: Node) -> Result<(), Broken> {
    match node.value {
        Value::Map(inherited) => {
            for entry in inherited {
                if seen.insert(entry.key.clone()) {
                    entries.push(entry);
                }
            }
            Ok(())
        }
        Value::List(maps) if maps.iter().all(|map| matches!(map.value, Value::Map(_))) => {
            maps.into_iter().try_for_each(|map| merge(entries, seen, map))
        }
        _ => Err(Broken::new(node.position, "`<<` takes a map, or a list of maps")),
    }
}

fn start(span: &Span) -> Position {
    (span.start.line().max(1), span.start.col() + 1)
}

fn scalar(
    text: Cow<'_, str>,
    style: ScalarStyle,
    tag: Option<&Tag>,
    position: Position,
) -> Result<Scalar, Broken> {
    let Some(tag) = tag else {
        return Ok(match style {
            ScalarStyle::Plain => Scalar::plain(&text),
            _ => Scalar::Text(text.into_owned()),
        });
    };
    match (tag.core_suffix(), Scalar::plain(&text)) {
        (Some("str"), _) => Ok(Scalar::Text(text.into_owned())),
        (Some("int"), plain @ Scalar::Integer(_))
        | (Some("bool"), plain @ Scalar::Boolean(_))
        | (Some("null"), plain @ Scalar::Null)
        | (Some("float"), plain @ (Scalar::Number(_) | Scalar::Integer(_))) => Ok(plain),
        // A lone `!` says that the value is text.
        _ if tag.original() == "!" => Ok(Scalar::Text(text.into_owned())),
        _ => Err(unsupported(tag, position)),
    }
}

fn refuse_tag(tag: Option<&Tag>, expected: &str, position: Position) -> Result<(), Broken> {
    match tag {
        Some(tag) if tag.core_suffix() != Some(expected) => Err(unsupported(tag, position)),
        _ => Ok(()),
    }
}

fn unsupported(tag: &Tag, position: Position) -> Broken {
    Broken::new(position, format!("the tag `{}` is not supported here", short(&tag.original())))
}

fn short(text: &str) -> String {
    text.chars().take(60).flat_map(char::escape_debug).collect()
}
