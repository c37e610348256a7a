//! The token of one source in this process, and how long it is good for.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;

use super::grant::OAuthGrant;
use super::token::AccessToken;
use crate::clock::{Clock, Timestamp};

/// A stored token dated further ahead than this means that the wall clock has jumped back; less may be the difference
/// between the clocks of two machines, and is covered by the margin.
const SKEW: Duration = Duration::from_secs(300);

/// Read by every request without a lock; written by the one task that refreshes.
pub(super) struct TokenCache {
    entry: ArcSwapOption<Entry>,
    /// The newest generation that the provider answered 401 to; 0 if none.
    rejected: AtomicU64,
    /// Until then (milliseconds, monotonic) a valid token is given without trying to renew it.
    quiet_until: AtomicU64,
}

struct Entry {
    token: AccessToken,
    obtained_at: Timestamp,
    life: Option<Life>,
}

/// Measured on the monotonic clock; the wall clock only advises, because it may jump, and because the monotonic clock of
/// some systems stands still while the machine sleeps.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// From here on a new token is wanted.
    due: Duration,
    /// From here on the token is over.
    end: Duration,
    /// When it ends if the wall clock has not jumped.
    wall_end: Timestamp,
}

/// How much life a source's token has.
pub(super) enum Found {
    /// Valid.
    Fresh(AccessToken),
    /// Valid, but a new one is wanted.
    Aging(AccessToken),
    /// None, over, or rejected.
    Spent,
}

/// When a token is renewed before its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margin {
    /// How long before the end.
    pub(super) early: Duration,
    /// Up to how much earlier still, by chance.
    pub(super) jitter: Duration,
}

impl TokenCache {
    pub(super) fn new() -> Self {
        Self {
            entry: ArcSwapOption::empty(),
            rejected: AtomicU64::new(0),
            quiet_until: AtomicU64::new(0),
        }
    }

    /// What there is now.
    pub(super) fn look(&self, clock: &dyn Clock) -> Found {
        let entry = self.entry.load();
        let Some(entry) = entry.as_ref() else {
            return Found::Spent;
        };
        if entry.token.generation() <= self.rejected.load(Ordering::Acquire) {
            return Found::Spent;
        }
        let Some(life) = &entry.life else {
            return Found::Fresh(entry.token.clone());
        };
        let now = clock.monotonic();
        if now >= life.end {
            return Found::Spent;
        }
        let wanted = now >= life.due || clock.now() >= life.wall_end;
        if wanted && millis(now) >= self.quiet_until.load(Ordering::Acquire) {
            Found::Aging(entry.token.clone())
        } else {
            Found::Fresh(entry.token.clone())
        }
    }

    /// Takes over the token of a stored grant. `asked` is the monotonic time of the request that brought it, if it was
    /// made here; else its age is taken from the wall clock, and never makes it live longer than the provider said.
    pub(super) fn adopt(
        &self,
        grant: &OAuthGrant,
        asked: Option<Duration>,
        renewable: bool,
        margin: Margin,
        clock: &dyn Clock,
    ) {
        if let Some(entry) = self.entry.load().as_ref() {
            let generation = entry.token.generation();
            if (generation, entry.obtained_at) == (grant.generation, grant.obtained_at) {
                return;
            }
            if grant.generation <= generation {
                // A new sign-in counts from one again: what was rejected before it says nothing about its tokens.
                self.rejected.store(0, Ordering::Release);
            }
        }
        let life = grant.lifetime().map(|length| {
            let (now, wall) = (clock.monotonic(), clock.now());
            let age = match asked {
                Some(asked) => now.saturating_sub(asked),
                None => wall.since(grant.obtained_at),
            };
            let left = length.saturating_sub(age);
            let end = now.saturating_add(left);
            // Short tokens: a fifth of the life at most goes to the margin, and as much to chance.
            let early = margin.early.min(length / 5);
            let jitter = random_up_to(margin.jitter.min(length / 5));
            let jumped_back = asked.is_none() && grant.obtained_at.since(wall) > SKEW;
            Life {
                due: match (renewable, jumped_back) {
                    (false, _) => end,
                    (true, true) => now,
                    (true, false) => end.saturating_sub(early).saturating_sub(jitter),
                },
                end,
                wall_end: if renewable { wall.after(left) } else { FAR },
            }
        });
        let token = AccessToken::new(grant.access_token.clone(), grant.scopes.clone(), grant.generation);
        self.entry.store(Some(Arc::new(Entry {
            token,
            obtained_at: grant.obtained_at,
            life,
        })));
    }

    /// Forgets the token.
    pub(super) fn clear(&self) {
        self.entry.store(None);
    }

    /// This generation and all before it are not given again.
    pub(super) fn reject(&self, generation: u64) {
        self.rejected.fetch_max(generation, Ordering::AcqRel);
    }

    /// Gives the valid token without trying to renew it until then (monotonic).
    pub(super) fn quiet_until(&self, until: Duration) {
        self.quiet_until.store(millis(until), Ordering::Release);
    }
}

impl fmt::Debug for TokenCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entry = self.entry.load();
        f.debug_struct("TokenCache")
            .field("token", &entry.as_ref().map(|entry| &entry.token))
            .field("life", &entry.as_ref().map(|entry| entry.life))
            .field("rejected", &self.rejected)
            .finish_non_exhaustive()
    }
}

const FAR: Timestamp = Timestamp::from_unix_millis(i64::MAX);

