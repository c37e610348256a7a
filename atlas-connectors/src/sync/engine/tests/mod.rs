//! The engine against a mailbox in memory that fails as told.

mod faults;
mod mailbox;
mod schedules;
mod world;
