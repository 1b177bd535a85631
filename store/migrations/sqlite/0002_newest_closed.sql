-- The list of what has closed begins with what has closed last. What is open costs nothing here.
CREATE INDEX alerts_newest_closed ON alerts (status, closed_at, fingerprint) WHERE closed_at IS NOT NULL;
