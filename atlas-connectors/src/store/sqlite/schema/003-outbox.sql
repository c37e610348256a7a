-- Intents, spent approvals and the audit chain. Times are milliseconds since 1970.
CREATE TABLE intents (
    -- Order of proposals; never used again.
    sequence       INTEGER PRIMARY KEY AUTOINCREMENT,
    intent         TEXT    NOT NULL UNIQUE,
    tenant         TEXT    NOT NULL,
    connection     TEXT    NOT NULL,
    kind           TEXT    NOT NULL,
    -- The caller's idempotency key.
    key            TEXT    NOT NULL,
    -- Digest of the action alone, and whether equal content means the same effect.
    content        TEXT    NOT NULL,
    unique_content INTEGER NOT NULL,
    state          TEXT    NOT NULL,
    version        INTEGER NOT NULL,
    automatic      INTEGER NOT NULL,
    created        INTEGER NOT NULL,
    expires        INTEGER NOT NULL,
    available      INTEGER NOT NULL,
    lease_until    INTEGER,
    unannounced    INTEGER NOT NULL,
    sweep          INTEGER NOT NULL,
    -- The sealed action.
    payload        BLOB    NOT NULL,
    -- The whole row but for the payload, as JSON of ids, digests and times.
    row            TEXT    NOT NULL,
    UNIQUE (tenant, connection, key)
) STRICT;

-- One effect for one content: two deliveries of one notification cannot become two mails.
CREATE UNIQUE INDEX intents_content ON intents (tenant, connection, content)
    WHERE unique_content = 1 AND state NOT IN ('not_sent', 'cancelled');
CREATE INDEX intents_due ON intents (state, available);
CREATE INDEX intents_sweep ON intents (available) WHERE sweep = 1;
CREATE INDEX intents_unannounced ON intents (sequence) WHERE unannounced = 1;
CREATE INDEX intents_automatic ON intents (tenant, connection, kind, created);

-- Approvals are used once: the nonce goes in with the claim.
CREATE TABLE spent_approvals (
    nonce  TEXT NOT NULL PRIMARY KEY,
    intent TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- Append only. Each link holds the hash of the one before; `event` is JSON.
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY,
    previous TEXT    NOT NULL,
    event    TEXT    NOT NULL,
    hash     TEXT    NOT NULL
) STRICT;
CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'append only'); END;
CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, 'append only'); END;

-- One row: the end of the audit apart from its links, the latest time ever written, and the number of the store's life.
CREATE TABLE outbox_marks (
    only        INTEGER PRIMARY KEY CHECK (only = 1),
    head        INTEGER NOT NULL,
    head_hash   TEXT    NOT NULL,
    latest      INTEGER NOT NULL,
    generation  INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_marks (only, head, head_hash, latest, generation)
    VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000', 0, 1);
