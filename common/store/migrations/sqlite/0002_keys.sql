-- Who made the key: `cli:` and the user who ran the command.
ALTER TABLE principals ADD COLUMN created_by TEXT NOT NULL DEFAULT '';

-- A name stands for one key at a time. It can be given again once its key is revoked.
CREATE UNIQUE INDEX principals_by_name ON principals (workspace, name) WHERE revoked_at IS NULL;
