-- When the source of an alert was last heard of, where nothing else has changed since its state was written: a small row
-- instead of the whole document.
CREATE TABLE last_seen (
    alert INTEGER NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
);
