//! `$filter` and `$orderby` as the mock understands them: strict about literals, so that a wrongly written one is noticed.

use std::cmp::Ordering;

use super::schema::{Kind, TableDef};

/// A condition on one row.
#[derive(Clone, Debug)]
pub(super) enum Expr {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare(usize, Op, Option<String>),
    Contains(usize, String),
    StartsWith(usize, String),
    EndsWith(usize, String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    Word(String),
    /// A quoted text, with the word before the quote (`datetime`), empty for a plain text.
    Quoted(String, String),
}

/// Why a filter is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    Syntax,
    UnknownField(String),
    NotFilterable(String),
    Literal,
}

pub(super) fn parse(text: &str, def: &'static TableDef, v4: bool) -> Result<Expr, Fault> {
    let tokens = tokens(text)?;
    let mut parser = Parser {
        tokens,
        at: 0,
        def,
        v4,
        depth: 0,
    };
    let expr = parser.or()?;
    match parser.peek() {
        None => Ok(expr),
        Some(_) => Err(Fault::Syntax),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, Fault> {
    let mut out = Vec::new();
    let mut chars = text.chars().peekable();
    let mut word = String::new();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                let mut quoted = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.peek() == Some(&'\'') => {
                            chars.next();
                            quoted.push('\'');
                        }
                        Some('\'') => break,
                        Some(c) => quoted.push(c),
                        None => return Err(Fault::Syntax),
                    }
                }
                out.push(Token::Quoted(std::mem::take(&mut word), quoted));
            }
            '(' | ')' | ',' | ' ' => {
                if !word.is_empty() {
                    out.push(Token::Word(std::mem::take(&mut word)));
                }
                match c {
                    '(' => out.push(Token::Open),
                    ')' => out.push(Token::Close),
                    ',' => out.push(Token::Comma),
                    _ => {}
                }
            }
            c => word.push(c),
        }
    }
    if !word.is_empty() {
        out.push(Token::Word(word));
    }
    Ok(out)
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
    def: &'static TableDef,
    v4: bool,
    depth: u32,
}

