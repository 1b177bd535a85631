-- Whether a silence holds a step of the alert back, beside the deadline in one index: after a change of silences these are
-- found without reading any document. What is stored already may be silenced wherever it waits for anything.
ALTER TABLE alerts ADD COLUMN IF NOT EXISTS silenced TINYINT NOT NULL DEFAULT 0;
UPDATE alerts SET silenced = 1 WHERE status = 'open' AND due_kind IS NOT NULL AND due_kind <> 'site';
CREATE INDEX IF NOT EXISTS alerts_by_deadline ON alerts (partition_number, due_at, fingerprint, silenced);
DROP INDEX IF EXISTS alerts_due ON alerts;
