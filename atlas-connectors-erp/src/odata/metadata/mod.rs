//! A service's description of itself (`$metadata`): EDMX of V2 and V4 as one [`Schema`].

mod annotation;
mod edm;
mod names;
mod parse;
mod resolve;
mod schema;
mod vocabulary;
mod xml;

pub use edm::{Edm, TypeRef};
pub use schema::{
    EntitySet, EnumMember, EnumType, FieldControl, Name, Navigation, NavigationRestriction, Operation, OperationImport,
    OperationKind, Parameter, Property, Restrictions, Schema, StructuredType,
};

#[cfg(test)]
mod tests;
