-- People who sign in. A person belongs to one workspace. What she signs in with is unique in the installation.
CREATE TABLE users (
    id uuid PRIMARY KEY,
    workspace uuid NOT NULL REFERENCES workspaces (id),
    login text NOT NULL UNIQUE,
    name text NOT NULL,
    role text NOT NULL,
    agent text,
    password_hash text,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    disabled_at timestamptz
);
CREATE INDEX users_by_workspace ON users (workspace, login);

-- Who a person is at the provider with which she signs in.
CREATE TABLE user_subjects (
    issuer text NOT NULL,
    subject text NOT NULL,
    user_id uuid NOT NULL REFERENCES users (id),
    created_at timestamptz NOT NULL,
    PRIMARY KEY (issuer, subject)
);

-- Browsers and programs in which a person is signed in. Only the SHA-256 of a session's token is kept. `workspace` is
-- where the session works: an administrator of the installation can enter another workspace than her own.
CREATE TABLE user_sessions (
    id uuid PRIMARY KEY,
    token_hash text NOT NULL UNIQUE,
    user_id uuid NOT NULL REFERENCES users (id),
    workspace uuid NOT NULL REFERENCES workspaces (id),
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz,
    how text NOT NULL,
    user_agent text NOT NULL,
    network text NOT NULL
);
CREATE INDEX user_sessions_by_user ON user_sessions (user_id, created_at);

-- An invitation makes one account. Only the SHA-256 of its token is kept.
CREATE TABLE invitations (
    id uuid PRIMARY KEY,
    token_hash text NOT NULL UNIQUE,
    workspace uuid NOT NULL REFERENCES workspaces (id),
    login text NOT NULL,
    role text NOT NULL,
    agent text,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz NOT NULL,
    ended_at timestamptz
);
CREATE INDEX invitations_open ON invitations (workspace, created_at) WHERE ended_at IS NULL;
CREATE INDEX invitations_by_login ON invitations (login) WHERE ended_at IS NULL;

-- Tries to sign in that failed, or that are being decided. A row stays for a day.
CREATE TABLE sign_in_failures (
    id uuid PRIMARY KEY,
    login text NOT NULL,
    network text NOT NULL,
    at timestamptz NOT NULL
);
CREATE INDEX sign_in_failures_by_login ON sign_in_failures (login, at);
CREATE INDEX sign_in_failures_by_network ON sign_in_failures (network, at);
CREATE INDEX sign_in_failures_by_time ON sign_in_failures (at);
