//! Conditions on records.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::erp::{FieldName, Record, Value};

/// A condition on records, as a tree. `Debug` shows the fields, not what they are compared with.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Filter {
    /// All of them hold. Empty holds always.
    And(Vec<Self>),
    /// At least one of them holds. Empty never holds.
    Or(Vec<Self>),
    /// It does not hold.
    Not(Box<Self>),
    /// A field compared with a value.
    Compare {
        /// The field.
        field: FieldName,
        /// How.
        op: Comparison,
        /// With what. Null goes with [`Comparison::Equal`] and [`Comparison::NotEqual`] only.
        value: Value,
    },
    /// The field is one of these values.
    In {
        /// The field.
        field: FieldName,
        /// The values. Empty never holds.
        values: Vec<Value>,
    },
    /// The field contains this text.
    Contains {
        /// The field.
        field: FieldName,
        /// The text, as it is: no wildcards.
        text: String,
    },
    /// The field begins with this text.
    StartsWith {
        /// The field.
        field: FieldName,
        /// The text, as it is: no wildcards.
        text: String,
    },
    /// The field has no value.
    IsNull {
        /// The field.
        field: FieldName,
    },
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => f.debug_tuple("And").field(parts).finish(),
            Self::Or(parts) => f.debug_tuple("Or").field(parts).finish(),
            Self::Not(part) => f.debug_tuple("Not").field(part).finish(),
            Self::Compare { field, op, .. } => write!(f, "{op:?}({field})"),
            Self::In { field, values } => write!(f, "In({field}, {} values)", values.len()),
            Self::Contains { field, .. } => write!(f, "Contains({field})"),
            Self::StartsWith { field, .. } => write!(f, "StartsWith({field})"),
            Self::IsNull { field } => write!(f, "IsNull({field})"),
        }
    }
}

/// How two values are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Greater or later.
    Greater,
    /// Greater, later or equal.
    GreaterOrEqual,
    /// Less or earlier.
    Less,
    /// Less, earlier or equal.
    LessOrEqual,
}

impl Comparison {
    /// The comparison that holds where this one does not.
    #[must_use]
    pub const fn inverted(self) -> Self {
        match self {
            Self::Equal => Self::NotEqual,
            Self::NotEqual => Self::Equal,
            Self::Greater => Self::LessOrEqual,
            Self::GreaterOrEqual => Self::Less,
            Self::Less => Self::GreaterOrEqual,
            Self::LessOrEqual => Self::Greater,
        }
    }

    const fn accepts(self, ordering: Ordering) -> bool {
        match self {
            Self::Equal => ordering.is_eq(),
            Self::NotEqual => ordering.is_ne(),
            Self::Greater => ordering.is_gt(),
            Self::GreaterOrEqual => ordering.is_ge(),
            Self::Less => ordering.is_lt(),
            Self::LessOrEqual => ordering.is_le(),
        }
    }
}

/// Begins a condition on this field: `field("state").equals("sale")`.
pub fn field(name: impl Into<FieldName>) -> FieldFilter {
    FieldFilter(name.into())
}

/// A field on its way into a [`Filter`]. Made by [`field`].
#[derive(Clone, Debug)]
#[must_use]
pub struct FieldFilter(FieldName);

impl FieldFilter {
    fn compare(self, op: Comparison, value: impl Into<Value>) -> Filter {
        Filter::Compare {
            field: self.0,
            op,
            value: value.into(),
        }
    }

    /// It equals the value.
    pub fn equals(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::Equal, value)
    }

    /// It does not equal the value; true for null.
    pub fn not_equals(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::NotEqual, value)
    }

    /// It is greater, or later.
    pub fn greater(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::Greater, value)
    }

    /// It is at least the value.
    pub fn at_least(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::GreaterOrEqual, value)
    }

    /// It is less, or earlier.
    pub fn less(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::Less, value)
    }

    /// It is at most the value.
    pub fn at_most(self, value: impl Into<Value>) -> Filter {
        self.compare(Comparison::LessOrEqual, value)
    }

    /// It is one of the values.
    pub fn is_in<V: Into<Value>>(self, values: impl IntoIterator<Item = V>) -> Filter {
        Filter::In {
            field: self.0,
            values: values.into_iter().map(Into::into).collect(),
        }
    }

    /// It contains the text.
    pub fn contains(self, text: impl Into<String>) -> Filter {
        Filter::Contains {
            field: self.0,
            text: text.into(),
        }
    }

    /// It begins with the text.
    pub fn starts_with(self, text: impl Into<String>) -> Filter {
        Filter::StartsWith {
            field: self.0,
            text: text.into(),
        }
    }

    /// It has no value.
    pub fn is_null(self) -> Filter {
        Filter::IsNull { field: self.0 }
    }
}

