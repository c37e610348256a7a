//! Any change of what would leave, or of what it is bound to, is another digest.

use proptest::prelude::*;

use super::world::*;
use crate::action::canonical::{bound_digest, content_digest};
use crate::connection::{ConnectionRef, Identity};
use crate::ids::{ConnectionId, Epoch, ProviderId, TenantId};
use crate::mail::{LabelChange, OutgoingMessage};

fn bound() -> ConnectionRef {
    World::new(Mode::Draft).connection
}

/// The mail with one byte of its wire form exchanged.
fn with_byte(mail: &OutgoingMessage, at: usize, value: u8) -> OutgoingMessage {
    let mut raw = mail.raw().to_vec();
    let at = at % raw.len();
    raw[at] = value;
    OutgoingMessage::from_parts(raw.into(), mail.thread().cloned(), mail.marker().into())
}

proptest! {
    #[test]
    fn any_byte_of_the_mail(at in any::<usize>(), value in any::<u8>()) {
        let mail = World::new(Mode::Draft).mail("Order 4711");
        let changed = with_byte(&mail, at, value);
        let same = changed.raw() == mail.raw();
        prop_assert_eq!(content_digest(&mail) == content_digest(&changed), same);
        let (bound, identity) = (bound(), World::identity());
        prop_assert_eq!(bound_digest(&mail, &bound, &identity) == bound_digest(&changed, &bound, &identity), same);
    }

    #[test]
    fn any_split_of_a_list(ids in proptest::collection::vec("[ab,]{0,3}", 0..4), others in proptest::collection::vec("[ab,]{0,3}", 0..4)) {
        let change = |ids: &[String]| LabelChange {
            messages: ids.iter().map(|id| id.as_str().into()).collect(),
            add: vec!["x".into()],
            remove: Vec::new(),
        };
        prop_assert_eq!(content_digest(&change(&ids)) == content_digest(&change(&others)), ids == others);
    }
}

#[test]
fn any_part_of_the_binding() {
    let mail = World::new(Mode::Draft).mail("Order 4711");
    let (connection, identity) = (bound(), World::identity());
    let digest = bound_digest(&mail, &connection, &identity);
    let connections: &[fn(&mut ConnectionRef)] = &[
        |c| c.tenant = TenantId::new("other"),
        |c| c.connection = ConnectionId::new("other"),
        |c| c.provider = ProviderId::new("other"),
        |c| c.epoch = Epoch::new(99),
    ];
    for (index, change) in connections.iter().enumerate() {
        let mut other = connection.clone();
        change(&mut other);
        assert_ne!(bound_digest(&mail, &other, &identity), digest, "connection {index}");
    }
    let identities: &[fn(&mut Identity)] = &[
        |i| i.subject.push('x'),
        |i| i.address = None,
        |i| i.tenant = Some(String::new()),
    ];
    for (index, change) in identities.iter().enumerate() {
        let mut other = identity.clone();
        change(&mut other);
        assert_ne!(bound_digest(&mail, &connection, &other), digest, "identity {index}");
    }
    let moved = OutgoingMessage::from_parts(mail.raw().clone(), Some("thread".into()), mail.marker().into());
    assert_ne!(bound_digest(&moved, &connection, &identity), digest);
    let marked = OutgoingMessage::from_parts(mail.raw().clone(), None, "other".into());
    assert_ne!(bound_digest(&marked, &connection, &identity), digest);
}
