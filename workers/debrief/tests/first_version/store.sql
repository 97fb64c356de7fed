BEGIN TRANSACTION;
CREATE TABLE _sqlx_migrations (
    version BIGINT PRIMARY KEY,
    description TEXT NOT NULL,
    installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN NOT NULL,
    checksum BLOB NOT NULL,
    execution_time BIGINT NOT NULL
);
INSERT INTO "_sqlx_migrations" VALUES(1,'first','2026-11-29 22:33:12',1,X'E515042A0946C751E0A9B2E83E9281F2E5EA0CCB72B012C0F4EE673FC29DD6EA19937E92487CBA1D5879A07A343635A8',17450937);
CREATE TABLE analyses (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    generation INTEGER NOT NULL,
    analysis TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO "analyses" VALUES(X'B080464D4C265A8BA32568E01FA63BC3',X'64656272696566008000000000000001',1,'{"action_items":[],"analyzer":"builtin","category":"other","concern":"My invoice is wrong, please send me a new one tomorrow.","contacts":[],"customer_requests":["My invoice is wrong, please send me a new one tomorrow."],"key_points":[],"metrics":{"interruptions":0,"longest_monologue_ms":0,"questions":1,"silence_ms":0,"talk_ms":{},"talk_ratio":null,"words":17},"priority":"medium","resolution":"unknown","sentiment":"negative","summary":"My invoice is wrong, please send me a new one tomorrow.","tone":"Negative","topics":["invoice is wrong","send"],"usage":null}',1795991610514070);
INSERT INTO "analyses" VALUES(X'D68A57C7FEDA54F581105A2392B3A81C',X'64656272696566008000000000000001',1,'{"action_items":[{"due":"by Friday","owner":"Iris Adeyemi","text":"I''ll send you the pilot plan by Friday, and Mei gets the connector documentation."}],"analyzer":"builtin","category":"sales","concern":"We need something that talks to our telematics.","contacts":[{"facts":[{"field":"title","quote":"I''m Ruben Calder, Head of Operations at Calder Logistics.","segment":2,"speaker":"Ruben Calder","start_ms":7900,"value":"Head of Operations"},{"field":"company","quote":"I''m Ruben Calder, Head of Operations at Calder Logistics.","segment":2,"speaker":"Ruben Calder","start_ms":7900,"value":"Calder Logistics"},{"field":"phone","quote":"My number is 020 7946 0991.","segment":5,"speaker":"Ruben Calder","start_ms":25800,"value":"020 7946 0991"}],"name":"Ruben Calder"},{"facts":[{"field":"title","quote":"And I''m Mei Tanaka, IT Manager at Calder.","segment":3,"speaker":"Mei Tanaka","start_ms":15600,"value":"IT Manager"},{"field":"company","quote":"And I''m Mei Tanaka, IT Manager at Calder.","segment":3,"speaker":"Mei Tanaka","start_ms":15600,"value":"Calder"}],"name":"Mei Tanaka"}],"customer_requests":["We need something that talks to our telematics."],"key_points":["Shall we start with how you plan routes today?","We need something that talks to our telematics.","That is a connector we have.","Ten percent fewer miles by the end of June.","My number is 020 7946 0991."],"metrics":{"interruptions":1,"longest_monologue_ms":8100,"questions":2,"silence_ms":1900,"talk_ms":{"Iris Adeyemi":16700,"Mei Tanaka":5400,"Ruben Calder":15400},"talk_ratio":0.44533333333333336,"words":108},"priority":"medium","resolution":"unknown","sentiment":"neutral","summary":"We plan by hand, and it takes two people every morning. If the pilot shows that, I can sign in May. I''ll send you the pilot plan by Friday, and Mei gets the connector documentation.","tone":"Neutral","topics":["plan routes","start","pilot","connector","hand","telematics","people","Ten"],"usage":null}',1795991610517654);
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
INSERT INTO "calls" VALUES(X'96A734E8170A55A2AC9FF6E7B55462C2',X'64656272696566008000000000000001','exotel','CA-78','phone','no_recording',0,'{"from_number":"+919876543210"}',NULL,1795991609446183,1795991609446183);
INSERT INTO "calls" VALUES(X'1A5DEED34B6153868EE2020AACE7A5A3',X'64656272696566008000000000000001','exotel','CA-77','phone','waiting',1,'{"agent_name":"Dana Ortiz","agent_phone":"+12025550131","agent_slack_handle":"@dana","customer_segment":"SMB","department":"Support","duration_ms":125000,"from_number":"+919876543210","metadata":{"queue":"north"},"source_status":"completed","started_at":"2026-02-03T10:00:00Z","to_number":"+918012345678"}','Dana Ortiz',1795991609452627,1795991609593823);
INSERT INTO "calls" VALUES(X'D68A57C7FEDA54F581105A2392B3A81C',X'64656272696566008000000000000001','zoom','hN3xT0aWQ1yDebriefDemo==','meeting','waiting',1,'{"duration_ms":1800000,"metadata":{"host_id":"iris.adeyemi@northbeam.example.com","id":85200000017,"timezone":"Europe/London","type":2},"participants":[{"email":"iris.adeyemi@northbeam.example.com","name":"Iris Adeyemi","role":"host"},{"email":"ruben.calder@calder.example.com","name":"Ruben Calder","role":"participant"},{"email":"mei.tanaka@calder.example.com","name":"Mei Tanaka","role":"participant"}],"started_at":"2026-03-04T09:30:00Z","topic":"Northbeam and Calder Logistics: route planning"}',NULL,1795991609453061,1795991610607042);
INSERT INTO "calls" VALUES(X'B080464D4C265A8BA32568E01FA63BC3',X'64656272696566008000000000000001','session','S-1','session','waiting',1,'{"from_number":"+12025550199","lead":{"clinics":4,"name":"Ana Diaz"}}',NULL,1795991609453297,1795991612143527);
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
INSERT INTO "effects" VALUES(X'B85767F9E12E5CD0A19C7F9A0778040A',X'64656272696566008000000000000001',X'D68A57C7FEDA54F581105A2392B3A81C','slack','slack','post','not_sent','4aa72029ce3de29c73b37f8715860dc0781e3869e4bc2619a447af80a320daf1',1,NULL,NULL,1795991642574630,NULL,'slack_unreachable',1795991610602422);
INSERT INTO "effects" VALUES(X'C25D5591EFCC5E60BBA27A1101F5B6FC',X'64656272696566008000000000000001',X'B080464D4C265A8BA32568E01FA63BC3','slack','slack','post','not_sent','9b2bc9682d8aafc58efb7874de72ad3968af8ee7a7203127c174258bac706694',1,NULL,NULL,1795991644119164,NULL,'slack_unreachable',1795991612138971);
CREATE TABLE idempotency_keys (
    workspace BLOB NOT NULL,
    id BLOB NOT NULL,
    answer TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (workspace, id)
) STRICT;
CREATE TABLE instances (
    id BLOB PRIMARY KEY,
    started_at INTEGER NOT NULL,
    alive_until INTEGER NOT NULL
) STRICT;
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
INSERT INTO "materials" VALUES(X'942CF17F51645EB18FB8F5C747338DFB',0,X'64656272696566008000000000000001',X'96A734E8170A55A2AC9FF6E7B55462C2','announcement','',NULL,1795991609446183);
INSERT INTO "materials" VALUES(X'D3F59EE399BA5896B60757E5F5451510',0,X'64656272696566008000000000000001',X'1A5DEED34B6153868EE2020AACE7A5A3','recording','c1a107e1ddd93e24198c2e0dc865bf792c06da9bd42910785bf9e891a69623e8','{"at":{"sealed_url":"s1.QPHB7PVzSFgPkUHwLWgeeOPpGDGMhJCI4Cm-MKRW-mOUStUZoiO8eyo-B5WlplKzJhDJ0o4Ui7TKuPoyApqJVRVOYkRPkNPbdyZIDe2kvyjY"},"digest":"c1a107e1ddd93e24198c2e0dc865bf792c06da9bd42910785bf9e891a69623e8","kind":"recording"}',1795991609452627);
INSERT INTO "materials" VALUES(X'82E8ACFBFBC453C8B32AADCC8FE21D6B',0,X'64656272696566008000000000000001',X'D68A57C7FEDA54F581105A2392B3A81C','transcript','011920e241f2bd9fda6a704a1908ef51c08bdda4300ca4426f2673f11d319b9e','{"at":{"blob":"64656272-6965-6600-8000-000000000001/d68a57c7-feda-54f5-8110-5a2392b3a81c/011920e241f2bd9fda6a704a1908ef51c08bdda4300ca4426f2673f11d319b9e"},"digest":"011920e241f2bd9fda6a704a1908ef51c08bdda4300ca4426f2673f11d319b9e","kind":"transcript","media_type":"vtt"}',1795991609453061);
INSERT INTO "materials" VALUES(X'62AD02838E0A5E6FA27FC842AA2EDBBE',0,X'64656272696566008000000000000001',X'B080464D4C265A8BA32568E01FA63BC3','session','45f6885a7252e7c6f1ff444f98476d34723148da8bf00257d50984af61e177ac','{"at":{"blob":"64656272-6965-6600-8000-000000000001/b080464d-4c26-5a8b-a325-68e01fa63bc3/45f6885a7252e7c6f1ff444f98476d34723148da8bf00257d50984af61e177ac"},"digest":"45f6885a7252e7c6f1ff444f98476d34723148da8bf00257d50984af61e177ac","kind":"session","media_type":"application/json"}',1795991609453297);
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    event_id BLOB NOT NULL,
    lane TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
CREATE TABLE principals (
    id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL REFERENCES workspaces (id),
    name TEXT NOT NULL,
    key_hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT;
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;
INSERT INTO "secrets" VALUES('seal_key','0abbb59c7d3f81b573b28642e9b1803fc24051ba21d7e7d4c64c2bec066b7b23');
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
INSERT INTO "stage_history" VALUES(X'D68A57C7FEDA54F581105A2392B3A81C','transcription',1,1,X'64656272696566008000000000000001','done',1,NULL,1795991609453061,1795991609496234,1795991609520132);
INSERT INTO "stage_history" VALUES(X'B080464D4C265A8BA32568E01FA63BC3','transcription',1,1,X'64656272696566008000000000000001','done',1,NULL,1795991609453297,1795991609495553,1795991609522008);
INSERT INTO "stage_history" VALUES(X'B080464D4C265A8BA32568E01FA63BC3','analysis',1,1,X'64656272696566008000000000000001','done',1,NULL,1795991609522008,1795991609541465,1795991610514070);
INSERT INTO "stage_history" VALUES(X'D68A57C7FEDA54F581105A2392B3A81C','analysis',1,1,X'64656272696566008000000000000001','done',1,NULL,1795991609520132,1795991609550591,1795991610517654);
INSERT INTO "stage_history" VALUES(X'D68A57C7FEDA54F581105A2392B3A81C','crm',1,1,X'64656272696566008000000000000001','done',1,NULL,1795991610517654,1795991610529588,1795991610549549);
INSERT INTO "stage_history" VALUES(X'B080464D4C265A8BA32568E01FA63BC3','crm',1,1,X'64656272696566008000000000000001','done',1,NULL,1795991610514070,1795991610532255,1795991610551529);
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
INSERT INTO "stage_runs" VALUES(X'1A5DEED34B6153868EE2020AACE7A5A3','transcription',X'64656272696566008000000000000001',1,'{"specversion":"1.0","id":"d3f59ee3-99ba-5896-b607-57e5f5451510","source":"/debrief","type":"call.accepted.v1","subject":"1a5deed3-4b61-5386-8ee2-020aace7a5a3","time":"2026-11-29T22:33:13.078955Z","datacontenttype":"application/json","workspace":"64656272-6965-6600-8000-000000000001","generation":1,"traceparent":"00-6c5251310e27a39e675462323c37d6fa-7613a23c8e059494-00","data":{}}','live',NULL,NULL,'parked',1795991609452627,1795991641112181,1795991641112181,NULL,1,0,0,'speech_to_text','speech_to_text_not_configured','no speech-to-text provider is configured: set ASSEMBLYAI_API_KEY',1795991609491215,1795991609593823);
INSERT INTO "stage_runs" VALUES(X'D68A57C7FEDA54F581105A2392B3A81C','transcription',X'64656272696566008000000000000001',1,'{"specversion":"1.0","id":"82e8acfb-fbc4-53c8-b32a-adcc8fe21d6b","source":"/debrief","type":"call.accepted.v1","subject":"d68a57c7-feda-54f5-8110-5a2392b3a81c","time":"2026-11-29T22:33:13.159636Z","datacontenttype":"application/json","workspace":"64656272-6965-6600-8000-000000000001","generation":1,"traceparent":"00-713554dfa168dd1c8b8a8e81ac2f382f-9d41321663a8d71a-00","data":{}}','live',NULL,NULL,'done',1795991609453061,1795991609520132,NULL,NULL,1,1,0,NULL,NULL,NULL,1795991609496234,1795991609520132);
INSERT INTO "stage_runs" VALUES(X'B080464D4C265A8BA32568E01FA63BC3','transcription',X'64656272696566008000000000000001',1,'{"specversion":"1.0","id":"62ad0283-8e0a-5e6f-a27f-c842aa2edbbe","source":"/debrief","type":"call.accepted.v1","subject":"b080464d-4c26-5a8b-a325-68e01fa63bc3","time":"2026-11-29T22:33:13.224730Z","datacontenttype":"application/json","workspace":"64656272-6965-6600-8000-000000000001","generation":1,"traceparent":"00-e95a6c651f39f40e2d5ff08bbab03c51-0fe4af80b3bf480c-00","data":{}}','live',NULL,NULL,'done',1795991609453297,1795991609522008,NULL,NULL,1,1,0,NULL,NULL,NULL,1795991609495553,1795991609522008);
INSERT INTO "stage_runs" VALUES(X'D68A57C7FEDA54F581105A2392B3A81C','analysis',X'64656272696566008000000000000001',1,'{"specversion":"1.0","id":"18468fab-5b6b-56c0-b10f-540a5ddfff33","source":"/debrief","type":"call.transcribed.v1","subject":"d68a57c7-feda-54f5-8110-5a2392b3a81c","time":"2026-11-29T22:33:29.519444Z","datacontenttype":"application/json","workspace":"64656272-6965-6600-8000-000000000001","generation":1,"traceparent":"00-713554dfa168dd1c8b8a8e81ac2f382f-8bd256bc1aa43c52-00","data":{}}','live',NULL,NULL,'done',1795991609520132,1795991610517654,NULL,NULL,1,1,0,NULL,NULL,NULL,1795991609550591,1795991610517654);
INSERT INTO "stage_runs" VALUES(X'B080464D4C265A8BA32568E01FA63BC3','analysis',X'64656272696566008000000000000001',1,'{"specversion":"1.0","id":"71ddfbe7-1bf8-5265-9aa0-649ed646d0c7","source":"/debrief","type":"call.transcribed.v1","subject":"b080464d-4c26-5a8b-a325-68e01fa63bc3","time":"2026-11-29T22:33:29.521740Z","datacontenttype":"application/json","workspace":"64656272-6965-6600-8000-000000000001","generation":1,"traceparent":"00-e95a6c651f39f40e2d5ff08bbab03c51-d885b97017dd335a-00","data":{}}','live',NULL,NULL,'done',1795991609522008,1795991610514070,NULL,NULL,1,1,0,NULL,NULL,NULL,1795991609541465,1795991610514070);
INSERT INTO "stage_runs" VALUES(X'B080464D4C265A8BA32568E01FA63BC3','crm',X'64656272696566008000000000000001',1,'{"specversion":"1.0","id":"db1defbc-79b5-5367-bed3-72d10dcd56e7","source":"/debrief","type":"call.analyzed.v1","subject":"b080464d-4c26-5a8b-a325-68e01fa63bc3","time":"2026-11-29T22:33:30.513361Z","datacontenttype":"application/json","workspace":"64656272-6965-6600-8000-000000000001","generation":1,"traceparent":"00-e95a6c651f39f40e2d5ff08bbab03c51-53f8286701cd80f0-00","data":{}}','live',NULL,NULL,'done',1795991610514070,1795991610551529,NULL,NULL,1,1,0,NULL,NULL,NULL,1795991610532255,1795991610551529);
INSERT INTO "stage_runs" VALUES(X'B080464D4C265A8BA32568E01FA63BC3','slack',X'64656272696566008000000000000001',1,'{"specversion":"1.0","id":"db1defbc-79b5-5367-bed3-72d10dcd56e7","source":"/debrief","type":"call.analyzed.v1","subject":"b080464d-4c26-5a8b-a325-68e01fa63bc3","time":"2026-11-29T22:33:30.513361Z","datacontenttype":"application/json","workspace":"64656272-6965-6600-8000-000000000001","generation":1,"traceparent":"00-e95a6c651f39f40e2d5ff08bbab03c51-53f8286701cd80f0-00","data":{}}','live',NULL,NULL,'parked',1795991610514070,1795992231826547,1795992231826547,NULL,1,0,0,'slack','slack_unreachable','failed to reach Slack: connection refused or not possible: client error (Connect): tcp connect error: Connection refused (os error 111)',1795991610532777,1795991612143527);
INSERT INTO "stage_runs" VALUES(X'D68A57C7FEDA54F581105A2392B3A81C','crm',X'64656272696566008000000000000001',1,'{"specversion":"1.0","id":"4ac40d01-a94a-52a6-9237-a086b502b8a4","source":"/debrief","type":"call.analyzed.v1","subject":"d68a57c7-feda-54f5-8110-5a2392b3a81c","time":"2026-11-29T22:33:30.517275Z","datacontenttype":"application/json","workspace":"64656272-6965-6600-8000-000000000001","generation":1,"traceparent":"00-713554dfa168dd1c8b8a8e81ac2f382f-56d8580fed0d96a2-00","data":{}}','live',NULL,NULL,'done',1795991610517654,1795991610549549,NULL,NULL,1,1,0,NULL,NULL,NULL,1795991610529588,1795991610549549);
INSERT INTO "stage_runs" VALUES(X'D68A57C7FEDA54F581105A2392B3A81C','slack',X'64656272696566008000000000000001',1,'{"specversion":"1.0","id":"4ac40d01-a94a-52a6-9237-a086b502b8a4","source":"/debrief","type":"call.analyzed.v1","subject":"d68a57c7-feda-54f5-8110-5a2392b3a81c","time":"2026-11-29T22:33:30.517275Z","datacontenttype":"application/json","workspace":"64656272-6965-6600-8000-000000000001","generation":1,"traceparent":"00-713554dfa168dd1c8b8a8e81ac2f382f-56d8580fed0d96a2-00","data":{}}','live',NULL,NULL,'parked',1795991610517654,1795991641385610,1795991641385610,NULL,1,0,0,'slack','slack_unreachable','failed to reach Slack: connection refused or not possible: client error (Connect): tcp connect error: Connection refused (os error 111)',1795991610530347,1795991610607042);
CREATE TABLE transcripts (
    call_id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL,
    generation INTEGER NOT NULL,
    transcript TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO "transcripts" VALUES(X'D68A57C7FEDA54F581105A2392B3A81C',X'64656272696566008000000000000001',1,'{"language":null,"segments":[{"confidence":null,"end_ms":7400,"id":1,"role":"host","speaker":"Iris Adeyemi","start_ms":2000,"text":"Good morning both, thank you for joining. Shall we start with how you plan routes today?"},{"confidence":null,"end_ms":15200,"id":2,"role":"participant","speaker":"Ruben Calder","start_ms":7900,"text":"Sure. I''m Ruben Calder, Head of Operations at Calder Logistics. We plan by hand, and it takes two people every morning."},{"confidence":null,"end_ms":21000,"id":3,"role":"participant","speaker":"Mei Tanaka","start_ms":15600,"text":"And I''m Mei Tanaka, IT Manager at Calder. We need something that talks to our telematics."},{"confidence":null,"end_ms":25300,"id":4,"role":"host","speaker":"Iris Adeyemi","start_ms":20600,"text":"That is a connector we have. What would a good result look like for you?"},{"confidence":null,"end_ms":33900,"id":5,"role":"participant","speaker":"Ruben Calder","start_ms":25800,"text":"Ten percent fewer miles by the end of June. If the pilot shows that, I can sign in May. My number is 020 7946 0991."},{"confidence":null,"end_ms":41000,"id":6,"role":"host","speaker":"Iris Adeyemi","start_ms":34400,"text":"Perfect. I''ll send you the pilot plan by Friday, and Mei gets the connector documentation."}]}',1795991609520132);
INSERT INTO "transcripts" VALUES(X'B080464D4C265A8BA32568E01FA63BC3',X'64656272696566008000000000000001',1,'{"language":null,"segments":[{"confidence":null,"end_ms":null,"id":1,"role":"agent","speaker":null,"start_ms":null,"text":"Good morning, how can I help?"},{"confidence":null,"end_ms":null,"id":2,"role":"customer","speaker":null,"start_ms":null,"text":"My invoice is wrong, please send me a new one tomorrow."}]}',1795991609522008);
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
CREATE TABLE workspaces (
    id BLOB PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
) STRICT;
INSERT INTO "workspaces" VALUES(X'64656272696566008000000000000001','default',1795991592832850);
CREATE INDEX calls_by_time ON calls (workspace, received_at DESC, id);
CREATE INDEX calls_by_external_id ON calls (workspace, external_id);
CREATE INDEX calls_by_status ON calls (workspace, status, received_at DESC);
CREATE INDEX materials_by_call ON materials (call_id, received_at);
CREATE INDEX stage_runs_due ON stage_runs (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX stage_runs_running ON stage_runs (owner) WHERE state = 'running';
CREATE INDEX stage_runs_parked ON stage_runs (workspace, destination, wake_at) WHERE state = 'parked';
CREATE INDEX stage_runs_by_state ON stage_runs (stage, state) WHERE state <> 'done';
CREATE INDEX effects_by_call ON effects (call_id);
CREATE INDEX effects_open ON effects (workspace, state) WHERE state <> 'confirmed';
CREATE INDEX dead_letters_open ON dead_letters (died_at, id) WHERE replayed_at IS NULL;
CREATE INDEX dead_letters_by_call ON dead_letters (call_id, stage) WHERE replayed_at IS NULL;
CREATE INDEX dead_letters_by_group ON dead_letters (error_group);
CREATE INDEX audit_by_time ON audit (workspace, at DESC, id);
CREATE INDEX audit_by_batch ON audit (batch);
DELETE FROM "sqlite_sequence";
COMMIT;
