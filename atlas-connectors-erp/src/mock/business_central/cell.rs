//! One value of a record, its text kept exactly: a number never passes through binary floating point.

use std::cmp::Ordering;

use atlas_connectors::Timestamp;
use atlas_connectors::erp::{Date, Decimal};
use serde_json::value::RawValue;

use super::answer::ApiError;
use super::schema::{Field, Ty, members};

/// The date that stands for none.
pub(super) const NO_DATE: &str = "0001-01-01";
/// The GUID that stands for none.
pub(super) const NO_GUID: &str = "00000000-0000-0000-0000-000000000000";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Flag(bool),
    /// The number's text.
    Number(String),
    Text(String),
}

impl Cell {
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    pub(super) fn as_text(&self) -> &str {
        match self {
            Self::Text(text) | Self::Number(text) => text,
            Self::Null | Self::Flag(_) => "",
        }
    }

    pub(super) fn decimal(&self) -> Decimal {
        match self {
            Self::Number(text) => text.parse().unwrap_or_else(|_| Decimal::from(0)),
            _ => Decimal::from(0),
        }
    }

    /// What an unset field holds.
    pub(super) fn unset(ty: Ty, now: Timestamp) -> Self {
        match ty {
            Ty::Guid => Self::text(NO_GUID),
            Ty::Text(_) => Self::text(""),
            Ty::Flag => Self::Flag(false),
            Ty::Whole | Ty::Number => Self::Number("0".to_owned()),
            Ty::Date => Self::text(NO_DATE),
            Ty::Moment => Self::text(moment(now)),
            Ty::Choice(of) => Self::text(members(of).first().map_or("", |(name, _)| name)),
        }
    }

    /// A value of a request's body for this field.
    pub(super) fn read(field: &Field, raw: &RawValue) -> Result<Self, ApiError> {
        let text = raw.get().trim();
        let wrong = || {
            ApiError::bad_request(format!(
                "Cannot convert a value to the type of the property '{}'.",
                field.name
            ))
        };
        let string = || serde_json::from_str::<String>(text).map_err(|_| wrong());
        if text == "null" {
            return Ok(Self::Null);
        }
        Ok(match field.ty {
            Ty::Flag => Self::Flag(serde_json::from_str(text).map_err(|_| wrong())?),
            Ty::Whole => Self::Number(serde_json::from_str::<i64>(text).map_err(|_| wrong())?.to_string()),
            Ty::Number if text.starts_with('"') => return Err(wrong()),
            Ty::Number => Self::Number(text.parse::<Decimal>().map_err(|_| wrong())?.to_string()),
            Ty::Date => Self::Text(string()?.parse::<Date>().map_err(|_| wrong())?.to_string()),
            Ty::Moment => Self::Text(moment(string()?.parse().map_err(|_| wrong())?)),
            Ty::Guid => {
                let guid = string()?.to_ascii_lowercase();
                if !is_guid(&guid) {
                    return Err(ApiError::new(
                        400,
                        "Application_InvalidGUID",
                        format!("Invalid format of GUID string in '{}'.", field.name),
                    ));
                }
                Self::Text(guid)
            }
            Ty::Choice(of) => {
                let member = string()?;
                if !members(of).iter().any(|(name, _)| *name == member) {
                    let options: Vec<String> = members(of)
                        .iter()
                        .map(|(name, _)| name.replace("_x0020_", " ").replace("_x002D_", "-"))
                        .collect();
                    return Err(ApiError::new(
                        400,
                        "Unknown",
                        format!(
                            "'{member}' is not an option. The existing options are: {}",
                            options.join(",")
                        ),
                    ));
                }
                Self::Text(member)
            }
            Ty::Text(most) => {
                let text = string()?;
                let length = text.chars().count();
                if most > 0 && length > most as usize {
                    return Err(ApiError::new(
                        400,
                        "Application_StringExceededLength",
                        format!(
                            "The length of the string is {length}, but it must be less than or equal to {most} characters. Value: {text}"
                        ),
                    ));
                }
                Self::Text(text)
            }
        })
    }

    pub(super) fn json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Flag(flag) => flag.to_string(),
            Self::Number(text) => text.clone(),
            Self::Text(text) => quoted(text),
        }
    }

    /// By the field's type; texts that are no number or moment are compared as text.
    pub(super) fn compare(&self, other: &Self, ty: Ty) -> Ordering {
        match ty {
            Ty::Whole | Ty::Number => self.decimal().cmp(&other.decimal()),
            Ty::Moment => {
                let at = |cell: &Self| cell.as_text().parse::<Timestamp>().ok();
                at(self).cmp(&at(other))
            }
            Ty::Flag => (self == &Self::Flag(true)).cmp(&(other == &Self::Flag(true))),
            _ => self.as_text().cmp(other.as_text()),
        }
    }
}

/// A moment as the service writes it, always with milliseconds.
pub(super) fn moment(at: Timestamp) -> String {
    let seconds = Timestamp::from_unix_seconds(at.unix_seconds()).to_string();
    let millis = at.unix_millis().rem_euclid(1_000);
    format!("{}.{millis:03}Z", seconds.trim_end_matches('Z'))
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.char_indices().all(|(at, character)| match at {
            8 | 13 | 18 | 23 => character == '-',
            _ => character.is_ascii_hexdigit(),
        })
}