impl Parser {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.tokens.get(self.at).cloned();
        self.at += 1;
        token
    }

    fn word(&self, wanted: &str) -> bool {
        matches!(self.peek(), Some(Token::Word(word)) if word == wanted)
    }

    fn or(&mut self) -> Result<Expr, Fault> {
        self.depth += 1;
        if self.depth > 100 {
            return Err(Fault::Syntax);
        }
        let mut left = self.and()?;
        while self.word("or") {
            self.at += 1;
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, Fault> {
        let mut left = self.one()?;
        while self.word("and") {
            self.at += 1;
            left = Expr::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Expr, Fault> {
        if self.word("not") {
            // Web APIs of RAP do not declare it (`sap-odata.md`, section 7).
            if self.v4 {
                return Err(Fault::Syntax);
            }
            self.at += 1;
            return Ok(Expr::Not(Box::new(self.one()?)));
        }
        match self.next() {
            Some(Token::Open) => {
                let inner = self.or()?;
                match self.next() {
                    Some(Token::Close) => Ok(inner),
                    _ => Err(Fault::Syntax),
                }
            }
            Some(Token::Word(name)) if self.peek() == Some(&Token::Open) => self.function(&name),
            Some(Token::Word(name)) => self.comparison(&name),
            _ => Err(Fault::Syntax),
        }
    }

    fn function(&mut self, name: &str) -> Result<Expr, Fault> {
        self.at += 1;
        let first = self.next();
        if self.next() != Some(Token::Comma) {
            return Err(Fault::Syntax);
        }
        let second = self.next();
        if self.next() != Some(Token::Close) {
            return Err(Fault::Syntax);
        }
        // V2 names the text first, and the function otherwise.
        let (field, text) = match (name, first, second) {
            ("substringof", Some(Token::Quoted(_, text)), Some(Token::Word(field))) if !self.v4 => (field, text),
            ("contains", Some(Token::Word(field)), Some(Token::Quoted(_, text))) if self.v4 => (field, text),
            ("startswith" | "endswith", Some(Token::Word(field)), Some(Token::Quoted(_, text))) => (field, text),
            _ => return Err(Fault::Syntax),
        };
        let at = self.field(&field)?;
        let expr = match name {
            "startswith" => Expr::StartsWith(at, text),
            "endswith" => Expr::EndsWith(at, text),
            _ => Expr::Contains(at, text),
        };
        // V2 may say `eq true` behind it.
        if self.word("eq") {
            self.at += 1;
            return match self.next() {
                Some(Token::Word(word)) if word == "true" => Ok(expr),
                Some(Token::Word(word)) if word == "false" => Ok(Expr::Not(Box::new(expr))),
                _ => Err(Fault::Syntax),
            };
        }
        Ok(expr)
    }

    fn comparison(&mut self, name: &str) -> Result<Expr, Fault> {
        let at = self.field(name)?;
        let op = match self.next() {
            Some(Token::Word(word)) => match word.as_str() {
                "eq" => Op::Eq,
                "ne" => Op::Ne,
                "gt" => Op::Gt,
                "ge" => Op::Ge,
                "lt" => Op::Lt,
                "le" => Op::Le,
                _ => return Err(Fault::Syntax),
            },
            _ => return Err(Fault::Syntax),
        };
        let kind = self.def.fields.get(at).map_or(Kind::Bool, |field| field.kind);
        let value = match self.next() {
            Some(Token::Word(word)) if word == "null" => None,
            Some(token) => Some(literal(&token, kind, self.v4)?),
            None => return Err(Fault::Syntax),
        };
        Ok(Expr::Compare(at, op, value))
    }

    fn field(&self, name: &str) -> Result<usize, Fault> {
        let at = self
            .def
            .at(name, self.v4)
            .ok_or_else(|| Fault::UnknownField(name.to_owned()))?;
        let filterable = self.def.fields.get(at).is_some_and(|field| field.filterable);
        match filterable {
            true => Ok(at),
            false => Err(Fault::NotFilterable(name.to_owned())),
        }
    }
}

/// A literal as a value of this kind, in the way in which values are kept.
fn literal(token: &Token, kind: Kind, v4: bool) -> Result<String, Fault> {
    match (kind, token) {
        (Kind::Text(_), Token::Quoted(prefix, text)) if prefix.is_empty() => Ok(text.clone()),
        (Kind::Bool, Token::Word(word)) if word == "true" || word == "false" => Ok(word.clone()),
        (Kind::Decimal(..), Token::Word(word)) => {
            let plain = match v4 {
                true => word.as_str(),
                false => word.strip_suffix(['m', 'M']).unwrap_or(word),
            };
            let digits = |c: char| c.is_ascii_digit() || matches!(c, '.' | '-');
            match !plain.is_empty() && plain.chars().all(digits) {
                true => Ok(plain.to_owned()),
                false => Err(Fault::Literal),
            }
        }
        (Kind::Date, Token::Quoted(prefix, text)) if !v4 && prefix == "datetime" => date(text),
        (Kind::Date, Token::Word(word)) if v4 => date(word),
        (Kind::Stamp, Token::Quoted(prefix, text)) if !v4 && prefix == "datetimeoffset" => stamp(text),
        (Kind::Stamp, Token::Word(word)) if v4 => stamp(word),
        _ => Err(Fault::Literal),
    }
}

fn date(text: &str) -> Result<String, Fault> {
    let day = text.get(..10).ok_or(Fault::Literal)?;
    let midnight = text.len() == 10 || text.get(10..).is_some_and(|rest| rest.starts_with("T00:00:00"));
    let shape = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    match shape && midnight {
        true => Ok(day.to_owned()),
        false => Err(Fault::Literal),
    }
}

/// A moment with milliseconds and `Z`.
pub(super) fn stamp(text: &str) -> Result<String, Fault> {
    let bare = text.strip_suffix('Z').ok_or(Fault::Literal)?;
    let (whole, fraction) = bare.split_once('.').unwrap_or((bare, ""));
    if whole.len() != 19 || whole.as_bytes().get(10) != Some(&b'T') || fraction.len() > 7 {
        return Err(Fault::Literal);
    }
    let mut millis = fraction.to_owned();
    millis.truncate(3);
    while millis.len() < 3 {
        millis.push('0');
    }
    Ok(format!("{whole}.{millis}Z"))
}

impl Expr {
    pub(super) fn matches(&self, def: &TableDef, row: &[Option<String>]) -> bool {
        let value = |at: &usize| row.get(*at).and_then(Option::as_deref);
        match self {
            Self::And(left, right) => left.matches(def, row) && right.matches(def, row),
            Self::Or(left, right) => left.matches(def, row) || right.matches(def, row),
            Self::Not(inner) => !inner.matches(def, row),
            Self::Contains(at, text) => value(at).is_some_and(|value| value.contains(text.as_str())),
            Self::StartsWith(at, text) => value(at).is_some_and(|value| value.starts_with(text.as_str())),
            Self::EndsWith(at, text) => value(at).is_some_and(|value| value.ends_with(text.as_str())),
            Self::Compare(at, op, wanted) => {
                let kind = def.fields.get(*at).map_or(Kind::Bool, |field| field.kind);
                match (value(at), wanted.as_deref()) {
                    (None, None) => matches!(op, Op::Eq | Op::Ge | Op::Le),
                    (None, Some(_)) | (Some(_), None) => *op == Op::Ne,
                    (Some(found), Some(wanted)) => {
                        let order = compare(kind, found, wanted);
                        match op {
                            Op::Eq => order == Ordering::Equal,
                            Op::Ne => order != Ordering::Equal,
                            Op::Gt => order == Ordering::Greater,
                            Op::Ge => order != Ordering::Less,
                            Op::Lt => order == Ordering::Less,
                            Op::Le => order != Ordering::Greater,
                        }
                    }
                }
            }
        }
    }
}

/// The order of two values of a kind. Numbers by their digits, exactly.
pub(super) fn compare(kind: Kind, left: &str, right: &str) -> Ordering {
    match kind {
        Kind::Decimal(..) => decimal(left, right),
        _ => left.cmp(right),
    }
}

fn decimal(left: &str, right: &str) -> Ordering {
    let parts = |text: &str| {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole = whole.trim_start_matches('0').to_owned();
        let fraction = fraction.trim_end_matches('0').to_owned();
        let zero = whole.is_empty() && fraction.is_empty();
        (negative && !zero, whole, fraction)
    };
    let (a_negative, a_whole, a_fraction) = parts(left);
    let (b_negative, b_whole, b_fraction) = parts(right);
    let size = a_whole
        .len()
        .cmp(&b_whole.len())
        .then_with(|| a_whole.cmp(&b_whole))
        .then_with(|| a_fraction.cmp(&b_fraction));
    match (a_negative, b_negative) {
        (false, false) => size,
        (true, true) => size.reverse(),
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::Table;
    use super::*;

    fn holds(text: &str, v4: bool, row: &[(&str, &str)]) -> Result<bool, Fault> {
        let def = Table::SalesOrder.def();
        let mut values = vec![None; def.fields.len()];
        for (name, value) in row {
            values[def.at(name, v4).unwrap()] = Some((*value).to_owned());
        }
        parse(text, def, v4).map(|expr| expr.matches(def, &values))
    }

    #[test]
    fn both_dialects_are_read_and_each_only_as_its_own() {
        let row = [
            ("SalesOrder", "10"),
            ("PurchaseOrderByCustomer", "O'Neil & co"),
            ("TotalNetAmount", "1234567890123456789012345678.500"),
            ("CreationDate", "2026-01-02"),
            ("LastChangeDateTime", "2026-01-02T03:04:05.678Z"),
        ];
        for (text, v4) in [
            (
                "SalesOrder eq '10' and TotalNetAmount gt 1234567890123456789012345678.4m",
                false,
            ),
            (
                "SalesOrder eq '10' and TotalNetAmount gt 1234567890123456789012345678.4",
                true,
            ),
            ("substringof('Neil & ',PurchaseOrderByCustomer) eq true", false),
            ("contains(PurchaseOrderByCustomer,'O''Neil')", true),
            ("CreationDate ge datetime'2026-01-02T00:00:00'", false),
            ("CreationDate ge 2026-01-02", true),
            ("LastChangeDateTime gt datetimeoffset'2026-01-02T03:04:05Z'", false),
            (
                "LastChangeDateTime gt 2026-01-02T03:04:05.677Z or SalesOrder eq 'x'",
                true,
            ),
            ("not (SalesOrder eq '11')", false),
            ("RequestedDeliveryDate eq null", true),
            (
                "(SalesOrder eq '9' or SalesOrder eq '10') and startswith(SalesOrder,'1')",
                true,
            ),
        ] {
            assert_eq!(holds(text, v4, &row), Ok(true), "{text}");
        }
        for (text, v4, fault) in [
            ("SalesOrder eq 10", false, Fault::Literal),
            ("TotalNetAmount gt '1'", true, Fault::Literal),
            ("TotalNetAmount gt 1m", true, Fault::Literal),
            ("CreationDate ge '2026-01-02'", false, Fault::Literal),
            (
                "CreationDate ge datetimeoffset'2026-01-02T00:00:00Z'",
                false,
                Fault::Literal,
            ),
            ("contains(SalesOrder,'1')", false, Fault::Syntax),
            ("substringof('1',SalesOrder)", true, Fault::Syntax),
            ("not (SalesOrder eq '1')", true, Fault::Syntax),
            ("SalesOrder in ('1')", true, Fault::Syntax),
            ("SalesOrder eq '1", true, Fault::Syntax),
            ("Nope eq '1'", true, Fault::UnknownField("Nope".into())),
            (
                "HeaderBillingBlockReason eq '1'",
                true,
                Fault::NotFilterable("HeaderBillingBlockReason".into()),
            ),
        ] {
            assert_eq!(holds(text, v4, &row), Err(fault), "{text}");
        }
    }

    #[test]
    fn numbers_are_ordered_by_their_digits() {
        for (left, right, order) in [
            ("10.00", "10", Ordering::Equal),
            ("-0.000", "0", Ordering::Equal),
            ("9", "10", Ordering::Less),
            ("-9", "-10", Ordering::Greater),
            ("0.1", "0.09", Ordering::Greater),
            ("9007199254740993", "9007199254740992", Ordering::Greater),
        ] {
            assert_eq!(decimal(left, right), order, "{left} {right}");
        }
    }
}
