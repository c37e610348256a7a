//! What the example programs share: how they print.

pub mod ui;
