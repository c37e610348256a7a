//! Building mail: fields are checked first, then written once; what leaves is what was written.

mod builder;
mod check;
mod error;
mod reply;
#[cfg(test)]
mod tests;
mod write;

pub use builder::{NewAttachment, OutgoingBuilder};
pub use error::{BuildError, Field, Injection};
