//! From JSON rows straight to the core's records, without a tree in between.
//!
//! A [`RowPlan`] says what each member of a row is and what the provider writes for "no value"; it is made once per query.
//! Numbers are taken from their text, never through a binary float.

mod cell;
mod plan;
mod read;
mod row;

pub use plan::{Cell, CellKind, NullRules, RowPlan};
pub(crate) use read::{Reading, check_cut, fault};
pub use read::{Rows, read_one, read_rows};
pub(crate) use row::{ListSeed, PlanState, RowRead, RowSeed, Shared};

#[cfg(test)]
mod tests;
