//! The contract of [`CredentialStore`], sentence by sentence.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{join, join_all, poll_immediate};

use super::violation::{Case, Pace, Violation, yield_now};
use crate::credential::{CredentialKey, CredentialStore, Fence, SealedCredential, Versioned};
use crate::error::Result as AtlasResult;
use crate::ids::{ConnectionId, Epoch, HolderId, TenantId, Version};

pub(super) const TTL: Duration = Duration::from_millis(500);
pub(super) const MANY: usize = 12;

/// Checks every sentence of the contract of [`CredentialStore`]. `open` gives another handle on the same data at each
/// call, as another process would have; the data may hold other rows.
///
/// ```
/// use std::sync::Arc;
/// use atlas_connectors::credential::CredentialStore;
/// use atlas_connectors::store::MemoryStore;
/// use atlas_connectors::testkit::suites::{Pace, credential_store};
/// use atlas_connectors::testkit::ManualClock;
/// use atlas_connectors::Timestamp;
///
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// let clock = ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000));
/// let store = MemoryStore::with_clock(Arc::new(clock.clone()));
/// let open = || Ok(Arc::new(store.clone()) as Arc<dyn CredentialStore>);
/// credential_store(open, Pace::Manual(&clock)).await
/// # }).unwrap();
/// ```
///
/// # Errors
/// The first sentence that is broken.
pub async fn credential_store<F>(open: F, pace: Pace<'_>) -> Result<(), Violation>
where
    F: Fn() -> AtlasResult<Arc<dyn CredentialStore>> + Sync,
{
    let handle = || Case("open").ok(open(), "open");
    let (one, two) = (handle()?, handle()?);
    let pair = Pair {
        one: &*one,
        two: &*two,
        pace,
    };
    pair.first_write().await?;
    pair.compare_and_set().await?;
    pair.one_of_many_wins().await?;
    pair.nothing_is_lost().await?;
    pair.rows_are_whole().await?;
    pair.keys_do_not_mix().await?;
    pair.older_epochs_are_refused().await?;
    pair.erased_stays_erased().await?;
    pair.erased_under_its_own_epoch().await?;
    pair.erasing_nothing().await?;
    pair.lease_excludes().await?;
    pair.lease_ends().await?;
    pair.release_frees().await?;
    pair.fence_guards().await?;
    pair.erase_ends_the_lease().await?;
    pair.lease_of_many().await?;
    pair.dropped_commit_is_whole().await?;
    pair.rotation_list().await
}

/// Two handles on the same data.
pub(super) struct Pair<'a> {
    pub(super) one: &'a dyn CredentialStore,
    pub(super) two: &'a dyn CredentialStore,
    pub(super) pace: Pace<'a>,
}

pub(super) type Row = Option<Versioned<SealedCredential>>;

