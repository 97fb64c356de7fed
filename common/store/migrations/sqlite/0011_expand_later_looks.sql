-- Calls whose details the system that keeps their recording settles only some minutes after the call. It is asked once
-- more then.
CREATE TABLE later_looks (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    held TEXT NOT NULL,
    due_at INTEGER NOT NULL,
    tries INTEGER NOT NULL
) STRICT;
CREATE INDEX later_looks_due ON later_looks (due_at);
