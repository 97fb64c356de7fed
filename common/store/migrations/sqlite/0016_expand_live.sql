-- Calls while they are spoken. The run of the stage `live` works on a session; what is here is what it works with.
CREATE TABLE live_sessions (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    session_id TEXT NOT NULL,
    state TEXT NOT NULL,
    started_at INTEGER NOT NULL,
    -- When the last audio came, or else when the session began.
    heard_at INTEGER NOT NULL,
    ended_at INTEGER,
    end_reason TEXT,
    -- How many pieces are on disk, and the number of the last event.
    pieces INTEGER NOT NULL,
    last_event INTEGER NOT NULL,
    -- How far the work on the audio is.
    progress TEXT NOT NULL,
    -- When the whole call went into the pipeline, and when its result was told to the listeners.
    delivered_at INTEGER,
    finished_at INTEGER
) STRICT;
CREATE UNIQUE INDEX live_sessions_by_id ON live_sessions (workspace, session_id);
CREATE INDEX live_sessions_by_time ON live_sessions (workspace, started_at DESC);

-- A piece of audio. `position` is its place in the order in which the pieces were heard; it is empty until then.
CREATE TABLE live_pieces (
    call_id BLOB NOT NULL,
    sequence INTEGER NOT NULL,
    workspace BLOB NOT NULL,
    blob TEXT NOT NULL,
    digest TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    media_type TEXT,
    filename TEXT NOT NULL,
    channel INTEGER,
    speaker TEXT,
    request_key TEXT,
    position INTEGER,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (call_id, sequence)
) STRICT;
CREATE UNIQUE INDEX live_pieces_by_request ON live_pieces (call_id, request_key) WHERE request_key IS NOT NULL;
CREATE INDEX live_pieces_unheard ON live_pieces (call_id, sequence) WHERE position IS NULL;

-- A stretch of speech of one channel that is transcribed by itself. `words` is empty until that was done.
CREATE TABLE live_turns (
    call_id BLOB NOT NULL,
    number INTEGER NOT NULL,
    workspace BLOB NOT NULL,
    channel INTEGER NOT NULL,
    speaker TEXT,
    start_ms INTEGER NOT NULL,
    end_ms INTEGER NOT NULL,
    blob TEXT NOT NULL,
    words TEXT,
    PRIMARY KEY (call_id, number)
) STRICT;

-- Everything that a listener sees of a session, by its number.
CREATE TABLE live_events (
    call_id BLOB NOT NULL,
    seq INTEGER NOT NULL,
    workspace BLOB NOT NULL,
    kind TEXT NOT NULL,
    at INTEGER NOT NULL,
    data TEXT NOT NULL,
    PRIMARY KEY (call_id, seq)
) STRICT;
