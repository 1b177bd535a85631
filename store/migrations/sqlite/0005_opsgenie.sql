-- What came of requests whose senders may ask, as far as the history of an alert does not tell it.
CREATE TABLE request_outcomes (
    event_id TEXT NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    outcome TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX request_outcomes_by_age ON request_outcomes (at);

CREATE TABLE saved_searches (
    integration_hash TEXT NOT NULL,
    name_hash TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    document TEXT NOT NULL,
    PRIMARY KEY (integration_hash, name_hash)
) WITHOUT ROWID;

-- The content is base64.
CREATE TABLE attachments (
    fingerprint TEXT NOT NULL,
    id INTEGER NOT NULL,
    integration_hash TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    name TEXT NOT NULL,
    content TEXT NOT NULL,
    PRIMARY KEY (fingerprint, id)
);
CREATE INDEX attachments_of_integration ON attachments (integration_hash, bytes);
