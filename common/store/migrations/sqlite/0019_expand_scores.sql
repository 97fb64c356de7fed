-- What a call is worth by a file of criteria. `card` is the whole scorecard, with the segments on which it rests.
CREATE TABLE call_scores (
    call_id BLOB NOT NULL,
    name TEXT NOT NULL,
    workspace BLOB NOT NULL,
    generation INTEGER NOT NULL,
    version INTEGER NOT NULL,
    overall INTEGER NOT NULL,
    card TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (call_id, name)
) STRICT;
