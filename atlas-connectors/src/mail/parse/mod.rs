//! Parsing: total, bounded, and honest about what was lost.
//!
//! The outline of a message (header block, parts, boundaries) is walked here, so that depth, number and size of everything are bounded
//! before anything is decoded; single header fields and charsets are read by `mail-parser`.

mod assemble;
mod authentication;
mod charset;
mod fields;
mod file_name;
mod header_block;
mod html;
mod options;
mod report;
mod signals;
mod structure;
mod transfer;

pub use assemble::decode_part;
pub(crate) use assemble::message;
pub(crate) use html::html_to_text;
pub use options::{ParseLimits, ParseOptions};