impl Pair<'_> {
    async fn first_write(&self) -> Result<(), Violation> {
        let case = Case("first_write");
        let key = fresh_key();
        case.check(self.row(case, &key).await?.is_none(), "no row before the first write")?;
        let written = case.ok(
            self.one.commit(&key, sealed(1, "k"), Version::NONE, None).await,
            "commit",
        )?;
        case.check(written == Version::NONE.next(), "the first version is 1")?;
        let expected = Some(Versioned {
            value: sealed(1, "k"),
            version: written,
        });
        case.check(self.row(case, &key).await? == expected, "the row is what was written")?;
        let again = self.two.commit(&key, sealed(1, "other"), Version::NONE, None).await;
        case.refused(again, "storage.conflict", "a second first write")?;
        case.check(
            self.row(case, &key).await? == expected,
            "a refused commit changes nothing",
        )
    }

    async fn compare_and_set(&self) -> Result<(), Violation> {
        let case = Case("compare_and_set");
        let key = fresh_key();
        let absent = self.one.commit(&key, sealed(1, "k"), Version::new(1), None).await;
        case.refused(absent, "storage.conflict", "a commit over a row that is not there")?;
        let first = self.written(case, &key, sealed(1, "a"), Version::NONE).await?;
        let second = case.ok(self.two.commit(&key, sealed(1, "b"), first, None).await, "commit")?;
        case.check(second == first.next(), "the new version follows the expected one")?;
        for stale in [first, second.next(), Version::NONE] {
            let refused = self.one.commit(&key, sealed(1, "c"), stale, None).await;
            case.refused(refused, "storage.conflict", "a commit over another version")?;
        }
        let expected = Some(Versioned {
            value: sealed(1, "b"),
            version: second,
        });
        case.check(
            self.row(case, &key).await? == expected,
            "the row is what was written last",
        )
    }

    async fn one_of_many_wins(&self) -> Result<(), Violation> {
        let case = Case("one_of_many_wins");
        let key = fresh_key();
        let base = self.written(case, &key, sealed(1, "k"), Version::NONE).await?;
        let writers = (0..MANY).map(|number| self.any(number).commit(&key, sealed(1, "k"), base, None));
        let mut won = 0;
        for outcome in join_all(writers).await {
            match outcome {
                Ok(_) => won += 1,
                refused => case.refused(refused, "storage.conflict", "a commit that came second")?,
            }
        }
        case.check(won == 1, "exactly one of many commits over the same version wins")
    }

    async fn nothing_is_lost(&self) -> Result<(), Violation> {
        let case = Case("nothing_is_lost");
        let key = fresh_key();
        self.written(case, &key, counting(0), Version::NONE).await?;
        let key = &key;
        let workers = (0..MANY).map(|number| async move {
            let store = self.any(number);
            for _ in 0..4 {
                loop {
                    let row = case.ok(store.load(key).await, "load")?;
                    let row = row.ok_or_else(|| Violation::new(case.0, "the row is gone"))?;
                    let next = counting(count(&row.value) + 1);
                    match store.commit(key, next, row.version, None).await {
                        Ok(_) => break,
                        refused => case.refused(refused, "storage.conflict", "a commit")?,
                    }
                }
            }
            Ok(())
        });
        for worker in join_all(workers).await {
            worker?;
        }
        let total = self.row(case, key).await?.map_or(0, |row| count(&row.value));
        case.check(total == MANY * 4, "every successful commit counts")
    }

    async fn rows_are_whole(&self) -> Result<(), Violation> {
        let case = Case("rows_are_whole");
        let key = &fresh_key();
        self.written(case, key, uniform(0), Version::NONE).await?;
        let writer = async move {
            for number in 1..=20u8 {
                let base = self.row(case, key).await?.map_or(Version::NONE, |row| row.version);
                case.ok(self.one.commit(key, uniform(number), base, None).await, "commit")?;
            }
            Ok(())
        };
        let reader = async move {
            for _ in 0..60 {
                let row = case.ok(self.two.load(key).await, "load")?;
                let row = row.ok_or_else(|| Violation::new(case.0, "the row is gone"))?;
                let number = row.value.envelope.first().copied().unwrap_or_default();
                case.check(row.value == uniform(number), "a row is never a mixture of two writes")?;
                let in_order = row.version == Version::new(u64::from(number) + 1);
                case.check(in_order, "a version never stands at the value of another one")?;
                yield_now().await;
            }
            Ok(())
        };
        let (wrote, read) = join(writer, reader).await;
        wrote.and(read)
    }

    async fn keys_do_not_mix(&self) -> Result<(), Violation> {
        let case = Case("keys_do_not_mix");
        let base = fresh_key();
        let key = |tenant: &str, connection: &str, field: &str| CredentialKey {
            tenant: TenantId::new(format!("{}{tenant}", base.tenant)),
            connection: ConnectionId::new(format!("{connection}{}", base.connection)),
            field: field.into(),
        };
        let keys = [
            key("a", "bc", "oauth"),
            key("ab", "c", "oauth"),
            key("a", "bc", "api_key"),
            key("a' OR 1=1 --", "%_\"\\", "oauth"),
            key("ä\u{1F4E7}\n", "/../", "a b"),
            key("A", "bc", "oauth"),
        ];
        for (number, key) in (0u8..).zip(&keys) {
            self.written(case, key, uniform(number), Version::NONE).await?;
        }
        for (number, key) in (0u8..).zip(&keys) {
            let value = self.row(case, key).await?.map(|row| row.value);
            case.check(value == Some(uniform(number)), "each key has its own row")?;
        }
        Ok(())
    }

    async fn older_epochs_are_refused(&self) -> Result<(), Violation> {
        let case = Case("older_epochs_are_refused");
        let key = fresh_key();
        let first = self.written(case, &key, sealed(3, "k"), Version::NONE).await?;
        let late = self.two.commit(&key, sealed(2, "k"), first, None).await;
        case.refused(late, "cancelled", "a commit under an older epoch")?;
        let same = self.written(case, &key, sealed(3, "k"), first).await?;
        let newer = self.written(case, &key, sealed(4, "k"), same).await?;
        let late = self.two.commit(&key, sealed(3, "k"), newer, None).await;
        case.refused(late, "cancelled", "a commit under the epoch before")?;
        let late = self.two.commit(&key, sealed(3, "k"), same, None).await;
        case.refused(
            late,
            "cancelled",
            "a commit under an older epoch and version: the epoch decides",
        )?;
        case.refused(
            self.one.erase(&key, Epoch::new(3)).await,
            "cancelled",
            "an erasure under an older epoch",
        )?;
        let row = self.row(case, &key).await?;
        case.check(
            row.is_some_and(|row| row.value == sealed(4, "k")),
            "refusals change nothing",
        )
    }

    async fn erased_stays_erased(&self) -> Result<(), Violation> {
        let case = Case("erased_stays_erased");
        let key = fresh_key();
        let version = self.written(case, &key, sealed(1, "k"), Version::NONE).await?;
        case.ok(self.one.erase(&key, Epoch::new(2)).await, "erase")?;
        case.check(self.row(case, &key).await?.is_none(), "an erased row is gone")?;
        for expected in [version, Version::NONE] {
            let late = self.two.commit(&key, sealed(1, "k"), expected, None).await;
            case.refused(late, "cancelled", "a commit of work begun before the erasure")?;
        }
        case.check(
            self.row(case, &key).await?.is_none(),
            "an erased row does not come back",
        )?;
        let again = self.written(case, &key, sealed(2, "k"), Version::NONE).await?;
        case.check(again == Version::new(1), "versions begin anew after an erasure")
    }

    async fn erased_under_its_own_epoch(&self) -> Result<(), Violation> {
        let case = Case("erased_under_its_own_epoch");
        let key = fresh_key();
        self.written(case, &key, sealed(5, "k"), Version::NONE).await?;
        case.ok(self.one.erase(&key, Epoch::new(5)).await, "erase")?;
        let late = self.two.commit(&key, sealed(5, "k"), Version::NONE, None).await;
        case.refused(late, "cancelled", "a commit under the epoch of the erased row")?;
        self.written(case, &key, sealed(6, "k"), Version::NONE).await?;
        Ok(())
    }

    async fn erasing_nothing(&self) -> Result<(), Violation> {
        let case = Case("erasing_nothing");
        let key = fresh_key();
        case.ok(self.one.erase(&key, Epoch::new(4)).await, "erasing what is not there")?;
        case.ok(
            self.one.erase(&key, Epoch::new(2)).await,
            "erasing it again under an older epoch",
        )?;
        let late = self.two.commit(&key, sealed(3, "k"), Version::NONE, None).await;
        case.refused(late, "cancelled", "a commit under an epoch older than the tombstone")?;
        self.written(case, &key, sealed(4, "k"), Version::NONE).await?;
        Ok(())
    }

    async fn dropped_commit_is_whole(&self) -> Result<(), Violation> {
        let case = Case("dropped_commit_is_whole");
        let key = fresh_key();
        let base = self.written(case, &key, uniform(1), Version::NONE).await?;
        {
            let mut commit = pin!(self.one.commit(&key, uniform(2), base, None));
            // Polled once and dropped: from now on it has happened, or it has not.
            let _ = poll_immediate(&mut commit).await;
        }
        // Whatever became of it, the next writer ends the question.
        loop {
            // Read once: the dropped commit may still land between two reads.
            let row = case.ok(self.two.load(&key).await, "load")?;
            let row = row.ok_or_else(|| Violation::new(case.0, "the row is gone"))?;
            let whole = (row.value == uniform(1) && row.version == base)
                || (row.value == uniform(2) && row.version == base.next());
            case.check(whole, "a dropped commit is done or not done")?;
            match self.two.commit(&key, uniform(3), row.version, None).await {
                Ok(_) => return Ok(()),
                refused => case.refused(refused, "storage.conflict", "the next commit")?,
            }
        }
    }

    async fn rotation_list(&self) -> Result<(), Violation> {
        let case = Case("rotation_list");
        let tenant = fresh_key().tenant;
        let key = |number: usize| CredentialKey {
            tenant: tenant.clone(),
            connection: ConnectionId::new(format!("c{number}")),
            field: "oauth".into(),
        };
        for number in 0..7 {
            let key_id = if number == 3 { "new" } else { "old" };
            self.written(case, &key(number), sealed(1, key_id), Version::NONE)
                .await?;
        }
        case.ok(self.one.erase(&key(4), Epoch::new(2)).await, "erase")?;
        self.leased(case, &key(8), &HolderId::random()).await?;
        let mut found = Vec::new();
        let mut after = None;
        loop {
            let page = case.ok(
                self.two.sealed_with_other_key("new", after.as_ref(), 2).await,
                "sealed_with_other_key",
            )?;
            case.check(page.len() <= 2, "a page is no longer than its limit")?;
            let Some(last) = page.last() else { break };
            case.check(after.as_ref() < Some(last), "pages go on where the last one ended")?;
            after = Some(last.clone());
            found.extend(page.into_iter().filter(|key| key.tenant == tenant));
        }
        let expected: Vec<CredentialKey> = [0, 1, 2, 5, 6].map(key).into();
        case.check(
            found == expected,
            "the list has each row under another key once, in order, and no other",
        )
    }

    /// One of the two handles.
    pub(super) fn any(&self, number: usize) -> &dyn CredentialStore {
        if number.is_multiple_of(2) { self.one } else { self.two }
    }

    /// The row, which both handles must show alike.
    pub(super) async fn row(&self, case: Case, key: &CredentialKey) -> Result<Row, Violation> {
        let one = case.ok(self.one.load(key).await, "load")?;
        let two = case.ok(self.two.load(key).await, "load")?;
        case.check(one == two, "both handles show the same row")?;
        Ok(one)
    }

    pub(super) async fn written(
        &self,
        case: Case,
        key: &CredentialKey,
        value: SealedCredential,
        expected: Version,
    ) -> Result<Version, Violation> {
        case.ok(self.one.commit(key, value, expected, None).await, "commit")
    }

    pub(super) async fn leased(&self, case: Case, key: &CredentialKey, holder: &HolderId) -> Result<Fence, Violation> {
        let fence = case.ok(self.one.lease(key, holder, TTL).await, "lease")?;
        let fence = fence.ok_or_else(|| Violation::new(case.0, "a free lease was not given"))?;
        case.check(
            fence.key == *key && fence.holder == *holder,
            "the fence names its key and holder",
        )?;
        Ok(fence)
    }
}

pub(super) fn fresh_key() -> CredentialKey {
    CredentialKey {
        tenant: TenantId::new(format!("suite-{}", ConnectionId::random())),
        connection: ConnectionId::random(),
        field: "oauth".into(),
    }
}

pub(super) fn sealed(epoch: u64, key_id: &str) -> SealedCredential {
    SealedCredential {
        epoch: Epoch::new(epoch),
        key_id: key_id.into(),
        envelope: key_id.as_bytes().to_vec(),
    }
}

/// A row whose every part tells the same number, large enough to be torn.
fn uniform(number: u8) -> SealedCredential {
    SealedCredential {
        epoch: Epoch::FIRST,
        key_id: format!("key-{number}").into(),
        envelope: vec![number; 20_000],
    }
}

fn counting(number: usize) -> SealedCredential {
    SealedCredential {
        envelope: number.to_string().into_bytes(),
        ..sealed(1, "k")
    }
}

fn count(value: &SealedCredential) -> usize {
    let digits = std::str::from_utf8(&value.envelope).unwrap_or_default();
    digits.parse().unwrap_or_default()
}

#[cfg(test)]
#[path = "credential_store_tests.rs"]
mod tests;
