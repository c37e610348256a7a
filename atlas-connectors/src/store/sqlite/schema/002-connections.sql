-- Connections. Everything but the secrets; what is searched for stands in columns, the rest in the body.
CREATE TABLE connections (
    tenant      TEXT    NOT NULL,
    connection  TEXT    NOT NULL,
    epoch       INTEGER NOT NULL,
    -- Raised by each write.
    version     INTEGER NOT NULL,
    -- Milliseconds since 1970.
    created     INTEGER NOT NULL,
    -- The grant that its credential is part of; client and subject are NULL while it holds none.
    provider    TEXT    NOT NULL,
    client      TEXT,
    subject     TEXT,
    -- JSON.
    body        TEXT    NOT NULL,
    PRIMARY KEY (tenant, connection)
) STRICT, WITHOUT ROWID;

CREATE INDEX connections_by_grant ON connections (subject, client, provider) WHERE subject IS NOT NULL;

-- Open sign-in flows, by the digest of their state. A row is taken once.
CREATE TABLE sign_in_flows (
    state       TEXT    NOT NULL PRIMARY KEY,
    tenant      TEXT    NOT NULL,
    connection  TEXT    NOT NULL,
    -- Milliseconds since 1970.
    expires     INTEGER NOT NULL,
    -- Sealed: verifier, nonce, who began it, what was asked for.
    envelope    BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX sign_in_flows_by_expiry ON sign_in_flows (expires);
