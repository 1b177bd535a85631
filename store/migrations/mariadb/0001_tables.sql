-- Times are microseconds since 1970 UTC. Documents are JSON. An endpoint (a destination and its bot) stands in keys as a hash.
-- DDL commits by itself here, so every statement can be repeated after a crash in the middle.

CREATE TABLE IF NOT EXISTS alerts (
    fingerprint CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    partition_number BIGINT NOT NULL,
    status VARCHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    environment VARCHAR(191) NOT NULL,
    severity BIGINT NOT NULL,
    operator_state VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    opened_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    closed_at BIGINT,
    due_at BIGINT,
    due_kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin,
    document LONGTEXT NOT NULL,
    INDEX alerts_newest (status, opened_at, fingerprint),
    INDEX alerts_newest_of_environment (environment, status, opened_at, fingerprint),
    INDEX alerts_open (status, fingerprint),
    INDEX alerts_due (partition_number, due_at, fingerprint)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS history (
    alert CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    sequence BIGINT NOT NULL,
    at BIGINT NOT NULL,
    document LONGTEXT NOT NULL,
    PRIMARY KEY (alert, sequence)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS ledger (
    alert CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    episode BIGINT NOT NULL,
    channel VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    endpoint_hash CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    state VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    settled INT NOT NULL,
    document LONGTEXT NOT NULL,
    PRIMARY KEY (alert, episode, channel, endpoint_hash)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS outbox (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    partition_number BIGINT NOT NULL,
    continues BIGINT,
    messages LONGTEXT NOT NULL,
    INDEX outbox_of_partition (partition_number, id),
    INDEX outbox_parts (continues)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS claims (
    scope VARCHAR(100) NOT NULL,
    partition_number BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    owner TEXT NOT NULL,
    commits BIGINT NOT NULL,
    PRIMARY KEY (scope, partition_number)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS positions (
    scope VARCHAR(100) NOT NULL,
    partition_number BIGINT NOT NULL,
    topic VARCHAR(100) NOT NULL,
    next_offset BIGINT NOT NULL,
    PRIMARY KEY (scope, partition_number, topic)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- The id is the order in which deliveries were accepted.
CREATE TABLE IF NOT EXISTS deliveries (
    id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY,
    notification_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
    scope VARCHAR(100) NOT NULL,
    partition_number BIGINT NOT NULL,
    fingerprint CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    episode BIGINT NOT NULL,
    channel VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    endpoint_hash CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    kind VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    created_at BIGINT NOT NULL,
    state VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    unfinished INT NOT NULL,
    attempts BIGINT NOT NULL,
    next_attempt_at BIGINT NOT NULL,
    reference LONGTEXT,
    receipt LONGTEXT,
    document LONGTEXT NOT NULL,
    INDEX deliveries_unfinished (scope, partition_number, unfinished, id),
    INDEX deliveries_of_alert (fingerprint, episode, channel, endpoint_hash),
    INDEX deliveries_by_age (created_at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS site (
    key_hash CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    entry_key LONGTEXT NOT NULL,
    document LONGTEXT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS site_revision (
    id BIGINT NOT NULL PRIMARY KEY,
    revision BIGINT NOT NULL,
    published_revision BIGINT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
INSERT IGNORE INTO site_revision (id, revision, published_revision) VALUES (1, 0, -1);
