-- When the source of an alert was last heard of, where nothing else has changed since its state was written: a small row
-- instead of the whole document.
CREATE TABLE IF NOT EXISTS last_seen (
    alert CHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL PRIMARY KEY,
    document TEXT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
