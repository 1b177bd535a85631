-- Each index holds all that lists are filtered by, so a list reads the documents of its page and no others.
CREATE INDEX alerts_by_opening
    ON alerts (status, opened_at, fingerprint, environment, severity, operator_state);
CREATE INDEX alerts_by_closing
    ON alerts (status, closed_at, fingerprint, environment, severity, operator_state) WHERE closed_at IS NOT NULL;
-- For the rebuild of the view, which reads in the order of the fingerprints: it holds only what is open.
CREATE INDEX alerts_open ON alerts (fingerprint) WHERE status = 'open';
DROP INDEX alerts_newest;
DROP INDEX alerts_newest_of_environment;
DROP INDEX alerts_newest_closed;
