-- Times are microseconds since 1970 UTC. Documents are JSON. An endpoint (a destination and its bot) stands in keys as a hash.
--
-- Fingerprints come in no order, and a table or index in their order has many pages changed by each commit. So
-- there is only one of them, and what belongs to an alert is kept under a number that grows with each new alert.

CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL UNIQUE,
    partition_number INTEGER NOT NULL,
    status TEXT NOT NULL,
    environment TEXT NOT NULL,
    severity INTEGER NOT NULL,
    operator_state TEXT NOT NULL,
    opened_at INTEGER NOT NULL,
    changed_at INTEGER NOT NULL,
    closed_at INTEGER,
    due_at INTEGER,
    due_kind TEXT,
    document TEXT NOT NULL
);
CREATE INDEX alerts_newest ON alerts (status, opened_at, fingerprint);
CREATE INDEX alerts_newest_of_environment ON alerts (environment, status, opened_at, fingerprint);
CREATE INDEX alerts_due ON alerts (partition_number, due_at, fingerprint) WHERE due_at IS NOT NULL;

CREATE TABLE history (
    alert INTEGER NOT NULL,
    sequence INTEGER NOT NULL,
    at INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (alert, sequence)
) WITHOUT ROWID;

CREATE TABLE ledger (
    alert INTEGER NOT NULL,
    episode INTEGER NOT NULL,
    channel TEXT NOT NULL,
    endpoint_hash TEXT NOT NULL,
    state TEXT NOT NULL,
    settled INTEGER NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (alert, episode, channel, endpoint_hash)
) WITHOUT ROWID;

-- AUTOINCREMENT, so that the id of a removed row never comes back.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    partition_number INTEGER NOT NULL,
    continues INTEGER,
    messages TEXT NOT NULL
);
CREATE INDEX outbox_of_partition ON outbox (partition_number, id);
CREATE INDEX outbox_parts ON outbox (continues) WHERE continues IS NOT NULL;

CREATE TABLE claims (
    scope TEXT NOT NULL,
    partition_number INTEGER NOT NULL,
    epoch INTEGER NOT NULL,
    owner TEXT NOT NULL,
    commits INTEGER NOT NULL,
    PRIMARY KEY (scope, partition_number)
);

CREATE TABLE positions (
    scope TEXT NOT NULL,
    partition_number INTEGER NOT NULL,
    topic TEXT NOT NULL,
    next_offset INTEGER NOT NULL,
    PRIMARY KEY (scope, partition_number, topic)
);

-- The id is the order in which deliveries were accepted.
CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    notification_id TEXT NOT NULL UNIQUE,
    scope TEXT NOT NULL,
    partition_number INTEGER NOT NULL,
    fingerprint TEXT NOT NULL,
    episode INTEGER NOT NULL,
    channel TEXT NOT NULL,
    endpoint_hash TEXT NOT NULL,
    kind TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    state TEXT NOT NULL,
    unfinished INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_attempt_at INTEGER NOT NULL,
    reference TEXT,
    receipt TEXT,
    document TEXT NOT NULL
);
CREATE INDEX deliveries_unfinished ON deliveries (scope, partition_number, id) WHERE unfinished = 1;
CREATE INDEX deliveries_of_alert ON deliveries (fingerprint, episode, channel, endpoint_hash);
CREATE INDEX deliveries_by_age ON deliveries (created_at);

CREATE TABLE site (
    key_hash TEXT NOT NULL PRIMARY KEY,
    entry_key TEXT NOT NULL,
    document TEXT NOT NULL
);

CREATE TABLE site_revision (
    id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    published_revision INTEGER NOT NULL
);
INSERT INTO site_revision (id, revision, published_revision) VALUES (1, 0, -1);
