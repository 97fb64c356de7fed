-- People who sign in. A person belongs to one workspace. What she signs in with is unique in the installation.
CREATE TABLE users (
    id BLOB PRIMARY KEY,
    workspace BLOB NOT NULL REFERENCES workspaces (id),
    login TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    agent TEXT,
    password_hash TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    disabled_at INTEGER
) STRICT;
CREATE INDEX users_by_workspace ON users (workspace, login);

-- Who a person is at the provider with which she signs in.
CREATE TABLE user_subjects (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    user_id BLOB NOT NULL REFERENCES users (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (issuer, subject)
) STRICT;

-- Browsers and programs in which a person is signed in. Only the SHA-256 of a session's token is kept. `workspace` is
-- where the session works: an administrator of the installation can enter another workspace than her own.
CREATE TABLE user_sessions (
    id BLOB PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    user_id BLOB NOT NULL REFERENCES users (id),
    workspace BLOB NOT NULL REFERENCES workspaces (id),
    created_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER,
    how TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    network TEXT NOT NULL
) STRICT;
CREATE INDEX user_sessions_by_user ON user_sessions (user_id, created_at);

-- An invitation makes one account. Only the SHA-256 of its token is kept.
CREATE TABLE invitations (
    id BLOB PRIMARY KEY,
    token_hash TEXT NOT NULL UNIQUE,
    workspace BLOB NOT NULL REFERENCES workspaces (id),
    login TEXT NOT NULL,
    role TEXT NOT NULL,
    agent TEXT,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    expires_at INTEGER NOT NULL,
    ended_at INTEGER
) STRICT;
CREATE INDEX invitations_open ON invitations (workspace, created_at) WHERE ended_at IS NULL;
CREATE INDEX invitations_by_login ON invitations (login) WHERE ended_at IS NULL;

-- Tries to sign in that failed, or that are being decided. A row stays for a day.
CREATE TABLE sign_in_failures (
    id BLOB PRIMARY KEY,
    login TEXT NOT NULL,
    network TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX sign_in_failures_by_login ON sign_in_failures (login, at);
CREATE INDEX sign_in_failures_by_network ON sign_in_failures (network, at);
CREATE INDEX sign_in_failures_by_time ON sign_in_failures (at);
