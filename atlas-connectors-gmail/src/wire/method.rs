//! Every method this crate calls, with what must be known about it beside its address.

use atlas_connectors::error::OperationClass;
use atlas_connectors::http::CallClass;

/// A method of the Gmail API. A method that needs other scopes with other parameters appears once for each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Method {
    /// `users.getProfile`
    Profile,
    /// `users.watch`
    Watch,
    /// `users.stop`
    Stop,
    /// `users.messages.list` without `q`
    MessagesList,
    /// `users.messages.list` with `q`
    MessagesSearch,
    /// `users.messages.get` in format `full` or `raw`
    MessagesGet,
    /// `users.messages.get` in format `metadata` or `minimal`
    MessagesGetMetadata,
    /// `users.messages.modify`
    MessagesModify,
    /// `users.messages.batchModify`
    MessagesBatchModify,
    /// `users.messages.trash`
    MessagesTrash,
    /// `users.messages.untrash`
    MessagesUntrash,
    /// `users.messages.send`
    MessagesSend,
    /// `users.messages.attachments.get`
    AttachmentsGet,
    /// `users.threads.list` without `q`
    ThreadsList,
    /// `users.threads.list` with `q`
    ThreadsSearch,
    /// `users.threads.get` in format `full`
    ThreadsGet,
    /// `users.threads.get` in format `metadata` or `minimal`
    ThreadsGetMetadata,
    /// `users.threads.modify`
    ThreadsModify,
    /// `users.threads.trash`
    ThreadsTrash,
    /// `users.threads.untrash`
    ThreadsUntrash,
    /// `users.history.list`
    HistoryList,
    /// `users.labels.list`
    LabelsList,
    /// `users.labels.get`
    LabelsGet,
    /// `users.labels.create`
    LabelsCreate,
    /// `users.labels.patch`
    LabelsPatch,
    /// `users.labels.delete`
    LabelsDelete,
    /// `users.drafts.create`
    DraftsCreate,
    /// `users.drafts.update`
    DraftsUpdate,
    /// `users.drafts.list`
    DraftsList,
    /// `users.drafts.get`
    DraftsGet,
    /// `users.drafts.delete`
    DraftsDelete,
    /// `users.drafts.send`
    DraftsSend,
    /// `users.settings.sendAs.list`
    SendAsList,
    /// `users.settings.getVacation`
    VacationGet,
}

