-- Mailboxes: position, lease, pause. Its messages, those that failed, and the sealed content of the embedded inbox.
CREATE TABLE mailboxes (
    id          INTEGER PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    connection  TEXT    NOT NULL,
    -- The oldest epoch that may still write.
    epoch       INTEGER NOT NULL DEFAULT 0,
    paused      INTEGER NOT NULL DEFAULT 0,
    -- Number of the newest lease; its holder and times are NULL while nobody holds it.
    fence       INTEGER NOT NULL DEFAULT 0,
    holder      TEXT,
    lease_from  INTEGER,
    lease_until INTEGER,
    -- JSON; NULL before the first sync.
    state       TEXT,
    UNIQUE (tenant, connection)
) STRICT;

CREATE TABLE messages (
    id               INTEGER PRIMARY KEY,
    mailbox          INTEGER NOT NULL,
    message          TEXT    NOT NULL,
    thread           TEXT    NOT NULL,
    -- Milliseconds since 1970.
    received         INTEGER NOT NULL,
    -- Each label between two U+001F.
    labels           TEXT    NOT NULL,
    -- The listing under which the row was touched last.
    generation       INTEGER NOT NULL,
    -- NULL where the host keeps the mail itself.
    subject          TEXT,
    sender           TEXT,
    -- Folded for search.
    subject_key      TEXT,
    participants_key TEXT,
    UNIQUE (mailbox, message)
) STRICT;

CREATE INDEX messages_by_time ON messages (mailbox, received, message);
CREATE INDEX messages_by_thread ON messages (mailbox, thread, received, message);

-- Apart from the rows that lists and search walk over.
CREATE TABLE message_bodies (
    id      INTEGER PRIMARY KEY REFERENCES messages (id) ON DELETE CASCADE,
    -- The whole parsed message.
    sealed  BLOB NOT NULL
) STRICT;

CREATE TABLE message_faults (
    mailbox     INTEGER NOT NULL,
    message     TEXT    NOT NULL,
    thread      TEXT    NOT NULL,
    attempts    INTEGER NOT NULL,
    reason      TEXT    NOT NULL,
    first_at    INTEGER NOT NULL,
    last_at     INTEGER NOT NULL,
    quarantined INTEGER NOT NULL,
    PRIMARY KEY (mailbox, message)
) STRICT, WITHOUT ROWID;
