//! The query options of one set: `$select`, `$expand` with its own, `$filter`, `$orderby`, `$top`, `$skip`, `$count`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::answer::ApiError;
use super::filter::{self, Filter};
use super::schema::{Entity, Field, Relation, of_set};

/// What was asked of a set.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) select: Vec<&'static str>,
    pub(super) expand: Vec<Expand>,
    pub(super) filter: Filter,
    pub(super) order: Vec<(&'static Field, bool)>,
    pub(super) top: Option<usize>,
    pub(super) skip: usize,
    pub(super) count: bool,
    /// The sort values of the last row of the page before, its id last.
    pub(super) after: Option<Vec<String>>,
}

/// A relation that comes along.
#[derive(Clone, Debug)]
pub(super) struct Expand {
    pub(super) relation: &'static Relation,
    pub(super) options: Box<Options>,
}

impl Options {
    pub(super) fn read(entity: &'static Entity, pairs: &[(String, String)]) -> Result<Self, ApiError> {
        let mut options = Self {
            select: Vec::new(),
            expand: Vec::new(),
            filter: Filter::Everything,
            order: Vec::new(),
            top: None,
            skip: 0,
            count: false,
            after: None,
        };
        let schema_21 = pairs
            .iter()
            .any(|(name, value)| name == "$schemaversion" && value == "2.1");
        for (name, value) in pairs {
            match name.as_str() {
                "$select" => {
                    for field in value.split(',').map(str::trim).filter(|field| *field != "*") {
                        options.select.push(known(entity, field)?.name);
                    }
                }
                "$filter" => options.filter = filter::read(value, entity, schema_21)?,
                "$orderby" => {
                    for part in value.split(',') {
                        let mut words = part.split_whitespace();
                        let field = known(entity, words.next().unwrap_or_default())?;
                        options.order.push((field, words.next() == Some("desc")));
                    }
                }
                "$expand" => {
                    for part in split(value, ',') {
                        options.expand.push(Expand::read(entity, part)?);
                    }
                }
                "$top" => options.top = Some(number(value)?),
                "$skip" => options.skip = number(value)?,
                "$count" => options.count = value == "true",
                "$skiptoken" => options.after = Some(read_token(value)?),
                _ => {}
            }
        }
        Ok(options)
    }
}

impl Expand {
    fn read(entity: &'static Entity, part: &str) -> Result<Self, ApiError> {
        let part = part.trim();
        let (name, inner) = match part.split_once('(') {
            Some((name, rest)) => (name, rest.strip_suffix(')').unwrap_or(rest)),
            None => (part, ""),
        };
        let relation = entity.relation(name).ok_or_else(|| unknown(entity, name))?;
        let target = of_set(relation.set).ok_or_else(|| unknown(entity, name))?;
        let pairs: Vec<(String, String)> = split(inner, ';')
            .into_iter()
            .filter_map(|pair| pair.trim().split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        Ok(Self {
            relation,
            options: Box::new(Options::read(target, &pairs)?),
        })
    }
}

/// Splits outside of parentheses and quotes.
fn split(text: &str, at: char) -> Vec<&str> {
    let (mut depth, mut in_text, mut start) = (0_usize, false, 0);
    let mut out = Vec::new();
    for (index, character) in text.char_indices() {
        match character {
            '\'' => in_text = !in_text,
            '(' if !in_text => depth += 1,
            ')' if !in_text => depth = depth.saturating_sub(1),
            _ if character == at && depth == 0 && !in_text => {
                out.push(text.get(start..index).unwrap_or_default());
                start = index + 1;
            }
            _ => {}
        }
    }
    out.push(text.get(start..).unwrap_or_default());
    out.retain(|part| !part.trim().is_empty());
    out
}

fn known(entity: &'static Entity, name: &str) -> Result<&'static Field, ApiError> {
    entity.field(name).ok_or_else(|| unknown(entity, name))
}

fn unknown(entity: &Entity, name: &str) -> ApiError {
    ApiError::bad_request(format!(
        "Could not find a property named '{name}' on type 'Microsoft.NAV.{}'.",
        entity.name
    ))
}

fn number(text: &str) -> Result<usize, ApiError> {
    text.parse()
        .map_err(|_| ApiError::bad_request("Invalid value for a query option."))
}

/// A token made of the last key (`business-central.md`, section 4).
pub(super) fn write_token(values: &[String]) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::Value::from(values.to_vec()).to_string())
}

fn read_token(token: &str) -> Result<Vec<String>, ApiError> {
    URL_SAFE_NO_PAD
        .decode(token)
        .ok()
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .ok_or_else(|| ApiError::bad_request("Invalid skip token."))
}
