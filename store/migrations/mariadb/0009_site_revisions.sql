-- Each version of an entry of the site, with the revisions in which it holds: from the first of them, and before the one
-- that changed or removed it. What holds now ends at the greatest number.
ALTER TABLE site
    ADD COLUMN IF NOT EXISTS since_revision BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN IF NOT EXISTS until_revision BIGINT NOT NULL DEFAULT 9223372036854775807,
    DROP PRIMARY KEY,
    ADD PRIMARY KEY (key_hash, since_revision);
CREATE INDEX IF NOT EXISTS site_by_end ON site (until_revision);

-- Who made a revision, and when. The document is a principal.
CREATE TABLE IF NOT EXISTS site_revisions (
    revision BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL,
    document LONGTEXT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
