-- A workspace is one company, team or client. Every row belongs to one.
CREATE TABLE workspaces (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    created_at timestamptz NOT NULL
);

-- Who may do what in a workspace: an API key, a webhook URL's key, later a user.
CREATE TABLE principals (
    id uuid PRIMARY KEY,
    workspace uuid NOT NULL REFERENCES workspaces (id),
    name text NOT NULL,
    key_hash text NOT NULL UNIQUE,
    scopes text NOT NULL,
    created_at timestamptz NOT NULL,
    revoked_at timestamptz
);

-- Secrets that all processes of a deployment share.
CREATE TABLE secrets (
    name text PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE calls (
    id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    source text NOT NULL,
    external_id text NOT NULL,
    kind text NOT NULL,
    status text NOT NULL,
    generation bigint NOT NULL,
    details jsonb NOT NULL,
    agent text,
    received_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX calls_by_time ON calls (workspace, received_at DESC, id);
CREATE INDEX calls_by_external_id ON calls (workspace, external_id);
CREATE INDEX calls_by_status ON calls (workspace, status, received_at DESC);

-- One row for everything a delivery brought; a delivery that brought nothing usable has one row of kind `announcement`.
CREATE TABLE materials (
    event_id uuid NOT NULL,
    position bigint NOT NULL,
    workspace uuid NOT NULL,
    call_id uuid NOT NULL,
    kind text NOT NULL,
    digest text NOT NULL,
    material jsonb,
    received_at timestamptz NOT NULL,
    PRIMARY KEY (event_id, position)
);
CREATE INDEX materials_by_call ON materials (call_id, received_at);

CREATE TABLE transcripts (
    call_id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    generation bigint NOT NULL,
    transcript jsonb NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE analyses (
    call_id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    generation bigint NOT NULL,
    analysis jsonb NOT NULL,
    created_at timestamptz NOT NULL
);

-- What models and transcription cost; kept when an analysis is made anew.
CREATE TABLE usage (
    workspace uuid NOT NULL,
    call_id uuid NOT NULL,
    generation bigint NOT NULL,
    stage text NOT NULL,
    model text NOT NULL,
    prompt_tokens bigint NOT NULL,
    completion_tokens bigint NOT NULL,
    cost_usd double precision,
    duration_ms bigint NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (call_id, stage, generation)
);

-- The row decides: one per (call, stage). Messages only wake it.
CREATE TABLE stage_runs (
    call_id uuid NOT NULL,
    stage text NOT NULL,
    workspace uuid NOT NULL,
    generation bigint NOT NULL,
    input text NOT NULL,
    lane text NOT NULL,
    next_generation bigint,
    next_input text,
    state text NOT NULL,
    since timestamptz NOT NULL,
    not_before timestamptz NOT NULL,
    wake_at timestamptz,
    owner uuid,
    fence bigint NOT NULL,
    attempts bigint NOT NULL,
    crashes bigint NOT NULL,
    destination text,
    error_code text,
    error_text text,
    started_at timestamptz,
    finished_at timestamptz,
    PRIMARY KEY (call_id, stage)
);
CREATE INDEX stage_runs_due ON stage_runs (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX stage_runs_running ON stage_runs (owner) WHERE state = 'running';
CREATE INDEX stage_runs_parked ON stage_runs (workspace, destination, wake_at) WHERE state = 'parked';
CREATE INDEX stage_runs_by_state ON stage_runs (stage, state) WHERE state <> 'done';

-- Runs that ended, of every generation.
CREATE TABLE stage_history (
    call_id uuid NOT NULL,
    stage text NOT NULL,
    generation bigint NOT NULL,
    fence bigint NOT NULL,
    workspace uuid NOT NULL,
    state text NOT NULL,
    attempts bigint NOT NULL,
    error_code text,
    since timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz NOT NULL,
    PRIMARY KEY (call_id, stage, generation, fence)
);

-- A process that runs stages, and until when its claims hold.
CREATE TABLE instances (
    id uuid PRIMARY KEY,
    started_at timestamptz NOT NULL,
    alive_until timestamptz NOT NULL
);

CREATE TABLE effects (
    id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    call_id uuid NOT NULL,
    stage text NOT NULL,
    target text NOT NULL,
    object text NOT NULL,
    state text NOT NULL,
    digest text NOT NULL,
    generation bigint NOT NULL,
    remote_id text,
    replaced jsonb,
    deadline timestamptz NOT NULL,
    absent_at timestamptz,
    error_code text,
    updated_at timestamptz NOT NULL
);
CREATE INDEX effects_by_call ON effects (call_id);
CREATE INDEX effects_open ON effects (workspace, state) WHERE state <> 'confirmed';

CREATE TABLE dead_letters (
    id uuid PRIMARY KEY,
    workspace uuid,
    call_id uuid,
    stage text NOT NULL,
    generation bigint NOT NULL,
    attempts bigint NOT NULL,
    error_code text NOT NULL,
    error_text text NOT NULL,
    error_group text NOT NULL,
    body text NOT NULL,
    died_at timestamptz NOT NULL,
    replayed_at timestamptz
);
CREATE INDEX dead_letters_open ON dead_letters (died_at, id) WHERE replayed_at IS NULL;
CREATE INDEX dead_letters_by_call ON dead_letters (call_id, stage) WHERE replayed_at IS NULL;
CREATE INDEX dead_letters_by_group ON dead_letters (error_group);

-- Events that the broker did not confirm in time.
CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id uuid NOT NULL,
    lane text NOT NULL,
    body text NOT NULL,
    created_at timestamptz NOT NULL
);

-- What was answered to a request that came with a key of its sender's; no answer yet while it is being done.
CREATE TABLE idempotency_keys (
    workspace uuid NOT NULL,
    id uuid NOT NULL,
    answer text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id)
);

-- Who had what done again, or said what became of it: one row for each time somebody asked. Those that went on
-- with a batch that was cut off share its id.
CREATE TABLE audit (
    id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    batch uuid NOT NULL,
    at timestamptz NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    asked text NOT NULL,
    resumed boolean NOT NULL,
    bound timestamptz NOT NULL,
    done bigint NOT NULL,
    ended_at timestamptz
);
CREATE INDEX audit_by_time ON audit (workspace, at DESC, id);
CREATE INDEX audit_by_batch ON audit (batch);
