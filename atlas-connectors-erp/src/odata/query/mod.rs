//! From the core's queries to addresses.

mod compile;
mod filter;
mod options;

pub use compile::ODataQuery;

#[cfg(test)]
mod tests;
