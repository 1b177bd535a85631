-- Whose messages they are. None: the daemon's, as before there were others.
ALTER TABLE outbox ADD COLUMN IF NOT EXISTS scope VARCHAR(100) CHARACTER SET ascii;
