//! Nothing in the chain can be changed, left out, added or cut off unnoticed.

use super::world::*;
use crate::action::*;

async fn chain() -> Vec<AuditEntry> {
    let world = World::new(Mode::Draft);
    let outbox = world.process();
    let intent = world.approved(&outbox, &world.mail("Secret subject"), "job").await;
    outbox.dispatch(world.tenant(), &intent).await.unwrap();
    world.store.audit_entries(0, 100).await.unwrap()
}

fn verify(
    entries: &[AuditEntry],
    anchor: Option<AuditHead>,
    recorded: Option<AuditHead>,
) -> Result<AuditHead, AuditFault> {
    let mut chain = ChainVerifier::new();
    if let Some(anchor) = anchor {
        chain = chain.with_anchor(anchor);
    }
    for entry in entries {
        chain.check(entry)?;
    }
    chain.finish(recorded)
}

#[tokio::test]
async fn a_send_leaves_its_story_and_no_content() {
    let entries = chain().await;
    let words: Vec<&str> = entries.iter().map(|entry| entry.event.event.as_str()).collect();
    assert_eq!(
        words,
        ["proposed", "held", "approved", "claimed", "prepared", "sending", "sent"]
    );
    let approved = entries.iter().find(|entry| entry.event.event == "approved").unwrap();
    assert_eq!(approved.event.actor.as_str(), "mia");
    let json = serde_json::to_string(&entries).unwrap();
    for secret in ["Secret subject", "parts.example", "acme.example", "40 pieces"] {
        assert!(!json.contains(secret), "{secret} is in the audit");
    }
}

#[tokio::test]
async fn every_tampering_is_named() {
    let entries = chain().await;
    let head = entries.last().unwrap().head();
    assert_eq!(verify(&entries, Some(entries[3].head()), Some(head)), Ok(head));

    let mut gap = entries.clone();
    gap.remove(2);
    assert_eq!(verify(&gap, None, None), Err(AuditFault::Gap { expected: 3 }));

    let mut edited = entries.clone();
    edited[2].event.actor = "mallory".into();
    assert_eq!(verify(&edited, None, None), Err(AuditFault::Edited { sequence: 3 }));

    // The edit is hidden by hashing again: the next link gives it away.
    let mut rehashed = entries.clone();
    rehashed[2] = AuditEntry::link(&entries[1].head(), edited[2].event.clone());
    assert_eq!(verify(&rehashed, None, None), Err(AuditFault::Fork { sequence: 4 }));

    // The whole rest is written anew: only a head kept outside tells.
    let mut rewritten = entries[..2].to_vec();
    for entry in &edited[2..] {
        let before = rewritten.last().unwrap().head();
        rewritten.push(AuditEntry::link(&before, entry.event.clone()));
    }
    assert!(verify(&rewritten, None, None).is_ok());
    assert_eq!(
        verify(&rewritten, Some(head), None),
        Err(AuditFault::Rewritten { sequence: 7 })
    );

    let cut = &entries[..5];
    let short = AuditFault::Truncated { found: 5, anchored: 7 };
    assert_eq!(verify(cut, Some(head), None), Err(short));
    assert_eq!(verify(cut, None, Some(head)), Err(short));
}
