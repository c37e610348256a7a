//! Scopes: which a workflow needs, which an operation needs, and what was granted beyond that.
//!
//! Source: `gmail.md`, section 5, and the Gmail discovery document (revision 20261005).

use atlas_connectors::mail::MailboxCapabilities;
use atlas_connectors::oauth::{Scope, ScopeSet, Workflow};

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
/// Writes of sensitive settings, for delegated service accounts only. Never asked for.
pub const SETTINGS_SHARING: &str = "https://www.googleapis.com/auth/gmail.settings.sharing";
/// Import and insert of mail. Never asked for.
pub const INSERT: &str = "https://www.googleapis.com/auth/gmail.insert";
/// Everything, permanent deletion, IMAP and SMTP. Never asked for.
pub const FULL: &str = "https://mail.google.com/";
/// What all scopes of Gmail but [`FULL`] begin with.
const GMAIL: &str = "https://www.googleapis.com/auth/gmail.";
/// Sign-in.
pub const OPENID: &str = "openid";
/// The address of the account, in the long form in which Google grants it.
pub const EMAIL: &str = "https://www.googleapis.com/auth/userinfo.email";
/// Name and picture, in the long form.
pub const PROFILE: &str = "https://www.googleapis.com/auth/userinfo.profile";

/// The narrowest scopes for these workflows together, without those of sign-in. Workflows that are not about mail need
/// nothing here.
///
/// ```
/// use atlas_connectors::oauth::{ScopeSet, Workflow};
/// use atlas_connectors_gmail::scopes;
///
/// let asked = scopes::for_workflows(&[Workflow::Triage, Workflow::ApprovedReplies]);
/// assert_eq!(asked, ScopeSet::parse(&[scopes::READONLY, scopes::SEND].join(" ")));
/// ```
pub fn for_workflows(workflows: &[Workflow]) -> ScopeSet {
    let wants = |workflow| workflows.contains(&workflow);
    if wants(Workflow::InboxManagement) {
        // It includes reading, drafts and sending: any further scope would only widen the consent page.
        return set(&[MODIFY]);
    }
    let mut scopes = Vec::new();
    if wants(Workflow::Triage) {
        scopes.push(READONLY);
    }
    if wants(Workflow::DraftedReplies) {
        scopes.push(COMPOSE);
    } else if wants(Workflow::ApprovedReplies) {
        scopes.push(SEND);
    }
    set(&scopes)
}

/// Whether holding the one scope allows everything that the other does.
pub fn implies(held: &str, needed: &str) -> bool {
    held == needed
        || match held {
            FULL => needed.starts_with(GMAIL) && needed != SETTINGS_SHARING,
            MODIFY => matches!(needed, READONLY | METADATA | COMPOSE | SEND | LABELS | INSERT),
            COMPOSE => needed == SEND,
            READONLY => needed == METADATA,
            _ => false,
        }
}

/// Whether `gmail.metadata` was granted beside a scope that reads content. Gmail then refuses search and content although
/// the other scope allows them: revoke, and sign in again without it.
pub fn is_metadata_trap(granted: &ScopeSet) -> bool {
    granted.contains(&METADATA.into()) && has_any(granted, &[READONLY, MODIFY, FULL])
}

/// Expands the short forms `email` and `profile` to the long ones in which Google grants them, so that sets compare.
#[must_use]
pub fn normalize(scope: &Scope) -> Scope {
    match scope.as_str() {
        "email" => EMAIL.into(),
        "profile" => PROFILE.into(),
        _ => scope.clone(),
    }
}

/// Scopes of which one must be granted for a method. The narrowest is named by [`narrowest`].
pub fn required(method: Method) -> ScopeSet {
    set(any_of(method))
}

/// Whether the granted scopes open a method.
pub(crate) fn allows(granted: &ScopeSet, method: Method) -> bool {
    has_any(granted, any_of(method))
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
    let allows = |method| allows(granted, method);
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
        use Workflow::{ApprovedReplies, DraftedReplies, InboxManagement, Triage};
        let table: [(&[Workflow], &[&str]); 9] = [
            (&[], &[]),
            (&[Triage], &[READONLY]),
            (&[InboxManagement], &[MODIFY]),
            (&[ApprovedReplies], &[SEND]),
            (&[DraftedReplies], &[COMPOSE]),
            (&[Triage, ApprovedReplies], &[READONLY, SEND]),
            (&[Triage, DraftedReplies], &[READONLY, COMPOSE]),
            (&[ApprovedReplies, DraftedReplies], &[COMPOSE]),
            (&[Triage, InboxManagement, ApprovedReplies, DraftedReplies], &[MODIFY]),
        ];
        for (workflows, scopes) in table {
            assert_eq!(for_workflows(workflows), set(scopes), "{workflows:?}");
        }
    }

    #[test]
    fn a_wider_scope_implies_what_it_opens_everywhere() {
        let all = [
            READONLY,
            MODIFY,
            COMPOSE,
            SEND,
            METADATA,
            LABELS,
            INSERT,
            SETTINGS_BASIC,
            FULL,
        ];
        for held in all {
            for needed in all.into_iter().filter(|needed| implies(held, needed)) {
                for method in Method::ALL {
                    let opens = |scope| any_of(*method).contains(&scope);
                    assert!(opens(held) || !opens(needed), "{held} for {needed} at {method:?}");
                }
            }
        }
        assert!(!implies(FULL, SETTINGS_SHARING) && !implies(SEND, COMPOSE));
    }

    #[test]
    fn metadata_beside_another_reading_scope_is_a_trap() {
        assert!(is_metadata_trap(&set(&[READONLY, METADATA])));
        assert!(!is_metadata_trap(&set(&[METADATA])));
        assert!(!is_metadata_trap(&set(&[READONLY])));
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
