//! The recorded decision of a reviewer or of policy, and the code that proves that nobody wrote it but the gate.

use std::fmt;

use hmac::{Hmac, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::action::{Canonical, Digest};
use crate::clock::Timestamp;
use crate::error::{NotApproved, Result};
use crate::ids::{ActorId, Epoch, IntentId};

/// A decision about one intent, authenticated with HMAC-SHA-256 over all of its fields. It is verified in constant time
/// right before the wire; a record that was written by anybody else, or for anything else, does not verify.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ApprovalRecord {
    /// What was approved.
    pub digest: Digest,
    /// The intent.
    pub intent: IntentId,
    /// The epoch of its connection.
    pub epoch: Epoch,
    /// Who decided: a person from the host's session, or `policy:<rule>`.
    pub approver: ActorId,
    /// What was decided.
    pub decision: Decision,
    /// Edition of the policy at that time.
    pub policy: String,
    /// When.
    pub issued: Timestamp,
    /// Until when it holds.
    pub expires: Timestamp,
    /// Random; spent with the claim, once.
    pub nonce: Nonce,
    /// Id of the key.
    pub key_id: String,
    /// The code, 64 hexadecimal digits.
    pub mac: Digest,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Decision {
    /// A person approved.
    Approved,
    /// Policy let it out without a person.
    Allowed,
}

impl Decision {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Allowed => "allowed",
        }
    }
}

/// 128 random bits that make an approval one of a kind.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Nonce(Box<str>);

impl Nonce {
    /// A nonce read back from a store.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// A fresh one.
    pub(super) fn random() -> Self {
        let mut bytes = [0; 16];
        crate::random::fill(&mut bytes);
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self(hex.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The facts of a decision before they are authenticated.
pub(super) struct Facts {
    pub(super) digest: Digest,
    pub(super) intent: IntentId,
    pub(super) epoch: Epoch,
    pub(super) approver: ActorId,
    pub(super) decision: Decision,
    pub(super) policy: String,
    pub(super) issued: Timestamp,
    pub(super) expires: Timestamp,
}

impl ApprovalRecord {
    /// Writes a decision down.
    pub(super) fn issue(facts: Facts, key_id: &str, key: &[u8; 32]) -> Result<Self> {
        let mut record = Self {
            digest: facts.digest,
            intent: facts.intent,
            epoch: facts.epoch,
            approver: facts.approver,
            decision: facts.decision,
            policy: facts.policy,
            issued: facts.issued,
            expires: facts.expires,
            nonce: Nonce::random(),
            key_id: key_id.to_owned(),
            mac: Digest::new([0; 32]),
        };
        record.mac = Digest::new(record.authenticator(key)?.finalize().into_bytes().into());
        Ok(record)
    }

    /// Checks in constant time that the gate wrote exactly this.
    pub(super) fn verify(&self, key: &[u8; 32]) -> Result<()> {
        self.authenticator(key)?
            .verify_slice(self.mac.as_bytes())
            .map_err(|_| NotApproved::Digest.at("approval.verify"))
    }

    fn authenticator(&self, key: &[u8; 32]) -> Result<Hmac<Sha256>> {
        let mut facts = Canonical::new("approval");
        facts.bytes("digest", self.digest.as_bytes());
        facts.text("intent", self.intent.as_str());
        facts.number("epoch", self.epoch.get());
        facts.text("approver", self.approver.as_str());
        facts.text("decision", self.decision.as_str());
        facts.text("policy", &self.policy);
        facts.text("issued", &self.issued.unix_millis().to_string());
        facts.text("expires", &self.expires.unix_millis().to_string());
        facts.text("nonce", self.nonce.as_str());
        facts.text("key", &self.key_id);
        let mut mac =
            <Hmac<Sha256> as Mac>::new_from_slice(key).map_err(|_| NotApproved::Digest.at("approval.verify"))?;
        mac.update(facts.finish().as_bytes());
        Ok(mac)
    }
}

impl fmt::Debug for ApprovalRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApprovalRecord")
            .field("intent", &self.intent)
            .field("digest", &self.digest)
            .field("approver", &self.approver)
            .field("decision", &self.decision)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn record() -> ApprovalRecord {
        let facts = Facts {
            digest: Digest::new([1; 32]),
            intent: IntentId::new("i-1"),
            epoch: Epoch::FIRST,
            approver: ActorId::new("mia"),
            decision: Decision::Approved,
            policy: "autonomy:1".to_owned(),
            issued: Timestamp::from_unix_seconds(1_000),
            expires: Timestamp::from_unix_seconds(2_000),
        };
        ApprovalRecord::issue(facts, "k1", &KEY).unwrap()
    }

    #[test]
    fn what_the_gate_wrote_verifies() {
        record().verify(&KEY).unwrap();
        assert_ne!(record().nonce, record().nonce);
    }

    #[test]
    fn any_change_of_a_field_or_of_the_key_is_noticed() {
        let changes: &[fn(&mut ApprovalRecord)] = &[
            |r| r.digest = Digest::new([2; 32]),
            |r| r.intent = IntentId::new("i-2"),
            |r| r.epoch = r.epoch.next(),
            |r| r.approver = ActorId::new("mallory"),
            |r| r.decision = Decision::Allowed,
            |r| r.policy.push('x'),
            |r| r.issued = Timestamp::from_unix_seconds(999),
            |r| r.expires = Timestamp::from_unix_seconds(9_999),
            |r| r.nonce = Nonce::random(),
            |r| r.key_id.push('x'),
            |r| r.mac = Digest::new([0; 32]),
        ];
        for (index, change) in changes.iter().enumerate() {
            let mut changed = record();
            change(&mut changed);
            assert!(changed.verify(&KEY).is_err(), "change {index}");
        }
        assert!(record().verify(&[8; 32]).is_err());
    }
}
