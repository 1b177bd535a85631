-- What came of requests whose senders may ask, as far as the history of an alert does not tell it.
CREATE TABLE IF NOT EXISTS request_outcomes (
    event_id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    outcome VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    INDEX request_outcomes_by_age (at)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

CREATE TABLE IF NOT EXISTS saved_searches (
    integration_hash CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    name_hash CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    id CHAR(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL UNIQUE,
    document LONGTEXT NOT NULL,
    PRIMARY KEY (integration_hash, name_hash)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;

-- The content is base64.
CREATE TABLE IF NOT EXISTS attachments (
    fingerprint CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    id BIGINT NOT NULL,
    integration_hash CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
    bytes BIGINT NOT NULL,
    name LONGTEXT NOT NULL,
    content LONGTEXT NOT NULL,
    PRIMARY KEY (fingerprint, id),
    INDEX attachments_of_integration (integration_hash, bytes)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
