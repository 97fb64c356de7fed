-- What was measured in the recording of a call. The outline for a page is a column of its own, because most readers do
-- not need it.
CREATE TABLE audio (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    generation INTEGER NOT NULL,
    facts TEXT NOT NULL,
    waveform TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
