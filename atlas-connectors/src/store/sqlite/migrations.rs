//! The schema, as an append-only list of steps. `user_version` counts how many have run.

/// One step for each version. Never edit a released one; append.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("schema/001-credentials.sql"),
    include_str!("schema/002-connections.sql"),
    include_str!("schema/003-outbox.sql"),
    include_str!("schema/004-sync.sql"),
];
