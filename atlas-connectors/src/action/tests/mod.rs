//! Gate and outbox over stores, with a counting mailbox.
