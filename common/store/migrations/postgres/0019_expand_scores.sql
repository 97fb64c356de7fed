-- What a call is worth by a file of criteria. `card` is the whole scorecard, with the segments on which it rests.
CREATE TABLE call_scores (
    call_id uuid NOT NULL,
    name text NOT NULL,
    workspace uuid NOT NULL,
    generation bigint NOT NULL,
    version bigint NOT NULL,
    overall bigint NOT NULL,
    card jsonb NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (call_id, name)
);
