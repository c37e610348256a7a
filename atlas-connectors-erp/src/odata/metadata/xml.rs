//! Pulling elements out of a document without building a tree.

use std::borrow::Cow;

use atlas_connectors::error::BadPayload;
use quick_xml::Reader;
use quick_xml::errors::{Error, IllFormedError};
use quick_xml::escape::{resolve_predefined_entity, unescape};
use quick_xml::events::{BytesStart, Event};

/// Larger documents are not read; the largest known one has half a megabyte.
const LARGEST: usize = 64 * 1024 * 1024;
/// Deeper nesting than this is no metadata. Annotations nest about ten levels.
const DEEPEST: u32 = 64;

/// An element that was opened.
pub(super) struct Tag<'a> {
    start: BytesStart<'a>,
    /// It has no contents, so that no [`Step::Close`] will come.
    pub(super) empty: bool,
}

/// What comes next.
pub(super) enum Step<'a> {
    Open(Tag<'a>),
    /// Text between tags, one piece of maybe several.
    Text(Cow<'a, str>),
    Close,
    End,
}

pub(super) struct Xml<'a> {
    reader: Reader<&'a [u8]>,
    depth: u32,
}

impl<'a> Xml<'a> {
    /// # Errors
    /// Too large, not UTF-8, or nothing that begins like XML.
    pub(super) fn new(document: &'a [u8]) -> Result<Self, BadPayload> {
        if document.len() > LARGEST {
            return Err(BadPayload::TooLarge);
        }
        let document = document.strip_prefix(b"\xef\xbb\xbf").unwrap_or(document);
        let text = std::str::from_utf8(document).map_err(|error| match error.error_len() {
            None => BadPayload::Truncated,
            Some(_) => BadPayload::Syntax,
        })?;
        if !text.trim_start().starts_with('<') {
            return Err(BadPayload::Type);
        }
        Ok(Self {
            reader: Reader::from_str(text),
            depth: 0,
        })
    }

    /// # Errors
    /// Broken syntax, a document type, an entity that XML itself does not have, too deep, or the end before its time.
    pub(super) fn next(&mut self) -> Result<Step<'a>, BadPayload> {
        loop {
            let event = self.reader.read_event().map_err(|error| fault(&error))?;
            return Ok(match event {
                Event::Start(start) => {
                    self.depth += 1;
                    if self.depth > DEEPEST {
                        return Err(BadPayload::Syntax);
                    }
                    Step::Open(Tag { start, empty: false })
                }
                Event::Empty(start) => Step::Open(Tag { start, empty: true }),
                Event::End(_) => {
                    self.depth = self.depth.saturating_sub(1);
                    Step::Close
                }
                Event::Text(text) => Step::Text(text.into_inner()),
                Event::CData(text) => Step::Text(text.into_inner()),
                Event::GeneralRef(reference) => match reference.resolve_char_ref() {
                    Ok(Some(c)) => Step::Text(Cow::Owned(c.to_string())),
                    Ok(None) => Step::Text(Cow::Borrowed(
                        resolve_predefined_entity(&reference).ok_or(BadPayload::Syntax)?,
                    )),
                    Err(_) => return Err(BadPayload::Syntax),
                },
                Event::Eof if self.depth > 0 => return Err(BadPayload::Truncated),
                Event::Eof => Step::End,
                // A document type could declare entities; no service sends one.
                Event::DocType(_) => return Err(BadPayload::Syntax),
                Event::Comment(_) | Event::Decl(_) | Event::PI(_) => continue,
            });
        }
    }

    /// Leaves out the rest of the element.
    pub(super) fn skip(&mut self, tag: &Tag<'_>) -> Result<(), BadPayload> {
        if tag.empty {
            return Ok(());
        }
        let above = self.depth - 1;
        while self.depth > above {
            if matches!(self.next()?, Step::End) {
                return Err(BadPayload::Truncated);
            }
        }
        Ok(())
    }

    /// The element's own text, trimmed; elements within are left out.
    pub(super) fn text(&mut self, tag: &Tag<'a>) -> Result<String, BadPayload> {
        let mut out = String::new();
        if tag.empty {
            return Ok(out);
        }
        loop {
            match self.next()? {
                Step::Text(text) => out.push_str(&text),
                Step::Open(inner) => self.skip(&inner)?,
                Step::Close => break,
                Step::End => return Err(BadPayload::Truncated),
            }
        }
        Ok(out.trim().to_owned())
    }
}

impl Tag<'_> {
    /// Its name without prefix.
    pub(super) fn name(&self) -> &str {
        let name = self.start.name().into_inner();
        name.rsplit_once(':').map_or(name, |(_, local)| local)
    }

    /// Hands every attribute over, by its full name.
    pub(super) fn attributes(&self, mut take: impl FnMut(&str, &str)) -> Result<(), BadPayload> {
        let mut attributes = self.start.attributes();
        attributes.with_checks(false);
        for attribute in attributes {
            let attribute = attribute.map_err(|_| BadPayload::Syntax)?;
            let name = attribute.key.into_inner();
            if attribute.value.contains('&') {
                take(name, &unescape(&attribute.value).map_err(|_| BadPayload::Syntax)?);
            } else {
                take(name, &attribute.value);
            }
        }
        Ok(())
    }
}

fn fault(error: &Error) -> BadPayload {
    match error {
        Error::Syntax(_) | Error::IllFormed(IllFormedError::MissingEndTag(_)) => BadPayload::Truncated,
        _ => BadPayload::Syntax,
    }
}
