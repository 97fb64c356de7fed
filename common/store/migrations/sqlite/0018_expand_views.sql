-- Views of the list of calls that people keep under a name. `query` has the filters and the columns, as an address has them.
CREATE TABLE saved_views (
    id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    owner TEXT NOT NULL,
    is_shared INTEGER NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX saved_views_own ON saved_views (workspace, owner, name) WHERE NOT is_shared;
CREATE UNIQUE INDEX saved_views_shared ON saved_views (workspace, name) WHERE is_shared;

-- The calls that are there to try the console out, so that nothing else is removed together with them.
CREATE TABLE sample_calls (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL
) STRICT;
CREATE INDEX sample_calls_of ON sample_calls (workspace);

-- For the newest change of all, which the console asks for each second while a page is open.
CREATE INDEX calls_by_change ON calls (updated_at);
CREATE INDEX stage_runs_by_change ON stage_runs (since);
CREATE INDEX effects_by_change ON effects (updated_at);

-- Sums of the months that are over, from the rows of their days that are `in_month`. They are read for a year, which has too
-- many days. `day` is the first day of the month. A row of a day that goes away is taken out of its month again by a trigger,
-- so the sums are right also beside a program that does not know them.
CREATE TABLE call_months (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace BLOB NOT NULL,
    day INTEGER NOT NULL,
    source TEXT NOT NULL,
    direction TEXT,
    agent TEXT,
    team TEXT,
    calls INTEGER NOT NULL,
    timed INTEGER NOT NULL,
    duration_ms INTEGER NOT NULL,
    analyzed INTEGER NOT NULL,
    by_builtin INTEGER NOT NULL,
    sided INTEGER NOT NULL,
    agent_talk_ms INTEGER NOT NULL,
    customer_talk_ms INTEGER NOT NULL,
    silence_ms INTEGER NOT NULL,
    interruptions INTEGER NOT NULL,
    positive INTEGER NOT NULL,
    neutral INTEGER NOT NULL,
    negative INTEGER NOT NULL,
    glad INTEGER NOT NULL,
    calm INTEGER NOT NULL,
    upset INTEGER NOT NULL,
    resolved INTEGER NOT NULL,
    pending INTEGER NOT NULL,
    escalated INTEGER NOT NULL,
    merged INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX call_months_by_day ON call_months (workspace, day);
CREATE INDEX call_months_not_merged ON call_months (workspace, day) WHERE NOT merged;
ALTER TABLE call_days ADD COLUMN in_month INTEGER NOT NULL DEFAULT 0;
CREATE INDEX call_days_not_in_month ON call_days (workspace, day) WHERE NOT in_month;
CREATE TRIGGER call_days_gone AFTER DELETE ON call_days WHEN OLD.in_month BEGIN
    INSERT INTO call_months (workspace, day, source, direction, agent, team, calls, timed, duration_ms, analyzed, by_builtin,
        sided, agent_talk_ms, customer_talk_ms, silence_ms, interruptions, positive, neutral, negative, glad, calm, upset,
        resolved, pending, escalated)
    VALUES (OLD.workspace, unixepoch(OLD.day * 86400, 'unixepoch', 'start of month') / 86400, OLD.source, OLD.direction,
        OLD.agent, OLD.team,
        -OLD.calls, -OLD.timed, -OLD.duration_ms, -OLD.analyzed, -OLD.by_builtin, -OLD.sided, -OLD.agent_talk_ms,
        -OLD.customer_talk_ms, -OLD.silence_ms, -OLD.interruptions, -OLD.positive, -OLD.neutral, -OLD.negative,
        -OLD.glad, -OLD.calm, -OLD.upset, -OLD.resolved, -OLD.pending, -OLD.escalated);
END;
