-- What salespeople bring to practice.
CREATE TABLE practice_salespersons (
    workspace uuid NOT NULL,
    id uuid NOT NULL,
    product_name text NOT NULL,
    description text NOT NULL,
    product_url text,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX practice_salespersons_by_time ON practice_salespersons (workspace, created_at);

-- The files of a salesperson, and what was read in them. The file itself is a blob.
CREATE TABLE practice_materials (
    workspace uuid NOT NULL,
    id uuid NOT NULL,
    salesperson uuid NOT NULL,
    position bigint NOT NULL,
    file_name text NOT NULL,
    file_type text NOT NULL,
    file_size bigint NOT NULL,
    blob text NOT NULL,
    pages bigint,
    words bigint NOT NULL,
    note text,
    content text NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX practice_materials_of ON practice_materials (workspace, salesperson, position);

-- Companies, with what their pages say and where.
CREATE TABLE practice_companies (
    workspace uuid NOT NULL,
    id uuid NOT NULL,
    url text NOT NULL,
    data jsonb NOT NULL,
    note text,
    fetched_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id)
);

CREATE TABLE practice_representatives (
    workspace uuid NOT NULL,
    id uuid NOT NULL,
    company uuid NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    tenure_months bigint,
    traits jsonb NOT NULL,
    is_decision_maker boolean NOT NULL,
    linkedin_profile text,
    notes text,
    voice_id text,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX practice_representatives_of ON practice_representatives (workspace, company, created_at);

-- A meeting has one floor: `floor` names who has it, and `floor_until` how long.
CREATE TABLE practice_meetings (
    workspace uuid NOT NULL,
    id uuid NOT NULL,
    salesperson uuid NOT NULL,
    company uuid NOT NULL,
    created_by text NOT NULL,
    status text NOT NULL,
    plan jsonb NOT NULL,
    turns bigint NOT NULL DEFAULT 0,
    floor uuid,
    floor_until timestamptz,
    call_id uuid,
    score jsonb,
    created_at timestamptz NOT NULL,
    started_at timestamptz,
    ended_at timestamptz,
    PRIMARY KEY (workspace, id)
);
CREATE INDEX practice_meetings_of ON practice_meetings (workspace, salesperson, created_at);
CREATE INDEX practice_meetings_by_time ON practice_meetings (workspace, created_at);
CREATE INDEX practice_meetings_with ON practice_meetings (workspace, company);

-- What was said. `answers` is the number of the salesperson's turn that this one answers, `request` the key with which the
-- salesperson's turn was sent. `state` is `said`, `speaking` while the words still come, or `cut`.
CREATE TABLE practice_turns (
    workspace uuid NOT NULL,
    meeting uuid NOT NULL,
    number bigint NOT NULL,
    speaker text NOT NULL,
    name text NOT NULL,
    role text NOT NULL,
    said text NOT NULL,
    state text NOT NULL,
    details jsonb NOT NULL,
    answers bigint,
    is_answered boolean NOT NULL DEFAULT false,
    request uuid,
    request_hash uuid,
    audio text,
    duration_ms bigint NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (workspace, meeting, number)
);
CREATE UNIQUE INDEX practice_turns_by_request ON practice_turns (workspace, meeting, request) WHERE request IS NOT NULL;
