//! Gate and outbox over stores, with a mailbox that counts what it accepted.

mod audit;
mod crashes;
mod digest;
mod faults;
mod gate;
mod world;