impl Filter {
    /// Both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match self {
            Self::And(mut all) => {
                all.push(other);
                Self::And(all)
            }
            one => Self::And(vec![one, other]),
        }
    }

    /// At least one holds.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match self {
            Self::Or(mut any) => {
                any.push(other);
                Self::Or(any)
            }
            one => Self::Or(vec![one, other]),
        }
    }

    /// It does not hold. Several are negated by `Filter::And([…]).negated()`.
    #[must_use]
    pub fn negated(self) -> Self {
        Self::Not(Box::new(self))
    }

    /// The fields it speaks of, each once, in order of appearance.
    pub fn fields(&self) -> Vec<&FieldName> {
        let mut found = Vec::new();
        self.collect_fields(&mut found);
        found
    }

    fn collect_fields<'a>(&'a self, found: &mut Vec<&'a FieldName>) {
        match self {
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(|part| part.collect_fields(found)),
            Self::Not(part) => part.collect_fields(found),
            Self::Compare { field, .. }
            | Self::In { field, .. }
            | Self::Contains { field, .. }
            | Self::StartsWith { field, .. }
            | Self::IsNull { field } => {
                if !found.contains(&field) {
                    found.push(field);
                }
            }
        }
    }

    /// Whether it holds for a record that was read, for what a server cannot filter. `None` if a field it needs was not
    /// read, or if two values cannot be compared.
    ///
    /// Null equals null only; no comparison but "not equal" holds for it, as in the providers. Text is compared with case.
    pub fn matches(&self, record: &Record) -> Option<bool> {
        match self {
            Self::And(parts) => fold(parts, record, false),
            Self::Or(parts) => fold(parts, record, true),
            Self::Not(part) => part.matches(record).map(|holds| !holds),
            Self::Compare { field, op, value } => compare(record.value_at(field.as_str())?, *op, value),
            Self::In { field, values } => {
                let held = record.value_at(field.as_str())?;
                Some(values.iter().any(|value| held.says_the_same(value)))
            }
            Self::Contains { field, text } => {
                let held = record.value_at(field.as_str())?;
                Some(held.as_str().is_some_and(|held| held.contains(text.as_str())))
            }
            Self::StartsWith { field, text } => {
                let held = record.value_at(field.as_str())?;
                Some(held.as_str().is_some_and(|held| held.starts_with(text.as_str())))
            }
            Self::IsNull { field } => Some(record.value_at(field.as_str())?.is_null()),
        }
    }
}

/// All or any of the parts: decided as soon as one part decides, whatever the others say.
fn fold(parts: &[Filter], record: &Record, decides: bool) -> Option<bool> {
    let mut unknown = false;
    for part in parts {
        match part.matches(record) {
            Some(holds) if holds == decides => return Some(decides),
            Some(_) => {}
            None => unknown = true,
        }
    }
    (!unknown).then_some(!decides)
}

fn compare(held: &Value, op: Comparison, value: &Value) -> Option<bool> {
    if held.is_null() || value.is_null() {
        let both = held.is_null() && value.is_null();
        return match op {
            Comparison::Equal => Some(both),
            Comparison::NotEqual => Some(!both),
            _ => Some(false),
        };
    }
    let ordering = match (held, value) {
        (Value::Bool(mine), Value::Bool(theirs)) => mine.cmp(theirs),
        (Value::Time(mine), Value::Time(theirs)) => mine.cmp(theirs),
        (Value::Instant(mine), Value::Instant(theirs)) => mine.cmp(theirs),
        (Value::Date(_) | Value::Instant(_), Value::Date(_) | Value::Instant(_)) => {
            held.as_date().cmp(&value.as_date())
        }
        _ => match (held.as_decimal(), value.as_decimal()) {
            (Some(mine), Some(theirs)) => mine.cmp(&theirs),
            _ if matches!(op, Comparison::Equal | Comparison::NotEqual) => {
                let same = held.says_the_same(value);
                return Some(same == (op == Comparison::Equal));
            }
            _ => held.as_str()?.cmp(value.as_str()?),
        },
    };
    Some(op.accepts(ordering))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::erp::{Columns, Decimal};

    fn record() -> Record {
        let columns = Columns::new(["name", "total", "note", "day", "count"]);
        let total: Decimal = "10.50".parse().unwrap();
        let day = Value::Date("2026-11-22".parse().unwrap());
        Record::new(
            "order".into(),
            "1".into(),
            columns,
            vec!["S1".into(), total.into(), Value::Null, day, 3.into()],
        )
    }

    #[test]
    fn conditions_hold_as_at_the_server() {
        let ten: Decimal = "10.5".parse().unwrap();
        let holds = [
            field("name").equals("S1"),
            field("total").equals(ten.clone()),
            field("total").greater(10),
            field("count").at_most(3),
            field("day").less("2026-11-23".parse::<crate::erp::Date>().unwrap()),
            field("note").is_null(),
            field("note").equals(Value::Null),
            field("note").not_equals("x"),
            field("name").is_in(["S0", "S1"]),
            field("name").starts_with("S"),
            field("name").equals("S2").or(field("count").equals(3)),
            field("name").equals("S2").negated(),
        ];
        for filter in holds {
            assert_eq!(filter.matches(&record()), Some(true), "{:?}", filter.fields());
        }
        let fails = [
            field("note").greater(1),
            field("name").is_in(Vec::<Value>::new()),
            Filter::Or(Vec::new()),
            field("name").contains("s1"),
            field("name").equals("S1").and(field("count").equals(4)),
        ];
        for filter in fails {
            assert_eq!(filter.matches(&record()), Some(false), "{:?}", filter.fields());
        }
    }

    #[test]
    fn debug_shows_no_content() {
        let filter = field("name")
            .contains("secret")
            .or(field("note").is_in(["secret"]).negated());
        let shown = format!("{filter:?}");
        assert_eq!(shown, "Or([Contains(name), Not(In(note, 1 values))])");
    }

    #[test]
    fn what_was_not_read_is_unknown_unless_another_part_decides() {
        let unread = || field("other").equals(1);
        assert_eq!(unread().matches(&record()), None);
        assert_eq!(unread().and(field("name").equals("S1")).matches(&record()), None);
        assert_eq!(unread().and(field("name").equals("S2")).matches(&record()), Some(false));
        assert_eq!(unread().or(field("name").equals("S1")).matches(&record()), Some(true));
        assert_eq!(field("name").greater(3).matches(&record()), None);
    }
}
