//! One fault at a time.
