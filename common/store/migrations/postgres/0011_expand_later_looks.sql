-- Calls whose details the system that keeps their recording settles only some minutes after the call. It is asked once
-- more then.
CREATE TABLE later_looks (
    call_id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    held text NOT NULL,
    due_at timestamptz NOT NULL,
    tries bigint NOT NULL
);
CREATE INDEX later_looks_due ON later_looks (due_at);
