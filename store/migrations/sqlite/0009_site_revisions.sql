-- Each version of an entry of the site, with the revisions in which it holds: from the first of them, and before the one
-- that changed or removed it. What holds now ends at the greatest number.
CREATE TABLE site_versions (
    key_hash TEXT NOT NULL,
    since_revision INTEGER NOT NULL,
    until_revision INTEGER NOT NULL,
    entry_key TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (key_hash, since_revision)
);
INSERT INTO site_versions (key_hash, since_revision, until_revision, entry_key, document)
    SELECT key_hash, 0, 9223372036854775807, entry_key, document FROM site;
DROP TABLE site;
ALTER TABLE site_versions RENAME TO site;
CREATE INDEX site_by_end ON site (until_revision);

-- Who made a revision, and when. The document is a principal.
CREATE TABLE site_revisions (
    revision INTEGER NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    document TEXT NOT NULL
);
