//! A send in steps that can be interrupted anywhere.

mod steps;
#[cfg(test)]
mod tests;

pub(crate) use steps::Sending;
