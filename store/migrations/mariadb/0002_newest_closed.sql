-- The list of what has closed begins with what has closed last.
CREATE INDEX IF NOT EXISTS alerts_newest_closed ON alerts (status, closed_at, fingerprint);
