-- Calls that were not finished when a back-up was made, which was restored later. What was done for them after the
-- back-up is not in the ledger, so the destination is asked before anything is done for them again.
CREATE TABLE doubted_calls (
    call_id BLOB PRIMARY KEY,
    since INTEGER NOT NULL
) STRICT;
