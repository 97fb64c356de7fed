-- What of a call is counted. It is written together with the call and with its analysis, so that no JSON is read for a sum.
-- `day` is the day in the time zone of the installation, in days since 1970. `topics` has a topic in each line.
CREATE TABLE call_facts (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    at INTEGER NOT NULL,
    day INTEGER NOT NULL,
    zone TEXT NOT NULL,
    source TEXT NOT NULL,
    kind TEXT NOT NULL,
    direction TEXT,
    agent TEXT,
    team TEXT,
    duration_ms INTEGER,
    analyzer TEXT,
    sentiment TEXT,
    tone TEXT,
    category TEXT,
    resolution TEXT,
    priority TEXT,
    agent_talk_ms INTEGER,
    customer_talk_ms INTEGER,
    silence_ms INTEGER,
    interruptions INTEGER,
    words INTEGER,
    questions INTEGER,
    topics TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    rolled INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX call_facts_by_time ON call_facts (workspace, at DESC, call_id);
CREATE INDEX call_facts_by_agent ON call_facts (workspace, agent, at DESC, call_id);
CREATE INDEX call_facts_by_tone ON call_facts (workspace, tone, at DESC, call_id);
CREATE INDEX call_facts_not_rolled ON call_facts (workspace, day) WHERE NOT rolled;

-- The topics of a call, for a list of the calls with a topic.
CREATE TABLE call_topics (
    call_id BLOB NOT NULL,
    topic TEXT NOT NULL,
    workspace BLOB NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (call_id, topic)
) STRICT;
CREATE INDEX call_topics_by_topic ON call_topics (workspace, topic, at DESC, call_id);

-- Sums of the facts of a day. A sum is of all rows with the same names, so nobody waits for a row of somebody else: who
-- changes a fact that is in the sums adds a row that takes it out again. The keeper makes one row of many.
CREATE TABLE call_days (
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
CREATE INDEX call_days_by_day ON call_days (workspace, day);
CREATE INDEX call_days_not_merged ON call_days (workspace, day) WHERE NOT merged;

CREATE TRIGGER call_facts_changed AFTER UPDATE ON call_facts WHEN OLD.rolled AND NOT NEW.rolled BEGIN
    INSERT INTO call_days (workspace, day, source, direction, agent, team, calls,
        timed, duration_ms, analyzed, by_builtin, sided, agent_talk_ms, customer_talk_ms, silence_ms, interruptions,
        positive, neutral, negative, glad, calm, upset, resolved, pending, escalated)
    VALUES (OLD.workspace, OLD.day, OLD.source, OLD.direction, OLD.agent, OLD.team, -1,
        -(CASE WHEN OLD.duration_ms IS NULL THEN 0 ELSE 1 END),
        -(COALESCE(OLD.duration_ms, 0)),
        -(CASE WHEN OLD.analyzer IS NULL THEN 0 ELSE 1 END),
        -(CASE WHEN OLD.analyzer = 'builtin' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.agent_talk_ms IS NULL THEN 0 ELSE 1 END),
        -(COALESCE(OLD.agent_talk_ms, 0)),
        -(COALESCE(OLD.customer_talk_ms, 0)),
        -(COALESCE(OLD.silence_ms, 0)),
        -(COALESCE(OLD.interruptions, 0)),
        -(CASE WHEN OLD.sentiment = 'positive' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.sentiment = 'neutral' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.sentiment = 'negative' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.tone = 'Positive' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.tone = 'Neutral' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.tone = 'Negative' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.resolution = 'resolved' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.resolution = 'pending' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.resolution = 'escalated' THEN 1 ELSE 0 END));
END;
CREATE TRIGGER call_facts_gone AFTER DELETE ON call_facts WHEN OLD.rolled BEGIN
    INSERT INTO call_days (workspace, day, source, direction, agent, team, calls,
        timed, duration_ms, analyzed, by_builtin, sided, agent_talk_ms, customer_talk_ms, silence_ms, interruptions,
        positive, neutral, negative, glad, calm, upset, resolved, pending, escalated)
    VALUES (OLD.workspace, OLD.day, OLD.source, OLD.direction, OLD.agent, OLD.team, -1,
        -(CASE WHEN OLD.duration_ms IS NULL THEN 0 ELSE 1 END),
        -(COALESCE(OLD.duration_ms, 0)),
        -(CASE WHEN OLD.analyzer IS NULL THEN 0 ELSE 1 END),
        -(CASE WHEN OLD.analyzer = 'builtin' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.agent_talk_ms IS NULL THEN 0 ELSE 1 END),
        -(COALESCE(OLD.agent_talk_ms, 0)),
        -(COALESCE(OLD.customer_talk_ms, 0)),
        -(COALESCE(OLD.silence_ms, 0)),
        -(COALESCE(OLD.interruptions, 0)),
        -(CASE WHEN OLD.sentiment = 'positive' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.sentiment = 'neutral' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.sentiment = 'negative' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.tone = 'Positive' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.tone = 'Neutral' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.tone = 'Negative' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.resolution = 'resolved' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.resolution = 'pending' THEN 1 ELSE 0 END),
        -(CASE WHEN OLD.resolution = 'escalated' THEN 1 ELSE 0 END));
END;

-- For lists of the calls of one agent or of one source.
CREATE INDEX calls_by_agent ON calls (workspace, agent, received_at DESC, id);
CREATE INDEX calls_by_source ON calls (workspace, source, received_at DESC, id);
