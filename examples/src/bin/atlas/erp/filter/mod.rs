//! The language of `--filter`: small, typed by the catalog, and exact about where something is wrong.
//!
//! ```text
//! any       = all { "or" all }
//! all       = one { "and" one }
//! one       = "not" one | "(" any ")" | condition
//! condition = FIELD ( "=" | "!=" | ">" | ">=" | "<" | "<=" ) value
//!           | FIELD [ "not" ] "in" "(" value { "," value } ")"
//!           | FIELD [ "not" ] ( "contains" | "starts" "with" ) value
//!           | FIELD "is" [ "not" ] "null"
//! ```
//!
//! A value is a word, or a text in double or single quotes, in which the quote is doubled. `= null` says the same as `is null`.

mod fault;
mod lex;
mod parse;

pub(crate) use fault::FilterFault;
pub(crate) use parse::parse;
