-- The order in which calls changed, for programs that follow it. A call that changed has no number yet. It gets one when
-- somebody reads, in a transaction that only one reader has at a time, so numbers are committed in their order.
CREATE TABLE call_changes (
    call_id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    seq bigint,
    changed_at timestamptz NOT NULL
);
CREATE INDEX call_changes_by_seq ON call_changes (workspace, seq) WHERE seq IS NOT NULL;
CREATE INDEX call_changes_without_seq ON call_changes (workspace, changed_at, call_id) WHERE seq IS NULL;

-- The last number that was given.
CREATE TABLE change_counters (
    workspace uuid PRIMARY KEY,
    seq bigint NOT NULL
);

-- A trigger notes the change, so that the change of an older program is noted too. A row that has no number yet is only
-- locked until the transaction ends, which is what keeps it from getting a number too early.
CREATE FUNCTION note_call_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO call_changes (call_id, workspace, changed_at) VALUES (NEW.id, NEW.workspace, NEW.updated_at)
    ON CONFLICT (call_id) DO UPDATE SET seq = NULL, changed_at = excluded.changed_at WHERE call_changes.seq IS NOT NULL;
    RETURN NULL;
END
$$;
CREATE TRIGGER calls_note_arrival AFTER INSERT ON calls FOR EACH ROW EXECUTE FUNCTION note_call_change();
CREATE TRIGGER calls_note_change AFTER UPDATE ON calls FOR EACH ROW
    WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION note_call_change();

-- The words by which calls are found. The program makes the words. A long call has several parts.
CREATE TABLE call_search (
    call_id uuid NOT NULL,
    part bigint NOT NULL,
    workspace uuid NOT NULL,
    at timestamptz NOT NULL,
    words tsvector NOT NULL,
    PRIMARY KEY (call_id, part)
);
CREATE INDEX call_search_words ON call_search USING gin (words) WITH (gin_pending_list_limit = 1024);
CREATE INDEX call_search_by_time ON call_search (workspace, at DESC);

-- How far the calls that were there before are looked through.
CREATE TABLE index_walk (
    id bigint PRIMARY KEY,
    after uuid,
    ended_at timestamptz
);
INSERT INTO index_walk (id) VALUES (1);
