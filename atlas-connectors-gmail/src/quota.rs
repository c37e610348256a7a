//! What Gmail charges and how much it allows. Source: `gmail.md`, section 6 (Google's usage limits page after the change
//! of 2026-05-01). The Cloud console of the project is authoritative; every number can be set.

use atlas_connectors::http::Quota;

use crate::wire::Method;

/// Which price list applies. Projects that used the API between 2025-11 and 2026-04 keep the old one for now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Tariff {
    /// In force since 2026-05-01: 6,000 units a minute and user. The default, as it is the stricter one.
    #[default]
    Since2026May,
    /// Before: 15,000 units a minute and user.
    Before2026May,
}

impl Tariff {
    /// Units one call of this method costs.
    pub const fn price(self, method: Method) -> u32 {
        let (before, since) = match method {
            Method::Profile | Method::LabelsList | Method::LabelsGet | Method::SendAsList | Method::VacationGet => {
                (1, 1)
            }
            Method::HistoryList => (2, 2),
            Method::MessagesList | Method::MessagesSearch | Method::DraftsList => (5, 5),
            Method::MessagesGet | Method::MessagesGetMetadata | Method::AttachmentsGet => (5, 20),
            // The new price is reported by third parties, not published.
            Method::DraftsGet => (5, 20),
            // The old price is unverified.
            Method::ThreadsList | Method::ThreadsSearch | Method::ThreadsModify => (10, 10),
            Method::ThreadsGet | Method::ThreadsGetMetadata => (10, 40),
            Method::MessagesModify | Method::LabelsCreate | Method::LabelsPatch | Method::LabelsDelete => (5, 5),
            // The new prices are reported by third parties; taking out of the trash is taken to cost the same.
            Method::MessagesTrash | Method::MessagesUntrash => (5, 20),
            Method::ThreadsTrash | Method::ThreadsUntrash => (10, 20),
            Method::DraftsCreate | Method::DraftsDelete => (10, 10),
            Method::DraftsUpdate => (15, 15),
            Method::MessagesBatchModify | Method::Stop => (50, 50),
            Method::MessagesSend | Method::DraftsSend | Method::Watch => (100, 100),
        };
        match self {
            Self::Before2026May => before,
            Self::Since2026May => since,
        }
    }

    /// Units a user may spend in a minute over all programs of one project.
    pub const fn units_per_minute(self) -> u32 {
        match self {
            Self::Before2026May => 15_000,
            Self::Since2026May => 6_000,
        }
    }

    /// The governor's settings for one account at the documented limits. Set fewer units where other programs of the same
    /// project share the account.
    pub const fn quota(self) -> Quota {
        Quota::per_minute(self.units_per_minute()).with_concurrency(CONCURRENCY)
    }
}

/// Requests of one user at a time that people report as safe; the limit itself is not published, and it is shared
/// with phones and web pages of the same mailbox.
pub const CONCURRENCY: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_price_lists_are_as_published() {
        let table = [
            (Method::Profile, 1, 1),
            (Method::LabelsList, 1, 1),
            (Method::HistoryList, 2, 2),
            (Method::MessagesList, 5, 5),
            (Method::MessagesGet, 5, 20),
            (Method::AttachmentsGet, 5, 20),
            (Method::DraftsGet, 5, 20),
            (Method::ThreadsGet, 10, 40),
            (Method::MessagesModify, 5, 5),
            (Method::MessagesTrash, 5, 20),
            (Method::DraftsCreate, 10, 10),
            (Method::DraftsUpdate, 15, 15),
            (Method::MessagesBatchModify, 50, 50),
            (Method::MessagesSend, 100, 100),
            (Method::DraftsSend, 100, 100),
            (Method::Watch, 100, 100),
            (Method::Stop, 50, 50),
        ];
        for (method, before, since) in table {
            assert_eq!(Tariff::Before2026May.price(method), before, "{method:?}");
            assert_eq!(Tariff::Since2026May.price(method), since, "{method:?}");
        }
        for method in Method::ALL {
            assert!(Tariff::default().price(*method) > 0, "{method:?} is free");
        }
    }

    #[test]
    fn the_default_is_the_stricter_list() {
        assert_eq!(Tariff::default().quota().units_per_minute, Some(6_000));
        assert_eq!(Tariff::Before2026May.quota().units_per_minute, Some(15_000));
        assert_eq!(Tariff::default().quota().concurrency, 10);
    }
}
