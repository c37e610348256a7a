//! Types of properties and parameters.

use std::fmt;

use crate::odata::metadata::Name;

/// A primitive type of OData, both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Edm {
    /// Bytes; base64 in JSON.
    Binary,
    /// True or false.
    Boolean,
    /// 0 to 255.
    Byte,
    /// A calendar day (V4).
    Date,
    /// A local moment without zone (V2), also used for days.
    DateTime,
    /// A moment with zone.
    DateTimeOffset,
    /// An exact number.
    Decimal,
    /// A binary number of 64 bits.
    Double,
    /// A length of time (V4).
    Duration,
    /// Any place on a map, not read further.
    Geo,
    /// A GUID.
    Guid,
    /// 16 bits with sign.
    Int16,
    /// 32 bits with sign.
    Int32,
    /// 64 bits with sign; a text in V2.
    Int64,
    /// −128 to 127.
    SByte,
    /// A binary number of 32 bits.
    Single,
    /// A file of its own at another address.
    Stream,
    /// Text.
    String,
    /// A time of day (V2: `PT…`).
    Time,
    /// A time of day (V4).
    TimeOfDay,
    /// Any other `Edm.` type.
    Other,
}

impl Edm {
    /// The type of this name behind `Edm.`.
    pub(super) fn of(name: &str) -> Self {
        match name {
            "Binary" => Self::Binary,
            "Boolean" => Self::Boolean,
            "Byte" => Self::Byte,
            "Date" => Self::Date,
            "DateTime" => Self::DateTime,
            "DateTimeOffset" => Self::DateTimeOffset,
            "Decimal" => Self::Decimal,
            "Double" => Self::Double,
            "Duration" => Self::Duration,
            "Guid" => Self::Guid,
            "Int16" => Self::Int16,
            "Int32" => Self::Int32,
            "Int64" => Self::Int64,
            "SByte" => Self::SByte,
            "Single" => Self::Single,
            "Stream" => Self::Stream,
            "String" => Self::String,
            "Time" => Self::Time,
            "TimeOfDay" => Self::TimeOfDay,
            _ if name.starts_with("Geo") => Self::Geo,
            _ => Self::Other,
        }
    }
}

/// The type of a property, parameter or result.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TypeRef {
    /// One primitive value.
    Edm(Edm),
    /// A list of primitive values.
    EdmList(Edm),
    /// One value of a type of the schema (entity, complex or enum type), by its full name.
    Named(Name),
    /// A list of such values.
    NamedList(Name),
}

impl TypeRef {
    /// The primitive type, where it is one value of it.
    pub fn edm(&self) -> Option<Edm> {
        match self {
            Self::Edm(edm) => Some(*edm),
            _ => None,
        }
    }

    /// The full name of the schema's type, alone or as a list.
    pub fn named(&self) -> Option<&Name> {
        match self {
            Self::Named(name) | Self::NamedList(name) => Some(name),
            Self::Edm(_) | Self::EdmList(_) => None,
        }
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        matches!(self, Self::EdmList(_) | Self::NamedList(_))
    }
}

impl fmt::Debug for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edm(edm) => write!(f, "{edm:?}"),
            Self::EdmList(edm) => write!(f, "[{edm:?}]"),
            Self::Named(name) => f.write_str(name),
            Self::NamedList(name) => write!(f, "[{name}]"),
        }
    }
}
