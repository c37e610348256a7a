//! `$filter` as far as Business Central has it: `or` over one field only, lambda ignored without a word.

use std::collections::BTreeSet;

use super::answer::ApiError;
use super::cell::Cell;
use super::schema::{Entity, Field, Ty};
use super::store::Row;

#[derive(Clone, Debug)]
pub(super) enum Filter {
    Everything,
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare(Operand, &'static str, Operand),
    Text(&'static str, Operand, Operand),
    In(Operand, Vec<Operand>),
}

#[derive(Clone, Debug)]
pub(super) enum Operand {
    Field(&'static Field),
    Lower(Box<Self>),
    Upper(Box<Self>),
    Literal(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Text(String),
    Open,
    Close,
    Comma,
}

const COMPARISONS: [&str; 6] = ["eq", "ne", "gt", "ge", "lt", "le"];
const TEXTS: [&str; 3] = ["startswith", "endswith", "contains"];
const DEPTH: usize = 64;

/// Reads a filter on this entity. `schema_21`: whether `$schemaversion=2.1` was asked for.
pub(super) fn read(text: &str, entity: &'static Entity, schema_21: bool) -> Result<Filter, ApiError> {
    let tokens = tokens(text)?;
    let lambda = tokens
        .iter()
        .any(|token| matches!(token, Token::Word(word) if word.ends_with("/any") || word.ends_with("/all")));
    if lambda {
        return Ok(Filter::Everything);
    }
    let mut reader = Reader {
        tokens: tokens.into_iter().peekable(),
        entity,
        schema_21,
        depth: 0,
    };
    let filter = reader.any_of()?;
    if reader.tokens.peek().is_some() {
        return Err(syntax());
    }
    filter.check_or()?;
    Ok(filter)
}

fn syntax() -> ApiError {
    ApiError::new(404, "BadRequest_NotFound", "Bad Request - Error in query syntax.")
}

fn tokens(text: &str) -> Result<Vec<Token>, ApiError> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let after = rest.get(first.len_utf8()..).unwrap_or_default();
        rest = match first {
            '(' | ')' | ',' => {
                out.push(match first {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
                after
            }
            '\'' => {
                let mut value = String::new();
                let mut tail = after;
                loop {
                    let (part, next) = tail.split_once('\'').ok_or_else(syntax)?;
                    value.push_str(part);
                    match next.strip_prefix('\'') {
                        Some(next) => {
                            value.push('\'');
                            tail = next;
                        }
                        None => {
                            tail = next;
                            break;
                        }
                    }
                }
                out.push(Token::Text(value));
                tail
            }
            _ => {
                let end = rest
                    .find(|c: char| c.is_whitespace() || matches!(c, '(' | ')' | ',' | '\''))
                    .unwrap_or(rest.len());
                let (word, tail) = rest.split_at(end);
                out.push(Token::Word(word.to_owned()));
                tail
            }
        }
        .trim_start();
    }
    Ok(out)
}

struct Reader {
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    entity: &'static Entity,
    schema_21: bool,
    depth: usize,
}

impl Reader {
    fn word(&mut self, expected: &str) -> bool {
        let found = matches!(self.tokens.peek(), Some(Token::Word(word)) if word == expected);
        if found {
            self.tokens.next();
        }
        found
    }

    fn take(&mut self, expected: &Token) -> Result<(), ApiError> {
        match self.tokens.next() {
            Some(token) if token == *expected => Ok(()),
            _ => Err(syntax()),
        }
    }

    fn any_of(&mut self) -> Result<Filter, ApiError> {
        let mut filter = self.all_of()?;
        while self.word("or") {
            filter = Filter::Or(Box::new(filter), Box::new(self.all_of()?));
        }
        Ok(filter)
    }

    fn all_of(&mut self) -> Result<Filter, ApiError> {
        let mut filter = self.one()?;
        while self.word("and") {
            filter = Filter::And(Box::new(filter), Box::new(self.one()?));
        }
        Ok(filter)
    }

    fn one(&mut self) -> Result<Filter, ApiError> {
        self.depth += 1;
        if self.depth > DEPTH {
            return Err(syntax());
        }
        let filter = self.term();
        self.depth -= 1;
        filter
    }

    fn term(&mut self) -> Result<Filter, ApiError> {
        if self.word("not") {
            return Ok(Filter::Not(Box::new(self.one()?)));
        }
        if self.tokens.peek() == Some(&Token::Open) {
            self.tokens.next();
            let inner = self.any_of()?;
            self.take(&Token::Close)?;
            return Ok(inner);
        }
        if let Some(Token::Word(word)) = self.tokens.peek()
            && let Some(function) = TEXTS.into_iter().find(|name| name == word)
        {
            self.tokens.next();
            self.take(&Token::Open)?;
            let left = self.operand()?;
            self.take(&Token::Comma)?;
            let right = self.operand()?;
            self.take(&Token::Close)?;
            return Ok(Filter::Text(function, left, right));
        }
        let left = self.operand()?;
        if self.word("in") {
            if !self.schema_21 {
                return Err(ApiError::bad_request("The operator 'in' needs $schemaversion=2.1."));
            }
            self.take(&Token::Open)?;
            let mut values = vec![self.operand()?];
            while self.tokens.peek() == Some(&Token::Comma) {
                self.tokens.next();
                values.push(self.operand()?);
            }
            self.take(&Token::Close)?;
            return Ok(Filter::In(left, values));
        }
        let Some(Token::Word(word)) = self.tokens.next() else {
            return Err(syntax());
        };
        let op = COMPARISONS.into_iter().find(|op| *op == word).ok_or_else(syntax)?;
        Ok(Filter::Compare(left, op, self.operand()?))
    }

    fn operand(&mut self) -> Result<Operand, ApiError> {
        match self.tokens.next().ok_or_else(syntax)? {
            Token::Text(text) => Ok(Operand::Literal(text)),
            Token::Word(word) if word == "tolower" || word == "toupper" => {
                self.take(&Token::Open)?;
                let inner = Box::new(self.operand()?);
                self.take(&Token::Close)?;
                Ok(if word == "tolower" {
                    Operand::Lower(inner)
                } else {
                    Operand::Upper(inner)
                })
            }
            Token::Word(word) => {
                let first = word.chars().next().unwrap_or_default();
                let literal = first.is_ascii_digit()
                    || first == '-'
                    || matches!(word.as_str(), "true" | "false" | "null")
                    || super::cell::is_guid(&word);
                if literal {
                    return Ok(Operand::Literal(word));
                }
                match self.entity.field(&word) {
                    Some(field) => Ok(Operand::Field(field)),
                    None => Err(ApiError::bad_request(format!(
                        "Could not find a property named '{word}' on type 'Microsoft.NAV.{}'.",
                        self.entity.name
                    ))),
                }
            }
            Token::Open | Token::Close | Token::Comma => Err(syntax()),
        }
    }
}

impl Operand {
    fn field(&self) -> Option<&'static Field> {
        match self {
            Self::Field(field) => Some(field),
            Self::Lower(inner) | Self::Upper(inner) => inner.field(),
            Self::Literal(_) => None,
        }
    }

    fn text(&self, row: &Row) -> String {
        match self {
            Self::Field(field) => match row.cell(field.name) {
                Cell::Flag(flag) => flag.to_string(),
                cell => cell.as_text().to_owned(),
            },
            Self::Lower(inner) => inner.text(row).to_lowercase(),
            Self::Upper(inner) => inner.text(row).to_uppercase(),
            Self::Literal(text) => text.clone(),
        }
    }
}

impl Filter {
    pub(super) fn holds(&self, row: &Row) -> bool {
        match self {
            Self::Everything => true,
            Self::And(left, right) => left.holds(row) && right.holds(row),
            Self::Or(left, right) => left.holds(row) || right.holds(row),
            Self::Not(inner) => !inner.holds(row),
            Self::Compare(left, op, right) => {
                let ty = left
                    .field()
                    .or_else(|| right.field())
                    .map_or(Ty::Text(0), |field| field.ty);
                let ordering = cell(left, row, ty).compare(&cell(right, row, ty), ty);
                match *op {
                    "eq" => ordering.is_eq(),
                    "ne" => ordering.is_ne(),
                    "gt" => ordering.is_gt(),
                    "ge" => ordering.is_ge(),
                    "lt" => ordering.is_lt(),
                    _ => ordering.is_le(),
                }
            }
            Self::Text(function, left, right) => {
                let (left, right) = (left.text(row), right.text(row));
                match *function {
                    "startswith" => left.starts_with(&right),
                    "endswith" => left.ends_with(&right),
                    _ => left.contains(&right),
                }
            }
            Self::In(left, values) => {
                let left = left.text(row);
                values.iter().any(|value| value.text(row) == left)
            }
        }
    }

    /// Whether the filter names one of these fields: the flat sets of lines demand it.
    pub(super) fn names(&self, fields: &[&str]) -> bool {
        self.fields().iter().any(|field| fields.contains(field))
    }

    fn fields(&self) -> BTreeSet<&'static str> {
        let mut out = BTreeSet::new();
        match self {
            Self::Everything => {}
            Self::And(left, right) | Self::Or(left, right) => {
                out.extend(left.fields());
                out.extend(right.fields());
            }
            Self::Not(inner) => out.extend(inner.fields()),
            Self::Compare(left, _, right) | Self::Text(_, left, right) => {
                out.extend(left.field().into_iter().chain(right.field()).map(|field| field.name));
            }
            Self::In(left, _) => out.extend(left.field().map(|field| field.name)),
        }
        out
    }

    fn check_or(&self) -> Result<(), ApiError> {
        match self {
            Self::Or(..) if self.fields().len() > 1 => Err(ApiError::new(
                400,
                "BadRequest_MethodNotImplemented",
                "The 'OR' operator is not supported on distinct fields on an OData filter.",
            )),
            Self::And(left, right) | Self::Or(left, right) => {
                left.check_or()?;
                right.check_or()
            }
            Self::Not(inner) => inner.check_or(),
            _ => Ok(()),
        }
    }
}

fn cell(operand: &Operand, row: &Row, ty: Ty) -> Cell {
    let text = operand.text(row);
    match ty {
        Ty::Whole | Ty::Number => Cell::Number(text),
        Ty::Flag => Cell::Flag(text == "true"),
        // Null is what an unset field holds.
        _ if text == "null" && matches!(operand, Operand::Literal(_)) => {
            Cell::unset(ty, atlas_connectors::Timestamp::UNIX_EPOCH)
        }
        _ => Cell::Text(text),
    }
}
