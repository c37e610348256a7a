//! Scopes: which a workflow needs, which an operation needs, and what was granted beyond that.
//!
//! Source: `gmail.md`, section 5, and the Gmail discovery document (revision 20261005).

use atlas_connectors::mail::MailboxCapabilities;
use atlas_connectors::oauth::{Scope, ScopeSet};

use crate::wire::Method;

/// All reads, history, watch, settings read. Restricted.
pub const READONLY: &str = "https://www.googleapis.com/auth/gmail.readonly";
/// Everything but permanent deletion and changes of settings; includes sending. Restricted.
pub const MODIFY: &str = "https://www.googleapis.com/auth/gmail.modify";
/// Drafts, sending, profile; no reading of other mail. Restricted.
pub const COMPOSE: &str = "https://www.googleapis.com/auth/gmail.compose";
/// `messages.send` only. Sensitive.
pub const SEND: &str = "https://www.googleapis.com/auth/gmail.send";
/// Lists, headers, history, watch; no search, no content. Restricted, and a trap beside other scopes.
pub const METADATA: &str = "https://www.googleapis.com/auth/gmail.metadata";
/// Label objects only, not putting them on mail. Not sensitive.
pub const LABELS: &str = "https://www.googleapis.com/auth/gmail.labels";
/// Reads and writes of basic settings. Never asked for.
pub const SETTINGS_BASIC: &str = "https://www.googleapis.com/auth/gmail.settings.basic";
/// Everything, permanent deletion, IMAP and SMTP. Never asked for.
pub const FULL: &str = "https://mail.google.com/";
/// Sign-in.
pub const OPENID: &str = "openid";
/// The address of the account, in the long form in which Google grants it.
pub const EMAIL: &str = "https://www.googleapis.com/auth/userinfo.email";
/// Name and picture, in the long form.
pub const PROFILE: &str = "https://www.googleapis.com/auth/userinfo.profile";

/// What a product does with a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Workflow {
    /// Reads mail and sorts it in the product: `gmail.readonly`.
    Triage,
    /// Labels, archives and trashes in the mailbox: `gmail.modify`.
    Organize,
    /// Sends approved replies: `gmail.send`, the narrowest. An interrupted send can end as uncertain.
    SendReplies,
    /// Drafts approved replies in the mailbox, then sends them: `gmail.compose`. An interrupted send can be looked up.
    DraftReplies,
}

/// The narrowest scopes for these workflows together, always with `openid email`, so that it is known who came back.
///
/// ```
/// use atlas_connectors_gmail::{Workflow, scopes};
///
/// let asked = scopes::plan(&[Workflow::Triage, Workflow::SendReplies]);
/// assert!(asked.iter().any(|scope| scope.as_str() == scopes::READONLY));
/// assert!(!asked.iter().any(|scope| scope.as_str() == scopes::MODIFY));
/// ```
pub fn plan(workflows: &[Workflow]) -> ScopeSet {
    let wants = |workflow| workflows.contains(&workflow);
    let mut scopes = vec![OPENID, EMAIL];
    if wants(Workflow::Organize) {
        // It includes reading, drafts and sending: any further scope would only widen the consent page.
        scopes.push(MODIFY);
        return set(&scopes);
    }
    if wants(Workflow::Triage) {
        scopes.push(READONLY);
    }
    if wants(Workflow::DraftReplies) {
        scopes.push(COMPOSE);
    } else if wants(Workflow::SendReplies) {
        scopes.push(SEND);
    }
    set(&scopes)
}

/// What was granted, held against what the workflows need, both ways.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScopeReport {
    /// Needed and not granted, by the narrowest scope that would do.
    pub missing: ScopeSet,
    /// Granted and not needed: an earlier, wider consent came back (`include_granted_scopes`), or the person was asked
    /// for too much. Works, but the token opens more than the product uses.
    pub excess: ScopeSet,
    /// `gmail.metadata` was granted beside scopes that read content. Gmail then refuses search and content although the
    /// other scope allows them; revoke and sign in again without it.
    pub metadata_trap: bool,
}

