-- What salespeople bring to practice.
CREATE TABLE practice_salespersons (
    workspace BLOB NOT NULL,
    id BLOB NOT NULL,
    product_name TEXT NOT NULL,
    description TEXT NOT NULL,
    product_url TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT;
CREATE INDEX practice_salespersons_by_time ON practice_salespersons (workspace, created_at);

-- The files of a salesperson, and what was read in them. The file itself is a blob.
CREATE TABLE practice_materials (
    workspace BLOB NOT NULL,
    id BLOB NOT NULL,
    salesperson BLOB NOT NULL,
    position INTEGER NOT NULL,
    file_name TEXT NOT NULL,
    file_type TEXT NOT NULL,
    file_size INTEGER NOT NULL,
    blob TEXT NOT NULL,
    pages INTEGER,
    words INTEGER NOT NULL,
    note TEXT,
    content TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT;
CREATE INDEX practice_materials_of ON practice_materials (workspace, salesperson, position);

-- Companies, with what their pages say and where.
CREATE TABLE practice_companies (
    workspace BLOB NOT NULL,
    id BLOB NOT NULL,
    url TEXT NOT NULL,
    data TEXT NOT NULL,
    note TEXT,
    fetched_at INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT;

CREATE TABLE practice_representatives (
    workspace BLOB NOT NULL,
    id BLOB NOT NULL,
    company BLOB NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    tenure_months INTEGER,
    traits TEXT NOT NULL,
    is_decision_maker INTEGER NOT NULL,
    linkedin_profile TEXT,
    notes TEXT,
    voice_id TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT;
CREATE INDEX practice_representatives_of ON practice_representatives (workspace, company, created_at);

-- A meeting has one floor: `floor` names who has it, and `floor_until` how long.
CREATE TABLE practice_meetings (
    workspace BLOB NOT NULL,
    id BLOB NOT NULL,
    salesperson BLOB NOT NULL,
    company BLOB NOT NULL,
    created_by TEXT NOT NULL,
    status TEXT NOT NULL,
    plan TEXT NOT NULL,
    turns INTEGER NOT NULL DEFAULT 0,
    floor BLOB,
    floor_until INTEGER,
    call_id BLOB,
    score TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    PRIMARY KEY (workspace, id)
) STRICT;
CREATE INDEX practice_meetings_of ON practice_meetings (workspace, salesperson, created_at);
CREATE INDEX practice_meetings_by_time ON practice_meetings (workspace, created_at);
CREATE INDEX practice_meetings_with ON practice_meetings (workspace, company);

-- What was said. `answers` is the number of the salesperson's turn that this one answers, `request` the key with which the
-- salesperson's turn was sent. `state` is `said`, `speaking` while the words still come, or `cut`.
CREATE TABLE practice_turns (
    workspace BLOB NOT NULL,
    meeting BLOB NOT NULL,
    number INTEGER NOT NULL,
    speaker TEXT NOT NULL,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    said TEXT NOT NULL,
    state TEXT NOT NULL,
    details TEXT NOT NULL,
    answers INTEGER,
    is_answered INTEGER NOT NULL DEFAULT 0,
    request BLOB,
    request_hash BLOB,
    audio TEXT,
    duration_ms INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, meeting, number)
) STRICT;
CREATE UNIQUE INDEX practice_turns_by_request ON practice_turns (workspace, meeting, request) WHERE request IS NOT NULL;
