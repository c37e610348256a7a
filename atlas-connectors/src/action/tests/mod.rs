//! Gate and outbox over stores, with a mailbox that counts what it accepted.

mod crashes;
mod faults;
mod gate;
mod world;
