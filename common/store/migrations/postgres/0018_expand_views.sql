-- Views of the list of calls that people keep under a name. `query` has the filters and the columns, as an address has them.
CREATE TABLE saved_views (
    id uuid PRIMARY KEY,
    workspace uuid NOT NULL,
    owner text NOT NULL,
    is_shared boolean NOT NULL,
    name text NOT NULL,
    query text NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX saved_views_own ON saved_views (workspace, owner, name) WHERE NOT is_shared;
CREATE UNIQUE INDEX saved_views_shared ON saved_views (workspace, name) WHERE is_shared;

-- The calls that are there to try the console out, so that nothing else is removed together with them.
CREATE TABLE sample_calls (
    call_id uuid PRIMARY KEY,
    workspace uuid NOT NULL
);
CREATE INDEX sample_calls_of ON sample_calls (workspace);

-- For the newest change of all, which the console asks for each second while a page is open.
CREATE INDEX calls_by_change ON calls (updated_at);
CREATE INDEX stage_runs_by_change ON stage_runs (since);
CREATE INDEX effects_by_change ON effects (updated_at);

-- Sums of the months that are over, from the rows of their days that are `in_month`. They are read for a year, which has too
-- many days. `day` is the first day of the month. A row of a day that goes away is taken out of its month again by a trigger,
-- so the sums are right also beside a program that does not know them.
CREATE TABLE call_months (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    workspace uuid NOT NULL,
    day bigint NOT NULL,
    source text NOT NULL,
    direction text,
    agent text,
    team text,
    calls bigint NOT NULL,
    timed bigint NOT NULL,
    duration_ms bigint NOT NULL,
    analyzed bigint NOT NULL,
    by_builtin bigint NOT NULL,
    sided bigint NOT NULL,
    agent_talk_ms bigint NOT NULL,
    customer_talk_ms bigint NOT NULL,
    silence_ms bigint NOT NULL,
    interruptions bigint NOT NULL,
    positive bigint NOT NULL,
    neutral bigint NOT NULL,
    negative bigint NOT NULL,
    glad bigint NOT NULL,
    calm bigint NOT NULL,
    upset bigint NOT NULL,
    resolved bigint NOT NULL,
    pending bigint NOT NULL,
    escalated bigint NOT NULL,
    merged boolean NOT NULL DEFAULT false
);
CREATE INDEX call_months_by_day ON call_months (workspace, day);
CREATE INDEX call_months_not_merged ON call_months (workspace, day) WHERE NOT merged;
ALTER TABLE call_days ADD COLUMN in_month boolean NOT NULL DEFAULT false;
CREATE INDEX call_days_not_in_month ON call_days (workspace, day) WHERE NOT in_month;
CREATE FUNCTION take_day_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO call_months (workspace, day, source, direction, agent, team, calls, timed, duration_ms, analyzed, by_builtin,
        sided, agent_talk_ms, customer_talk_ms, silence_ms, interruptions, positive, neutral, negative, glad, calm, upset,
        resolved, pending, escalated)
    VALUES (OLD.workspace, date_trunc('month', (date '1970-01-01' + OLD.day::integer)::timestamp)::date - date '1970-01-01', OLD.source, OLD.direction,
        OLD.agent, OLD.team,
        -OLD.calls, -OLD.timed, -OLD.duration_ms, -OLD.analyzed, -OLD.by_builtin, -OLD.sided, -OLD.agent_talk_ms,
        -OLD.customer_talk_ms, -OLD.silence_ms, -OLD.interruptions, -OLD.positive, -OLD.neutral, -OLD.negative,
        -OLD.glad, -OLD.calm, -OLD.upset, -OLD.resolved, -OLD.pending, -OLD.escalated);
    RETURN NULL;
END
$$;
CREATE TRIGGER call_days_gone AFTER DELETE ON call_days FOR EACH ROW
    WHEN (OLD.in_month) EXECUTE FUNCTION take_day_out();
