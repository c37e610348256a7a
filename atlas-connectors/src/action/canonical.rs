//! The unambiguous form of an action: what is hashed, approved, and compared right before it leaves.

use sha2::{Digest as _, Sha256};

use crate::action::{Action, Digest};
use crate::connection::{ConnectionRef, Identity};

/// Version of the encoding. A change of what is hashed, or how, raises it; rows of another version need a new approval.
pub const CANONICAL_VERSION: u16 = 1;

/// Writes named fields into a SHA-256, each as length and bytes, so that no two contents share an encoding: moving a
/// character from one field to the next, or splitting a list elsewhere, changes the digest.
///
/// Every field is `len(name) ‖ name ‖ type ‖ len(value) ‖ value` with lengths as 64-bit big-endian numbers; a list is its
/// count followed by its items. `security-reliability.md`, section 5.
///
/// ```
/// use atlas_connectors::action::Canonical;
///
/// let digest = |to: &[&str]| {
///     let mut canonical = Canonical::new("example");
///     canonical.list("to", to.iter().copied());
///     canonical.finish()
/// };
/// assert_ne!(digest(&["a@x.example", "b@x.example"]), digest(&["a@x.exampleb@x.example"]));
/// ```
#[derive(Clone, Debug)]
pub struct Canonical(Sha256);

impl Canonical {
    /// Begins an encoding for one purpose; digests of different purposes never meet.
    pub fn new(purpose: &str) -> Self {
        let mut canonical = Self(Sha256::new());
        canonical.text("atlas", purpose);
        canonical.number("canonical", u64::from(CANONICAL_VERSION));
        canonical
    }

    /// Adds bytes.
    pub fn bytes(&mut self, name: &str, value: &[u8]) {
        self.field(name, b'b', value);
    }

    /// Adds text.
    pub fn text(&mut self, name: &str, value: &str) {
        self.field(name, b't', value.as_bytes());
    }

    /// Adds a number.
    pub fn number(&mut self, name: &str, value: u64) {
        self.field(name, b'n', &value.to_be_bytes());
    }

    /// Adds text that may be absent; absent and empty differ.
    pub fn optional(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => self.field(name, b's', value.as_bytes()),
            None => self.field(name, b'0', &[]),
        }
    }

    /// Adds a list: its count, then each item in order.
    pub fn list<'a>(&mut self, name: &str, items: impl ExactSizeIterator<Item = &'a str>) {
        self.field(name, b'l', &length(items.len()));
        for item in items {
            self.text("item", item);
        }
    }

    /// The digest of everything added.
    pub fn finish(self) -> Digest {
        Digest::new(self.0.finalize().into())
    }

    fn field(&mut self, name: &str, kind: u8, value: &[u8]) {
        self.0.update(length(name.len()));
        self.0.update(name.as_bytes());
        self.0.update([kind]);
        self.0.update(length(value.len()));
        self.0.update(value);
    }
}

/// Digest of the action alone: equal when the same action is proposed twice, also after a reconnect.
pub(super) fn content_digest<A: Action>(action: &A) -> Digest {
    let mut canonical = Canonical::new("content");
    canonical.text("kind", A::KIND);
    action.canonical(&mut canonical);
    canonical.finish()
}

/// Digest of the action and of everything it is bound to; this is what a reviewer approves.
pub(super) fn bound_digest<A: Action>(action: &A, connection: &ConnectionRef, identity: &Identity) -> Digest {
    let mut canonical = Canonical::new("intent");
    canonical.text("tenant", connection.tenant.as_str());
    canonical.text("connection", connection.connection.as_str());
    canonical.text("provider", connection.provider.as_str());
    canonical.number("epoch", connection.epoch.get());
    canonical.text("subject", &identity.subject);
    canonical.optional("organization", identity.tenant.as_deref());
    canonical.optional("account", identity.address.as_deref());
    canonical.text("kind", A::KIND);
    action.canonical(&mut canonical);
    canonical.finish()
}

fn length(bytes: usize) -> [u8; 8] {
    u64::try_from(bytes).unwrap_or(u64::MAX).to_be_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(fields: impl FnOnce(&mut Canonical)) -> Digest {
        let mut canonical = Canonical::new("test");
        fields(&mut canonical);
        canonical.finish()
    }

    #[test]
    fn fields_do_not_run_into_each_other() {
        let shapes = [
            digest(|c| {
                c.text("a", "xy");
                c.text("b", "");
            }),
            digest(|c| {
                c.text("a", "x");
                c.text("b", "y");
            }),
            digest(|c| c.list("a", ["x", "y"].into_iter())),
            digest(|c| c.list("a", ["xy"].into_iter())),
            digest(|c| c.list("a", [].into_iter())),
            digest(|c| c.optional("a", None)),
            digest(|c| c.optional("a", Some(""))),
            digest(|c| c.text("a", "")),
            digest(|c| c.bytes("a", b"")),
            digest(|c| c.number("a", 0)),
        ];
        for (index, one) in shapes.iter().enumerate() {
            for other in shapes.iter().skip(index + 1) {
                assert_ne!(one, other);
            }
        }
    }

    #[test]
    fn the_encoding_is_pinned() {
        // A digest that changes here makes every stored approval void: raise `CANONICAL_VERSION` and say so.
        let digest = digest(|c| c.text("subject", "Offer 4711"));
        assert_eq!(digest.to_string(), PINNED);
    }

    const PINNED: &str = "8a629713c6e0ea2359f792c82f140365d06384048f97589994678f01b8591d3a";
}