impl ScopeReport {
    /// Holds a grant against what these workflows need. A wider scope satisfies a narrower need.
    pub fn compare(workflows: &[Workflow], granted: &ScopeSet) -> Self {
        let granted = normalize(granted);
        let planned = plan(workflows);
        let mut missing: Vec<Scope> = Vec::new();
        for scope in planned.iter() {
            let satisfied = match scope.as_str() {
                READONLY => has_any(&granted, &[READONLY, MODIFY, FULL]),
                SEND => has_any(&granted, &[SEND, COMPOSE, MODIFY, FULL]),
                COMPOSE => has_any(&granted, &[COMPOSE, MODIFY, FULL]),
                MODIFY => has_any(&granted, &[MODIFY, FULL]),
                _ => granted.contains(scope),
            };
            if !satisfied {
                missing.push(scope.clone());
            }
        }
        Self {
            missing: missing.into_iter().collect(),
            excess: granted.difference(&planned),
            metadata_trap: granted.contains(&METADATA.into()) && has_any(&granted, &[READONLY, MODIFY, FULL]),
        }
    }

    /// Whether the workflows can run.
    pub fn is_sufficient(&self) -> bool {
        self.missing.is_empty() && !self.metadata_trap
    }
}

/// Expands the short forms `email` and `profile` to the long ones in which Google grants them, so that sets compare.
#[must_use]
pub fn normalize(scopes: &ScopeSet) -> ScopeSet {
    scopes
        .iter()
        .map(|scope| match scope.as_str() {
            "email" => EMAIL.into(),
            "profile" => PROFILE.into(),
            _ => scope.clone(),
        })
        .collect()
}

/// Scopes of which one must be granted for a method. The narrowest is named by [`narrowest`].
pub fn required(method: Method) -> ScopeSet {
    set(any_of(method))
}

/// The narrowest scope this crate would ask for to call a method: what an error names as missing.
pub const fn narrowest(method: Method) -> &'static str {
    match method {
        Method::Profile
        | Method::Watch
        | Method::Stop
        | Method::MessagesList
        | Method::MessagesSearch
        | Method::MessagesGet
        | Method::MessagesGetMetadata
        | Method::AttachmentsGet
        | Method::ThreadsList
        | Method::ThreadsSearch
        | Method::ThreadsGet
        | Method::ThreadsGetMetadata
        | Method::HistoryList
        | Method::SendAsList
        | Method::VacationGet => READONLY,
        Method::MessagesModify
        | Method::MessagesBatchModify
        | Method::MessagesTrash
        | Method::MessagesUntrash
        | Method::ThreadsModify
        | Method::ThreadsTrash
        | Method::ThreadsUntrash => MODIFY,
        Method::MessagesSend => SEND,
        Method::LabelsList | Method::LabelsGet => READONLY,
        Method::LabelsCreate | Method::LabelsPatch | Method::LabelsDelete => LABELS,
        Method::DraftsCreate
        | Method::DraftsUpdate
        | Method::DraftsList
        | Method::DraftsGet
        | Method::DraftsDelete
        | Method::DraftsSend => COMPOSE,
    }
}

/// What the granted scopes allow.
pub fn capabilities(granted: &ScopeSet) -> MailboxCapabilities {
    let granted = normalize(granted);
    let allows = |method| has_any(&granted, any_of(method));
    // A token that holds the metadata scope is refused search and content, whatever else it holds.
    let content = allows(Method::MessagesGet) && !granted.contains(&METADATA.into());
    let mut capabilities = MailboxCapabilities::default();
    capabilities.read = content;
    capabilities.search = content;
    capabilities.organize = allows(Method::MessagesModify);
    capabilities.draft = allows(Method::DraftsCreate);
    capabilities.send = allows(Method::MessagesSend);
    capabilities.reconcile = allows(Method::DraftsGet) && allows(Method::DraftsSend);
    capabilities
}

