//! Where the mock's answers differ from the recorded ones on purpose.

/// Differences with one reason.
#[derive(Debug)]
pub(crate) struct Intended {
    /// The cases that show them, each of them all.
    pub(crate) cases: &'static [&'static str],
    /// As the comparison words them: recorded → mock.
    pub(crate) differs: &'static [&'static str],
    /// Why the mock stays as it is.
    #[allow(dead_code, reason = "for whoever reads the table")]
    pub(crate) why: &'static str,
}

/// The one table of them.
pub(crate) const INTENDED: &[Intended] = &[
    // Emulate does less than Gmail.
    Intended {
        cases: &["profile", "vacation"],
        differs: &["status 404 → 200"],
        why: "emulate lacks the method",
    },
    Intended {
        cases: &["unknown-route"],
        differs: &[
            "status 404 → 501",
            "/message: only recorded",
            "/documentation_url: only recorded",
            "/error: only in the mock",
        ],
        why: "a path that the mock lacks says so, or a test would take it for an answer of Gmail's",
    },
    Intended {
        cases: &["send-no-recipient", "send-bad-base64"],
        differs: &["status 200 → 400"],
        why: "Gmail checks what it is to send (gmail-400-recipient-required, gmail-400-base64)",
    },
    Intended {
        cases: &["message-get-fields"],
        differs: &[
            "/threadId: only recorded",
            "/snippet: only recorded",
            "/historyId: only recorded",
            "/internalDate: only recorded",
            "/sizeEstimate: only recorded",
            "/payload: only recorded",
        ],
        why: "emulate ignores `fields`",
    },
    Intended {
        cases: &["token-basic-auth"],
        differs: &["status 401 → 200"],
        why: "Google takes client credentials from the header, as its discovery document says; emulate does not",
    },
    // Emulate answers under another status.
    Intended {
        cases: &["label-create-dup"],
        differs: &["status 400 → 409"],
        why: "Gmail answers 409 (gmail-409-label-conflict)",
    },
    Intended {
        cases: &["attachment-404"],
        differs: &["status 404 → 400"],
        why: "Gmail calls it an invalid attachment token (gmail-400-invalid-attachment-token)",
    },
    Intended {
        cases: &["user-mismatch"],
        differs: &["status 404 → 403"],
        why: "Gmail denies delegation (gmail-403-delegation-denied)",
    },
    Intended {
        cases: &["stop"],
        differs: &["status 200 → 204"],
        why: "Gmail answers 204 without a body",
    },
    Intended {
        cases: &["revoke-unknown"],
        differs: &[
            "status 200 → 400",
            "content type none → application/json; charset=utf-8",
        ],
        why: "Google answers 400 invalid_token (oauth-revoke-expired); emulate follows RFC 7009",
    },
    Intended {
        cases: &["revoke-access", "revoke-refresh"],
        differs: &["content type none → application/json; charset=utf-8", ": null → object"],
        why: "Google answers an empty object (oauth-revoke-success)",
    },
    Intended {
        cases: &["oauth-revoke-success"],
        differs: &["content type none → application/json; charset=utf-8"],
        why: "the source says nothing of the content type",
    },
    Intended {
        cases: &["oauth-revoke-expired"],
        differs: &["content type application/json → application/json; charset=utf-8"],
        why: "the source is a third party's; the token endpoint names the charset",
    },
    // Emulate says more than Gmail.
    Intended {
        cases: &["import", "message-modify", "send-reply", "upload-media"],
        differs: &[
            "/snippet: only recorded",
            "/historyId: only recorded",
            "/internalDate: only recorded",
            "/sizeEstimate: only recorded",
            "/payload: only recorded",
        ],
        why: "Gmail answers a change with id, threadId and labelIds only",
    },
    Intended {
        cases: &["draft-create", "draft-update"],
        differs: &[
            "/message/snippet: only recorded",
            "/message/historyId: only recorded",
            "/message/internalDate: only recorded",
            "/message/sizeEstimate: only recorded",
            "/message/payload: only recorded",
        ],
        why: "Gmail answers a change with id, threadId and labelIds of the message only",
    },
    Intended {
        cases: &["draft-send"],
        differs: &[
            "/snippet: only recorded",
            "/historyId: only recorded",
            "/internalDate: only recorded",
        ],
        why: "Gmail answers a send with id, threadId and labelIds only",
    },
    Intended {
        cases: &["message-get-metadata", "message-get-metadata-headers"],
        differs: &[
            "/payload/partId: only recorded",
            "/payload/filename: only recorded",
            "/payload/body: only recorded",
        ],
        why: "Gmail's metadata format has the MIME type and the headers of the payload only",
    },
    Intended {
        cases: &["thread-get-metadata"],
        differs: &[
            "/snippet: only recorded",
            "/messages[]/payload/partId: only recorded",
            "/messages[]/payload/filename: only recorded",
            "/messages[]/payload/body: only recorded",
        ],
        why: "the same for a thread, whose snippet only lists carry",
    },
    Intended {
        cases: &["history-after-modify"],
        differs: &[
            "/history[]/messages[]/labelIds: only recorded",
            "/history[]/messages[]/historyId: only recorded",
            "/history[]/messages[]/internalDate: only recorded",
            "/history[]/labelsAdded[]/message/historyId: only recorded",
            "/history[]/labelsAdded[]/message/internalDate: only recorded",
            "/history[]/labelsRemoved[]/message/historyId: only recorded",
            "/history[]/labelsRemoved[]/message/internalDate: only recorded",
        ],
        why: "Gmail's history names messages by id and threadId, with labelIds in the changes",
    },
    Intended {
        cases: &["history-empty-or-tail"],
        differs: &[
            "/history[]/messages[]/labelIds: only recorded",
            "/history[]/messages[]/historyId: only recorded",
            "/history[]/messages[]/internalDate: only recorded",
            "/history[]/messagesAdded[]/message/historyId: only recorded",
            "/history[]/messagesAdded[]/message/internalDate: only recorded",
        ],
        why: "Gmail's history names messages by id and threadId, with labelIds in the changes",
    },
    Intended {
        cases: &["label-create"],
        differs: &[
            "/messagesTotal: only recorded",
            "/messagesUnread: only recorded",
            "/threadsTotal: only recorded",
            "/threadsUnread: only recorded",
        ],
        why: "Gmail counts in labels.get only",
    },
    Intended {
        cases: &["labels-list"],
        differs: &[
            "/labels[]/messagesTotal: only recorded",
            "/labels[]/messagesUnread: only recorded",
            "/labels[]/threadsTotal: only recorded",
            "/labels[]/threadsUnread: only recorded",
        ],
        why: "Gmail counts in labels.get only",
    },
    Intended {
        cases: &["label-get"],
        differs: &[
            "/messageListVisibility: only recorded",
            "/labelListVisibility: only recorded",
        ],
        why: "Gmail's INBOX cannot be hidden and says nothing of it",
    },
    Intended {
        cases: &["attachment-get"],
        differs: &["/attachmentId: only recorded"],
        why: "Gmail answers size and data only",
    },
    Intended {
        cases: &["messages-list-empty"],
        differs: &["/messages: only recorded"],
        why: "Gmail leaves empty lists out",
    },
    // Google says more than emulate, or than the source of a known answer.
    Intended {
        cases: &["gmail-401-no-header", "gmail-401-revoked-access"],
        differs: &[
            "/error/errors[]/location: only in the mock",
            "/error/errors[]/locationType: only in the mock",
        ],
        why: "Google points at the header (gmail-401-unauthenticated)",
    },
    Intended {
        cases: &["token-refresh", "oauth-token-refresh-success"],
        differs: &["/id_token: only in the mock"],
        why: "Google gives an id token at a refresh too where openid was granted",
    },
    Intended {
        cases: &["userinfo"],
        differs: &["/locale: only recorded", "/picture: null → string"],
        why: "every Google account has a picture; locale is optional, and clients must do without",
    },
    Intended {
        cases: &["gmail-400-base64"],
        differs: &["/error/errors: only in the mock", "/error/status: only in the mock"],
        why: "the source quotes code and message only",
    },
    Intended {
        cases: &[
            "gmail-400-missing-start-history-id",
            "gmail-401-auth-error",
            "gmail-403-daily-limit",
            "gmail-403-domain-policy",
            "gmail-500-backend-error",
        ],
        differs: &["/error/status: only in the mock"],
        why: "the sources are older than the canonical status, which every recorded error of today has",
    },
    Intended {
        cases: &["gmail-403-insufficient-scope"],
        differs: &["/error/details[]/metadata: only in the mock"],
        why: "ErrorInfo has metadata; the source leaves them out",
    },
    Intended {
        cases: &["gmail-409-label-conflict"],
        differs: &["/error/errors/0/reason: \"duplicate\" → \"aborted\""],
        why: "seen as duplicate, aborted, conflict and alreadyExists: clients must go by the status",
    },
];
