-- The order in which calls changed, for programs that follow it. A call that changed has no number yet. It gets one when
-- somebody reads.
CREATE TABLE call_changes (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    seq INTEGER,
    changed_at INTEGER NOT NULL
) STRICT;
CREATE INDEX call_changes_by_seq ON call_changes (workspace, seq) WHERE seq IS NOT NULL;
CREATE INDEX call_changes_without_seq ON call_changes (workspace, changed_at, call_id) WHERE seq IS NULL;

-- The last number that was given.
CREATE TABLE change_counters (
    workspace BLOB PRIMARY KEY,
    seq INTEGER NOT NULL
) STRICT;

-- A trigger notes the change, so that the change of an older program is noted too.
CREATE TRIGGER calls_note_arrival AFTER INSERT ON calls BEGIN
    INSERT INTO call_changes (call_id, workspace, changed_at) VALUES (NEW.id, NEW.workspace, NEW.updated_at)
    ON CONFLICT (call_id) DO UPDATE SET seq = NULL, changed_at = excluded.changed_at WHERE call_changes.seq IS NOT NULL;
END;
CREATE TRIGGER calls_note_change AFTER UPDATE ON calls
    WHEN OLD.updated_at <> NEW.updated_at OR OLD.details <> NEW.details OR OLD.status <> NEW.status
        OR OLD.generation <> NEW.generation
BEGIN
    INSERT INTO call_changes (call_id, workspace, changed_at) VALUES (NEW.id, NEW.workspace, NEW.updated_at)
    ON CONFLICT (call_id) DO UPDATE SET seq = NULL, changed_at = excluded.changed_at WHERE call_changes.seq IS NOT NULL;
END;

-- The parts of calls by which they are found. The id is the time of the call in microseconds, or the next free number
-- after it, so that the newest calls are found first without sorting.
CREATE TABLE call_search (
    id INTEGER PRIMARY KEY,
    call_id BLOB NOT NULL,
    part INTEGER NOT NULL,
    workspace BLOB NOT NULL
) STRICT;
CREATE INDEX call_search_by_call ON call_search (call_id);

-- The words of each part. The program makes the words, so the tokenizer only cuts at blanks.
CREATE VIRTUAL TABLE call_words USING fts5(words, content='', contentless_delete=1, tokenize='ascii');

-- How far the calls that were there before are looked through.
CREATE TABLE index_walk (
    id INTEGER PRIMARY KEY,
    after BLOB,
    ended_at INTEGER
) STRICT;
INSERT INTO index_walk (id) VALUES (1);
