-- Calls while they are spoken. The run of the stage `live` works on a session; what is here is what it works with.
CREATE TABLE live_sessions (
    call_id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    session_id text NOT NULL,
    state text NOT NULL,
    started_at timestamptz NOT NULL,
    -- When the last audio came, or else when the session began.
    heard_at timestamptz NOT NULL,
    ended_at timestamptz,
    end_reason text,
    -- How many pieces are on disk, and the number of the last event.
    pieces bigint NOT NULL,
    last_event bigint NOT NULL,
    -- How far the work on the audio is.
    progress jsonb NOT NULL,
    -- When the whole call went into the pipeline, and when its result was told to the listeners.
    delivered_at timestamptz,
    finished_at timestamptz
);
CREATE UNIQUE INDEX live_sessions_by_id ON live_sessions (workspace, session_id);
CREATE INDEX live_sessions_by_time ON live_sessions (workspace, started_at DESC);

-- A piece of audio. `position` is its place in the order in which the pieces were heard; it is empty until then.
CREATE TABLE live_pieces (
    call_id uuid NOT NULL,
    sequence bigint NOT NULL,
    workspace uuid NOT NULL,
    blob text NOT NULL,
    digest text NOT NULL,
    bytes bigint NOT NULL,
    media_type text,
    filename text NOT NULL,
    channel bigint,
    speaker text,
    request_key text,
    position bigint,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (call_id, sequence)
);
CREATE UNIQUE INDEX live_pieces_by_request ON live_pieces (call_id, request_key) WHERE request_key IS NOT NULL;
CREATE INDEX live_pieces_unheard ON live_pieces (call_id, sequence) WHERE position IS NULL;

-- A stretch of speech of one channel that is transcribed by itself. `words` is empty until that was done.
CREATE TABLE live_turns (
    call_id uuid NOT NULL,
    number bigint NOT NULL,
    workspace uuid NOT NULL,
    channel bigint NOT NULL,
    speaker text,
    start_ms bigint NOT NULL,
    end_ms bigint NOT NULL,
    blob text NOT NULL,
    words jsonb,
    PRIMARY KEY (call_id, number)
);

-- Everything that a listener sees of a session, by its number.
CREATE TABLE live_events (
    call_id uuid NOT NULL,
    seq bigint NOT NULL,
    workspace uuid NOT NULL,
    kind text NOT NULL,
    at timestamptz NOT NULL,
    data jsonb NOT NULL,
    PRIMARY KEY (call_id, seq)
);