impl Method {
    /// All methods, for tables and tests.
    pub const ALL: &'static [Self] = &[
        Self::Profile,
        Self::Watch,
        Self::Stop,
        Self::MessagesList,
        Self::MessagesSearch,
        Self::MessagesGet,
        Self::MessagesGetMetadata,
        Self::MessagesModify,
        Self::MessagesBatchModify,
        Self::MessagesTrash,
        Self::MessagesUntrash,
        Self::MessagesSend,
        Self::AttachmentsGet,
        Self::ThreadsList,
        Self::ThreadsSearch,
        Self::ThreadsGet,
        Self::ThreadsGetMetadata,
        Self::ThreadsModify,
        Self::ThreadsTrash,
        Self::ThreadsUntrash,
        Self::HistoryList,
        Self::LabelsList,
        Self::LabelsGet,
        Self::LabelsCreate,
        Self::LabelsPatch,
        Self::LabelsDelete,
        Self::DraftsCreate,
        Self::DraftsUpdate,
        Self::DraftsList,
        Self::DraftsGet,
        Self::DraftsDelete,
        Self::DraftsSend,
        Self::SendAsList,
        Self::VacationGet,
    ];

    /// Stable name, also the span's after `atlas.`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Profile => "gmail.getProfile",
            Self::Watch => "gmail.watch",
            Self::Stop => "gmail.stop",
            Self::MessagesList | Self::MessagesSearch => "gmail.messages.list",
            Self::MessagesGet | Self::MessagesGetMetadata => "gmail.messages.get",
            Self::MessagesModify => "gmail.messages.modify",
            Self::MessagesBatchModify => "gmail.messages.batchModify",
            Self::MessagesTrash => "gmail.messages.trash",
            Self::MessagesUntrash => "gmail.messages.untrash",
            Self::MessagesSend => "gmail.messages.send",
            Self::AttachmentsGet => "gmail.messages.attachments.get",
            Self::ThreadsList | Self::ThreadsSearch => "gmail.threads.list",
            Self::ThreadsGet | Self::ThreadsGetMetadata => "gmail.threads.get",
            Self::ThreadsModify => "gmail.threads.modify",
            Self::ThreadsTrash => "gmail.threads.trash",
            Self::ThreadsUntrash => "gmail.threads.untrash",
            Self::HistoryList => "gmail.history.list",
            Self::LabelsList => "gmail.labels.list",
            Self::LabelsGet => "gmail.labels.get",
            Self::LabelsCreate => "gmail.labels.create",
            Self::LabelsPatch => "gmail.labels.patch",
            Self::LabelsDelete => "gmail.labels.delete",
            Self::DraftsCreate => "gmail.drafts.create",
            Self::DraftsUpdate => "gmail.drafts.update",
            Self::DraftsList => "gmail.drafts.list",
            Self::DraftsGet => "gmail.drafts.get",
            Self::DraftsDelete => "gmail.drafts.delete",
            Self::DraftsSend => "gmail.drafts.send",
            Self::SendAsList => "gmail.settings.sendAs.list",
            Self::VacationGet => "gmail.settings.getVacation",
        }
    }

    /// The method of this name; where two share it, the one that needs more.
    pub fn of_name(name: &str) -> Option<Self> {
        let wider = |method: &&Self| {
            !matches!(
                method,
                Self::MessagesList | Self::ThreadsList | Self::MessagesGetMetadata | Self::ThreadsGetMetadata
            )
        };
        Self::ALL
            .iter()
            .filter(wider)
            .find(|method| method.name() == name)
            .copied()
    }

    /// Whether it may be repeated. Whatever changes something counts as an effect, also where repeating would be
    /// harmless: repeating is for the outbox to decide.
    pub const fn class(self) -> CallClass {
        match self.operation_class() {
            OperationClass::Read => CallClass::Read,
            _ => CallClass::Effect,
        }
    }

    /// What kind of work it is.
    pub const fn operation_class(self) -> OperationClass {
        match self {
            Self::Profile
            | Self::MessagesList
            | Self::MessagesSearch
            | Self::MessagesGet
            | Self::MessagesGetMetadata
            | Self::AttachmentsGet
            | Self::ThreadsList
            | Self::ThreadsSearch
            | Self::ThreadsGet
            | Self::ThreadsGetMetadata
            | Self::HistoryList
            | Self::LabelsList
            | Self::LabelsGet
            | Self::DraftsList
            | Self::DraftsGet
            | Self::SendAsList
            | Self::VacationGet => OperationClass::Read,
            Self::MessagesSend | Self::DraftsSend => OperationClass::Send,
            Self::Watch
            | Self::Stop
            | Self::MessagesModify
            | Self::MessagesBatchModify
            | Self::MessagesTrash
            | Self::MessagesUntrash
            | Self::ThreadsModify
            | Self::ThreadsTrash
            | Self::ThreadsUntrash
            | Self::LabelsCreate
            | Self::LabelsPatch
            | Self::LabelsDelete
            | Self::DraftsCreate
            | Self::DraftsUpdate
            | Self::DraftsDelete => OperationClass::Write,
        }
    }

    /// The kind of object it works on, as errors name it.
    pub const fn object(self) -> &'static str {
        match self {
            Self::Profile | Self::Watch | Self::Stop | Self::HistoryList => "mailbox",
            Self::MessagesList
            | Self::MessagesSearch
            | Self::MessagesGet
            | Self::MessagesGetMetadata
            | Self::MessagesModify
            | Self::MessagesBatchModify
            | Self::MessagesTrash
            | Self::MessagesUntrash => "message",
            // A send names no message, only the thread it is to join.
            Self::MessagesSend => "thread",
            Self::AttachmentsGet => "attachment",
            Self::ThreadsList
            | Self::ThreadsSearch
            | Self::ThreadsGet
            | Self::ThreadsGetMetadata
            | Self::ThreadsModify
            | Self::ThreadsTrash
            | Self::ThreadsUntrash => "thread",
            Self::LabelsList | Self::LabelsGet | Self::LabelsCreate | Self::LabelsPatch | Self::LabelsDelete => "label",
            Self::DraftsCreate
            | Self::DraftsUpdate
            | Self::DraftsList
            | Self::DraftsGet
            | Self::DraftsDelete
            | Self::DraftsSend => "draft",
            Self::SendAsList | Self::VacationGet => "setting",
        }
    }

    /// What it does with the object, as errors name it.
    pub const fn verb(self) -> &'static str {
        match self.operation_class() {
            OperationClass::Read => "read",
            OperationClass::Send => "send",
            _ => "change",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_back_to_the_method_that_needs_more() {
        assert_eq!(Method::of_name("gmail.messages.get"), Some(Method::MessagesGet));
        assert_eq!(Method::of_name("gmail.messages.list"), Some(Method::MessagesSearch));
        assert_eq!(Method::of_name("gmail.nothing"), None);
        for method in Method::ALL {
            let back = Method::of_name(method.name()).unwrap();
            assert_eq!(back.class(), method.class());
        }
    }
}