/// A random span up to this one.
pub(super) fn random_up_to(most: Duration) -> Duration {
    let mut bytes = [0; 4];
    crate::random::fill(&mut bytes);
    most.mul_f64(f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::ScopeSet;
    use crate::testkit::ManualClock;

    const MINUTE: Duration = Duration::from_secs(60);
    const MARGIN: Margin = Margin {
        early: Duration::from_secs(300),
        jitter: Duration::ZERO,
    };

    fn clock() -> ManualClock {
        ManualClock::new(Timestamp::from_unix_seconds(1_790_000_000))
    }

    fn grant(clock: &ManualClock) -> OAuthGrant {
        OAuthGrant::new("token".into(), ScopeSet::new(), clock.now()).with_expires_in(60 * MINUTE)
    }

    fn word(cache: &TokenCache, clock: &ManualClock) -> &'static str {
        match cache.look(clock) {
            Found::Fresh(_) => "fresh",
            Found::Aging(_) => "aging",
            Found::Spent => "spent",
        }
    }

    #[test]
    fn a_token_ages_five_minutes_before_its_end() {
        let clock = clock();
        let cache = TokenCache::new();
        assert_eq!(word(&cache, &clock), "spent");
        cache.adopt(&grant(&clock), Some(clock.monotonic()), true, MARGIN, &clock);
        for (minutes, expected) in [(0, "fresh"), (54, "fresh"), (1, "aging"), (4, "aging"), (1, "spent")] {
            clock.advance(minutes * MINUTE);
            assert_eq!(word(&cache, &clock), expected);
        }
    }

    #[test]
    fn without_a_way_to_renew_it_is_fresh_to_the_end() {
        let clock = clock();
        let cache = TokenCache::new();
        cache.adopt(&grant(&clock), None, false, MARGIN, &clock);
        clock.advance(59 * MINUTE);
        assert_eq!(word(&cache, &clock), "fresh");
        clock.advance(MINUTE);
        assert_eq!(word(&cache, &clock), "spent");
    }

    #[test]
    fn a_short_token_is_not_always_due() {
        let clock = clock();
        let cache = TokenCache::new();
        let short = OAuthGrant::new("t".into(), ScopeSet::new(), clock.now()).with_expires_in(Duration::from_secs(10));
        let margin = Margin {
            jitter: MINUTE,
            ..MARGIN
        };
        cache.adopt(&short, Some(clock.monotonic()), true, margin, &clock);
        clock.advance(Duration::from_secs(5));
        assert_eq!(word(&cache, &clock), "fresh");
        clock.advance(Duration::from_secs(4));
        assert_eq!(word(&cache, &clock), "aging");
    }

    #[test]
    fn a_token_without_an_end_lives_until_it_is_rejected() {
        let clock = clock();
        let cache = TokenCache::new();
        let endless = OAuthGrant::new("t".into(), ScopeSet::new(), clock.now());
        cache.adopt(&endless, None, true, MARGIN, &clock);
        clock.advance(10_000 * MINUTE);
        assert_eq!(word(&cache, &clock), "fresh");
        cache.reject(1);
        assert_eq!(word(&cache, &clock), "spent");
    }

    /// F24: the wall clock jumps an hour either way.
    #[test]
    fn jumps_of_the_wall_clock_neither_end_nor_prolong_a_token() {
        for hours in [-1i64, 1] {
            let clock = clock();
            let cache = TokenCache::new();
            cache.adopt(&grant(&clock), Some(clock.monotonic()), true, MARGIN, &clock);
            clock.advance(10 * MINUTE);
            clock.jump(hours * 3_600_000);
            let after_jump = word(&cache, &clock);
            // Forwards may also mean that the machine slept: a new token is wanted, the old one is kept.
            assert_eq!(after_jump, if hours > 0 { "aging" } else { "fresh" });
            clock.advance(50 * MINUTE);
            assert_eq!(word(&cache, &clock), "spent", "{hours}");
        }
    }

    #[test]
    fn a_stored_token_from_the_future_is_wanted_anew_and_lives_no_longer_than_told() {
        let clock = clock();
        let stored = grant(&clock);
        clock.jump(-3_600_000);
        let cache = TokenCache::new();
        cache.adopt(&stored, None, true, MARGIN, &clock);
        assert_eq!(word(&cache, &clock), "aging");
        clock.advance(60 * MINUTE);
        assert_eq!(word(&cache, &clock), "spent");
    }

    #[test]
    fn quiet_time_holds_the_aging_token() {
        let clock = clock();
        let cache = TokenCache::new();
        cache.adopt(&grant(&clock), Some(clock.monotonic()), true, MARGIN, &clock);
        clock.advance(56 * MINUTE);
        cache.quiet_until(clock.monotonic() + MINUTE);
        assert_eq!(word(&cache, &clock), "fresh");
        clock.advance(MINUTE);
        assert_eq!(word(&cache, &clock), "aging");
    }

    #[test]
    fn a_new_sign_in_is_not_taken_for_what_was_rejected_before_it() {
        let clock = clock();
        let cache = TokenCache::new();
        let mut fifth = grant(&clock);
        fifth.generation = 5;
        cache.adopt(&fifth, None, true, MARGIN, &clock);
        cache.reject(5);
        assert_eq!(word(&cache, &clock), "spent");
        clock.advance(MINUTE);
        cache.adopt(&grant(&clock), None, true, MARGIN, &clock);
        assert_eq!(word(&cache, &clock), "fresh");
    }

    #[test]
    fn rejecting_an_older_generation_changes_nothing() {
        let clock = clock();
        let cache = TokenCache::new();
        let mut second = grant(&clock);
        second.generation = 2;
        cache.adopt(&second, None, true, MARGIN, &clock);
        cache.reject(1);
        assert_eq!(word(&cache, &clock), "fresh");
        cache.reject(2);
        assert_eq!(word(&cache, &clock), "spent");
    }
}
