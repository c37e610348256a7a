-- Sealed credentials, leases and fences. One row for each secret of each connection; it stays when the secret is erased.
CREATE TABLE credentials (
    tenant      TEXT    NOT NULL,
    connection  TEXT    NOT NULL,
    field       TEXT    NOT NULL,
    -- The oldest epoch that may still write: that of the secret, or of the tombstone.
    epoch       INTEGER NOT NULL,
    -- Raised by each write; 0 when there is no secret.
    version     INTEGER NOT NULL,
    key_id      TEXT,
    envelope    BLOB,
    -- Number of the newest lease; never goes back.
    fence       INTEGER NOT NULL DEFAULT 0,
    holder      TEXT,
    -- Milliseconds since 1970.
    lease_from  INTEGER,
    lease_until INTEGER,
    PRIMARY KEY (tenant, connection, field),
    CHECK ((version = 0) = (envelope IS NULL) AND (version = 0) = (key_id IS NULL)),
    CHECK ((holder IS NULL) = (lease_from IS NULL) AND (holder IS NULL) = (lease_until IS NULL))
) STRICT, WITHOUT ROWID;
