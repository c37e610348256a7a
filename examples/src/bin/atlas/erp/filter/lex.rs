//! From text to words, signs and quoted texts, each with its place.

use super::FilterFault;

/// One piece of an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// A name, a keyword, a number, a day: whatever stands without quotes.
    Word(String),
    /// A text in quotes.
    Quoted(String),
    /// A comparison.
    Sign(&'static str),
    Open,
    Close,
    Comma,
}

/// A piece and where it stands, in bytes.
#[derive(Clone, Debug)]
pub(super) struct Token {
    pub(super) piece: Piece,
    pub(super) span: (usize, usize),
}

/// Longer ones first.
const SIGNS: [(&str, &str); 9] = [
    ("==", "="),
    ("!=", "!="),
    ("<>", "!="),
    (">=", ">="),
    ("<=", "<="),
    ("=", "="),
    (">", ">"),
    ("<", "<"),
    ("~", "contains"),
];

pub(super) fn lex(text: &str) -> Result<Vec<Token>, FilterFault> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let Some(first) = rest.chars().next() else { break };
        let (piece, length) = match first {
            c if c.is_whitespace() => {
                at += c.len_utf8();
                continue;
            }
            '(' => (Piece::Open, 1),
            ')' => (Piece::Close, 1),
            ',' => (Piece::Comma, 1),
            '"' | '\'' => quoted(text, at, rest, first)?,
            '&' | '|' => {
                let length = rest.chars().take_while(|c| *c == first).count();
                let word = if first == '&' { "and" } else { "or" };
                return Err(FilterFault::new(text, (at, at + length), format!("write `{word}`")));
            }
            _ => match SIGNS.iter().find(|(sign, _)| rest.starts_with(sign)) {
                Some((sign, meant)) => (Piece::Sign(meant), sign.len()),
                None if first == '!' => return Err(FilterFault::new(text, (at, at + 1), "write `not`, or `!=`")),
                None => word(rest),
            },
        };
        tokens.push(Token {
            piece,
            span: (at, at + length),
        });
        at += length;
    }
    Ok(tokens)
}

fn quoted(text: &str, at: usize, rest: &str, quote: char) -> Result<(Piece, usize), FilterFault> {
    let mut held = String::new();
    let mut characters = rest.char_indices().skip(1).peekable();
    while let Some((index, c)) = characters.next() {
        if c != quote {
            held.push(c);
        } else if characters.peek().is_some_and(|(_, next)| *next == quote) {
            held.push(c);
            characters.next();
        } else {
            return Ok((Piece::Quoted(held), index + 1));
        }
    }
    Err(FilterFault::new(
        text,
        (at, text.len()),
        format!("the text that begins here has no closing {quote}"),
    ))
}

fn word(rest: &str) -> (Piece, usize) {
    let ends = |c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '"' | '\'' | '=' | '!' | '<' | '>' | '~');
    let length = rest.find(ends).unwrap_or(rest.len());
    (Piece::Word(rest.get(..length).unwrap_or_default().to_owned()), length)
}
