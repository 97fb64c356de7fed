-- The same tables as for PostgreSQL, idiomatic for SQLite: ids are 16-byte BLOBs, times are microseconds since 1970, UTC.

-- A workspace is one company, team or client. Every row belongs to one.
CREATE TABLE workspaces (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;

-- Who may do what in a workspace: an API key, a webhook URL's key, later a user.
CREATE TABLE principals (
    id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    key_hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;

-- Secrets that all processes of a deployment share.
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE calls (
    id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    source TEXT NOT NULL,
    external_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    status TEXT NOT NULL,
    generation INTEGER NOT NULL,
    details TEXT NOT NULL,
    agent TEXT,
    received_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX calls_by_time ON calls (workspace, received_at DESC, id);
CREATE INDEX calls_by_external_id ON calls (workspace, external_id);
CREATE INDEX calls_by_status ON calls (workspace, status, received_at DESC);

-- One row for everything a delivery brought; a delivery that brought nothing usable has one row of kind `announcement`.
CREATE TABLE materials (
    event_id BLOB NOT NULL,
    position INTEGER NOT NULL,
    workspace BLOB NOT NULL,
    call_id BLOB NOT NULL,
    kind TEXT NOT NULL,
    digest TEXT NOT NULL,
    material TEXT,
    received_at INTEGER NOT NULL,
    PRIMARY KEY (event_id, position)
) STRICT;
CREATE INDEX materials_by_call ON materials (call_id, received_at);

CREATE TABLE transcripts (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    generation INTEGER NOT NULL,
    transcript TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE analyses (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    generation INTEGER NOT NULL,
    analysis TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- What models and transcription cost; kept when an analysis is made anew.
CREATE TABLE usage (
    workspace BLOB NOT NULL,
    call_id BLOB NOT NULL,
    generation INTEGER NOT NULL,
    stage TEXT NOT NULL,
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cost_usd REAL,
    duration_ms INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (call_id, stage, generation)
) STRICT;

-- The row decides: one per (call, stage). Messages only wake it.
CREATE TABLE stage_runs (
    call_id BLOB NOT NULL,
    stage TEXT NOT NULL,
    workspace BLOB NOT NULL,
    generation INTEGER NOT NULL,
    input TEXT NOT NULL,
    lane TEXT NOT NULL,
    next_generation INTEGER,
    next_input TEXT,
    state TEXT NOT NULL,
    since INTEGER NOT NULL,
    not_before INTEGER NOT NULL,
    wake_at INTEGER,
    owner BLOB,
    fence INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    crashes INTEGER NOT NULL,
    destination TEXT,
    error_code TEXT,
    error_text TEXT,
    started_at INTEGER,
    finished_at INTEGER,
    PRIMARY KEY (call_id, stage)
) STRICT;
CREATE INDEX stage_runs_due ON stage_runs (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX stage_runs_running ON stage_runs (owner) WHERE state = 'running';
CREATE INDEX stage_runs_parked ON stage_runs (workspace, destination, wake_at) WHERE state = 'parked';
CREATE INDEX stage_runs_by_state ON stage_runs (stage, state) WHERE state <> 'done';

-- Runs that ended, of every generation.
CREATE TABLE stage_history (
    call_id BLOB NOT NULL,
    stage TEXT NOT NULL,
    generation INTEGER NOT NULL,
    fence INTEGER NOT NULL,
    workspace BLOB NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    error_code TEXT,
    since INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER NOT NULL,
    PRIMARY KEY (call_id, stage, generation, fence)
) STRICT;

-- A process that runs stages, and until when its claims hold.
CREATE TABLE instances (
    id BLOB PRIMARY KEY,
    started_at INTEGER NOT NULL,
    alive_until INTEGER NOT NULL
) STRICT;

CREATE TABLE effects (
    id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    call_id BLOB NOT NULL,
    stage TEXT NOT NULL,
    target TEXT NOT NULL,
    object TEXT NOT NULL,
    state TEXT NOT NULL,
    digest TEXT NOT NULL,
    generation INTEGER NOT NULL,
    remote_id TEXT,
    replaced TEXT,
    deadline INTEGER NOT NULL,
    absent_at INTEGER,
    error_code TEXT,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX effects_by_call ON effects (call_id);
CREATE INDEX effects_open ON effects (workspace, state) WHERE state <> 'confirmed';

CREATE TABLE dead_letters (
    id BLOB PRIMARY KEY,
    workspace BLOB,
    call_id BLOB,
    stage TEXT NOT NULL,
    generation INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    error_code TEXT NOT NULL,
    error_text TEXT NOT NULL,
    error_group TEXT NOT NULL,
    body TEXT NOT NULL,
    died_at INTEGER NOT NULL,
    replayed_at INTEGER
) STRICT;
CREATE INDEX dead_letters_open ON dead_letters (died_at, id) WHERE replayed_at IS NULL;
CREATE INDEX dead_letters_by_call ON dead_letters (call_id, stage) WHERE replayed_at IS NULL;
CREATE INDEX dead_letters_by_group ON dead_letters (error_group);

-- Events that the broker did not confirm in time.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id BLOB NOT NULL,
    lane TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- What was answered to a request that came with a key of its sender's; no answer yet while it is being done.
CREATE TABLE idempotency_keys (
    workspace BLOB NOT NULL,
    id BLOB NOT NULL,
    answer TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT;

-- Who had what done again, or said what became of it: one row for each time somebody asked. Those that went on
-- with a batch that was cut off share its id.
CREATE TABLE audit (
    id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    batch BLOB NOT NULL,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    asked TEXT NOT NULL,
    resumed INTEGER NOT NULL,
    bound INTEGER NOT NULL,
    done INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX audit_by_time ON audit (workspace, at DESC, id);
CREATE INDEX audit_by_batch ON audit (batch);
