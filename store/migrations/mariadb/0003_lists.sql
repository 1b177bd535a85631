-- Each index holds all that lists are filtered by, so a list reads the documents of its page and no others.
CREATE INDEX IF NOT EXISTS alerts_by_opening
    ON alerts (status, opened_at, fingerprint, environment, severity, operator_state);
CREATE INDEX IF NOT EXISTS alerts_by_closing
    ON alerts (status, closed_at, fingerprint, environment, severity, operator_state);
DROP INDEX IF EXISTS alerts_newest ON alerts;
DROP INDEX IF EXISTS alerts_newest_of_environment ON alerts;
DROP INDEX IF EXISTS alerts_newest_closed ON alerts;
