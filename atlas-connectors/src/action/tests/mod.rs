//! Gate and outbox over stores, with a mailbox that counts what it accepted, and an ERP that does.

mod audit;
mod crashes;
mod digest;
mod faults;
mod gate;
mod records;
mod world;
mod write_crashes;
mod write_digest;
mod write_ends;
