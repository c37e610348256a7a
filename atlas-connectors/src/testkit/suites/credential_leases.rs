//! The part of the contract that is about leases and fences.

use futures_util::future::join_all;

use super::credential_store::{MANY, Pair, TTL, fresh_key, sealed};
use super::violation::{Case, Violation};
use crate::credential::Fence;
use crate::ids::{Epoch, HolderId, Version};

impl Pair<'_> {
    pub(super) async fn lease_excludes(&self) -> Result<(), Violation> {
        let case = Case("lease_excludes");
        let (key, other, holder) = (fresh_key(), fresh_key(), HolderId::random());
        self.leased(case, &key, &holder).await?;
        for again in [&HolderId::random(), &holder] {
            let lease = case.ok(self.two.lease(&key, again, TTL).await, "lease")?;
            case.check(lease.is_none(), "a lease that is held is not given again")?;
        }
        self.leased(case, &other, &HolderId::random()).await?;
        case.check(self.row(case, &key).await?.is_none(), "a lease makes no row")?;
        self.written(case, &key, sealed(1, "k"), Version::NONE).await?;
        let lease = case.ok(self.two.lease(&key, &holder, TTL).await, "lease")?;
        case.check(lease.is_none(), "a write without fence does not end a lease")
    }

    pub(super) async fn lease_ends(&self) -> Result<(), Violation> {
        let case = Case("lease_ends");
        let key = fresh_key();
        let base = self.written(case, &key, sealed(1, "k"), Version::NONE).await?;
        let old = self.leased(case, &key, &HolderId::random()).await?;
        self.pace.pass(TTL * 2).await;
        let new = self.leased(case, &key, &HolderId::random()).await?;
        case.check(new.number > old.number, "the number rises with each lease")?;
        let late = self.one.commit(&key, sealed(1, "late"), base, Some(&old)).await;
        case.refused(late, "storage.fenced", "a commit of the holder that lost its lease")?;
        case.ok(self.one.release(old).await, "releasing a lost lease")?;
        let third = case.ok(self.two.lease(&key, &HolderId::random(), TTL).await, "lease")?;
        case.check(third.is_none(), "releasing a lost lease does not end the new one")?;
        case.ok(
            self.two.commit(&key, sealed(1, "new"), base, Some(&new)).await,
            "a commit under the newest lease",
        )?;
        Ok(())
    }

    pub(super) async fn release_frees(&self) -> Result<(), Violation> {
        let case = Case("release_frees");
        let key = fresh_key();
        let base = self.written(case, &key, sealed(1, "k"), Version::NONE).await?;
        let mut last = 0;
        for _ in 0..3 {
            let fence = self.leased(case, &key, &HolderId::random()).await?;
            case.check(fence.number > last, "the number rises after a release too")?;
            last = fence.number;
            case.ok(self.two.release(fence.clone()).await, "release")?;
            let late = self.one.commit(&key, sealed(1, "late"), base, Some(&fence)).await;
            case.refused(late, "storage.fenced", "a commit under a released lease")?;
        }
        Ok(())
    }

    pub(super) async fn fence_guards(&self) -> Result<(), Violation> {
        let case = Case("fence_guards");
        let (key, other) = (fresh_key(), fresh_key());
        let base = self.written(case, &key, sealed(1, "k"), Version::NONE).await?;
        let fence = self.leased(case, &key, &HolderId::random()).await?;
        let elsewhere = self.leased(case, &other, &fence.holder).await?;
        let stranger = Fence {
            holder: HolderId::random(),
            ..fence.clone()
        };
        let ahead = Fence {
            number: fence.number + 1,
            ..fence.clone()
        };
        for wrong in [&elsewhere, &stranger, &ahead] {
            let refused = self.one.commit(&key, sealed(1, "wrong"), base, Some(wrong)).await;
            case.refused(refused, "storage.fenced", "a commit under somebody else's fence")?;
        }
        let next = case.ok(
            self.one.commit(&key, sealed(1, "a"), base, Some(&fence)).await,
            "a fenced commit",
        )?;
        case.ok(
            self.two.commit(&key, sealed(1, "b"), next, Some(&fence)).await,
            "a second one",
        )?;
        let old = self.one.commit(&key, sealed(0, "c"), next.next(), Some(&fence)).await;
        case.refused(old, "cancelled", "a fenced commit under an older epoch")
    }

    pub(super) async fn erase_ends_the_lease(&self) -> Result<(), Violation> {
        let case = Case("erase_ends_the_lease");
        let key = fresh_key();
        self.written(case, &key, sealed(1, "k"), Version::NONE).await?;
        let old = self.leased(case, &key, &HolderId::random()).await?;
        case.ok(self.two.erase(&key, Epoch::new(2)).await, "erase")?;
        let late = self.one.commit(&key, sealed(2, "k"), Version::NONE, Some(&old)).await;
        case.refused(late, "storage.fenced", "a commit under a lease from before the erasure")?;
        let new = self.leased(case, &key, &HolderId::random()).await?;
        case.check(new.number > old.number, "the number rises over erasures")
    }

    pub(super) async fn lease_of_many(&self) -> Result<(), Violation> {
        let case = Case("lease_of_many");
        let key = fresh_key();
        let holders: Vec<HolderId> = (0..MANY).map(|_| HolderId::random()).collect();
        let tries = holders
            .iter()
            .enumerate()
            .map(|(number, holder)| self.any(number).lease(&key, holder, TTL));
        let mut held = 0;
        for outcome in join_all(tries).await {
            held += usize::from(case.ok(outcome, "lease")?.is_some());
        }
        case.check(held == 1, "exactly one of many gets the lease")
    }
}
