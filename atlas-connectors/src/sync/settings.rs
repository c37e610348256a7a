//! Limits and choices of a sync.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::{Error, ErrorKind, Result};
use crate::ids::LabelId;
use crate::mail::MailListing;

/// Limits and choices of a sync. `Default` fits a mailbox at Gmail.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncSettings {
    /// Messages fetched at once. Default 10: what users report as safe for one Gmail mailbox (`gmail.md`, section 6).
    pub in_flight: usize,
    /// Pages listed ahead of the one being fetched. Default 2.
    pub pages_ahead: usize,
    /// Messages committed in one transaction at most. Default 250.
    pub batch_messages: usize,
    /// Bytes of messages held before they are committed, about. Default 8 MiB. Together with `in_flight` messages of the
    /// largest size this bounds the memory of a run.
    pub batch_bytes: usize,
    /// Messages with one of these labels are left out: they vanish when they get it and appear when they lose it. Default `SPAM`,
    /// `TRASH`, `DRAFT`.
    pub excluded_labels: Vec<LabelId>,
    /// Only messages received since then. Default: all.
    pub since: Option<Timestamp>,
    /// Failures after which a message is set aside. Default 3.
    pub quarantine_after: u32,
    /// How often a new message that is "not found" is looked for again: providers announce a message before it can be read
    /// (`gmail.md`, section 9). Default 2.
    pub fresh_retries: u32,
    /// Pause before each of these looks. Default 2 s.
    pub fresh_delay: Duration,
    /// How far back the confirming look after a listing goes, because the provider's index lags behind. Default 1 hour; zero
    /// turns it off.
    pub confirm_window: Duration,
    /// Whether a repair reads known messages again for their labels. Default `true`; `false` is cheaper, and labels that changed within
    /// the gap stay as they were.
    pub repair_labels: bool,
    /// How often new changes are read while a long listing goes on. Default 1 minute.
    pub follow_every: Duration,
    /// Stale baselines in a row, or positions lost in one run, after which no new listing is begun for a while. Default 3.
    pub stale_baselines: u32,
    /// That while. Default 1 hour.
    pub stale_pause: Duration,
    /// How long the lease of a killed run keeps others out. Renewed while running. Default 1 minute.
    pub lease: Duration,
}

impl Default for SyncSettings {
    fn default() -> Self {
        Self {
            in_flight: 10,
            pages_ahead: 2,
            batch_messages: 250,
            batch_bytes: 8 * 1024 * 1024,
            excluded_labels: ["SPAM", "TRASH", "DRAFT"].map(LabelId::from).to_vec(),
            since: None,
            quarantine_after: 3,
            fresh_retries: 2,
            fresh_delay: Duration::from_secs(2),
            confirm_window: Duration::from_secs(3600),
            repair_labels: true,
            follow_every: Duration::from_secs(60),
            stale_baselines: 3,
            stale_pause: Duration::from_secs(3600),
            lease: Duration::from_secs(60),
        }
    }
}

impl SyncSettings {
    pub(super) fn check(&self) -> Result<()> {
        let invalid = |what, why| Err(Error::new(ErrorKind::Invalid { what, why }, "sync.build"));
        if self.in_flight == 0 {
            return invalid("in_flight", "at least one message must be fetched at a time");
        }
        if self.batch_messages == 0 || self.batch_bytes == 0 {
            return invalid("batch", "a batch must hold something");
        }
        if self.quarantine_after == 0 {
            return invalid("quarantine_after", "a message must be tried at least once");
        }
        if self.lease < Duration::from_secs(3) {
            return invalid("lease", "shorter than three seconds");
        }
        Ok(())
    }

    /// What a listing has to cover under these choices.
    pub(super) fn listing(&self) -> MailListing {
        let left_out = |label: &str| self.excluded_labels.iter().any(|excluded| excluded.as_str() == label);
        MailListing {
            since: self.since,
            until: None,
            include_spam_trash: !(left_out("SPAM") && left_out("TRASH")),
        }
    }

    /// Whether a message with these labels is left out.
    pub(super) fn excludes(&self, labels: &[LabelId]) -> bool {
        labels.iter().any(|label| self.excluded_labels.contains(label))
    }

    /// Whether a message with these labels, received then, is to be kept.
    pub(super) fn wants(&self, labels: &[LabelId], received: Timestamp) -> bool {
        !self.excludes(labels) && self.since.is_none_or(|since| received >= since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_leaves_out_spam_and_trash_only_if_both_are() {
        let mut settings = SyncSettings::default();
        assert!(!settings.listing().include_spam_trash);
        settings.excluded_labels = vec!["DRAFT".into(), "SPAM".into()];
        assert!(settings.listing().include_spam_trash);
        assert!(settings.wants(&["TRASH".into()], Timestamp::UNIX_EPOCH));
        assert!(!settings.wants(&["INBOX".into(), "SPAM".into()], Timestamp::UNIX_EPOCH));
        settings.since = Some(Timestamp::from_unix_seconds(10));
        assert!(!settings.wants(&[], Timestamp::from_unix_seconds(9)));
        assert!(settings.wants(&[], Timestamp::from_unix_seconds(10)));
    }

    #[test]
    fn senseless_settings_are_refused() {
        assert!(SyncSettings::default().check().is_ok());
        for change in [
            (|s| s.in_flight = 0) as fn(&mut SyncSettings),
            |s| s.batch_bytes = 0,
            |s| s.batch_messages = 0,
            |s| s.quarantine_after = 0,
            |s| s.lease = Duration::from_secs(1),
        ] {
            let mut settings = SyncSettings::default();
            change(&mut settings);
            assert_eq!(settings.check().unwrap_err().code(), "invalid");
        }
    }
}
