//! The stable names of the calls, and what errors say about them.

pub(super) const ENVIRONMENTS: &str = "business_central.environments";
pub(super) const COMPANIES: &str = "business_central.companies";
pub(super) const METADATA: &str = "business_central.metadata";
pub(super) const DEFINITIONS: &str = "business_central.definitions";
pub(super) const ROUTES: &str = "business_central.routes";
pub(super) const READ: &str = "business_central.read";
pub(super) const GET: &str = "business_central.get";
pub(super) const CHANGES: &str = "business_central.changes";
pub(super) const TEST: &str = "business_central.test";
pub(super) const CREATE: &str = "business_central.create";
pub(super) const UPDATE: &str = "business_central.update";
pub(super) const DELETE: &str = "business_central.delete";
pub(super) const ACTION: &str = "business_central.action";
pub(super) const BATCH: &str = "business_central.batch";

/// Whether the call may change something.
pub(super) fn changes(operation: &str) -> bool {
    matches!(operation, CREATE | UPDATE | DELETE | ACTION | BATCH)
        || matches!(
            operation,
            "business_central.subscriptions.create"
                | "business_central.subscriptions.renew"
                | "business_central.subscriptions.cancel"
        )
}

/// What the call is about, where the answer does not name it.
pub(super) fn what(operation: &str) -> &'static str {
    match operation {
        ENVIRONMENTS => "environments",
        COMPANIES => "companies",
        METADATA => "$metadata",
        DEFINITIONS => "entityDefinitions",
        ROUTES => "apicategoryroutes",
        ACTION => "action",
        BATCH => "$batch",
        _ => "API page",
    }
}

/// What the call does, where the answer does not name the right.
pub(super) fn verb(operation: &str) -> &'static str {
    match operation {
        CREATE => "create",
        UPDATE => "update",
        DELETE => "delete",
        ACTION => "execute",
        BATCH => "change",
        _ if changes(operation) => "change",
        _ => "read",
    }
}