const fn any_of(method: Method) -> &'static [&'static str] {
    match method {
        Method::Profile => &[READONLY, METADATA, COMPOSE, MODIFY, FULL],
        Method::MessagesList
        | Method::MessagesGetMetadata
        | Method::ThreadsList
        | Method::ThreadsGetMetadata
        | Method::HistoryList
        | Method::Watch
        | Method::Stop => &[READONLY, METADATA, MODIFY, FULL],
        Method::MessagesSearch
        | Method::MessagesGet
        | Method::AttachmentsGet
        | Method::ThreadsSearch
        | Method::ThreadsGet => &[READONLY, MODIFY, FULL],
        Method::MessagesModify
        | Method::MessagesBatchModify
        | Method::MessagesTrash
        | Method::MessagesUntrash
        | Method::ThreadsModify
        | Method::ThreadsTrash
        | Method::ThreadsUntrash => &[MODIFY, FULL],
        Method::MessagesSend => &[SEND, COMPOSE, MODIFY, FULL],
        Method::LabelsList | Method::LabelsGet => &[LABELS, READONLY, METADATA, MODIFY, FULL],
        Method::LabelsCreate | Method::LabelsPatch | Method::LabelsDelete => &[LABELS, MODIFY, FULL],
        Method::DraftsList | Method::DraftsGet => &[READONLY, COMPOSE, MODIFY, FULL],
        Method::DraftsCreate | Method::DraftsUpdate | Method::DraftsDelete | Method::DraftsSend => {
            &[COMPOSE, MODIFY, FULL]
        }
        Method::SendAsList | Method::VacationGet => &[READONLY, SETTINGS_BASIC, MODIFY, FULL],
    }
}

fn has_any(granted: &ScopeSet, wanted: &[&str]) -> bool {
    wanted.iter().any(|scope| granted.contains(&Scope::from(*scope)))
}

fn set(scopes: &[&str]) -> ScopeSet {
    scopes.iter().copied().map(Scope::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_set_of_workflows_asks_for_the_narrowest_scopes() {
        use Workflow::{DraftReplies, Organize, SendReplies, Triage};
        let table: [(&[Workflow], &[&str]); 9] = [
            (&[], &[]),
            (&[Triage], &[READONLY]),
            (&[Organize], &[MODIFY]),
            (&[SendReplies], &[SEND]),
            (&[DraftReplies], &[COMPOSE]),
            (&[Triage, SendReplies], &[READONLY, SEND]),
            (&[Triage, DraftReplies], &[READONLY, COMPOSE]),
            (&[SendReplies, DraftReplies], &[COMPOSE]),
            (&[Triage, Organize, SendReplies, DraftReplies], &[MODIFY]),
        ];
        for (workflows, scopes) in table {
            let expected = set(scopes).union(&set(&[OPENID, EMAIL]));
            assert_eq!(plan(workflows), expected, "{workflows:?}");
            assert!(ScopeReport::compare(workflows, &expected).is_sufficient());
        }
    }

    #[test]
    fn grants_are_compared_both_ways() {
        let granted = ScopeSet::parse(&format!("openid email {MODIFY}"));
        let report = ScopeReport::compare(&[Workflow::Triage], &granted);
        assert!(report.is_sufficient());
        assert_eq!(report.excess, set(&[MODIFY]));

        let partial = ScopeSet::parse(&format!("openid {EMAIL}"));
        let report = ScopeReport::compare(&[Workflow::Organize], &partial);
        assert_eq!(report.missing, set(&[MODIFY]));
        assert!(!report.is_sufficient());

        let trapped = ScopeSet::parse(&format!("openid email {READONLY} {METADATA}"));
        let report = ScopeReport::compare(&[Workflow::Triage], &trapped);
        assert!(report.missing.is_empty() && report.metadata_trap && !report.is_sufficient());
    }

    #[test]
    fn capabilities_follow_the_grant() {
        let table = [
            (READONLY, [true, true, false, false, false, false]),
            (METADATA, [false, false, false, false, false, false]),
            (SEND, [false, false, false, false, true, false]),
            (COMPOSE, [false, false, false, true, true, true]),
            (MODIFY, [true, true, true, true, true, true]),
            (FULL, [true, true, true, true, true, true]),
        ];
        for (scope, expected) in table {
            let can = capabilities(&set(&[scope]));
            let found = [can.read, can.search, can.organize, can.draft, can.send, can.reconcile];
            assert_eq!(found, expected, "{scope}");
        }
        let trapped = capabilities(&set(&[MODIFY, METADATA]));
        assert!(!trapped.search && trapped.organize);
    }

    #[test]
    fn the_narrowest_scope_is_one_that_suffices() {
        for method in Method::ALL {
            assert!(required(*method).contains(&narrowest(*method).into()), "{method:?}");
        }
    }
}
