-- Beside a position: by what its reader knows that the log is still the one it has read.
ALTER TABLE positions ADD COLUMN trail TEXT;
