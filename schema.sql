-- The queue of outboxd. This file is the only definition of its tables; it is embedded in the daemon.
--
-- Times are milliseconds since 1970 UTC. Flags are 0 and 1. Numbers that stand for words are the raw values of
-- the enums in Sources/OutboxCore, and the views at the end spell them out for whoever looks with sqlite3.
-- A change here raises user_version, adds a step in Schema.swift and a test that opens a file of the old version.

PRAGMA application_id = 0x6f757462;  -- "outb"
PRAGMA user_version = 1;

-- Facts about this file.
CREATE TABLE property (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The owner of everything. Account 1, `default`, exists from the start.
CREATE TABLE account (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    created_at INTEGER NOT NULL
) STRICT;

INSERT INTO account (id, name, created_at) VALUES (1, 'default', 0);

-- A WhatsApp business phone number messages are sent from. Never removed, for messages point to it: deleted_at.
CREATE TABLE line (
    id              INTEGER PRIMARY KEY,
    account         INTEGER NOT NULL REFERENCES account (id),
    name            TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    phone_number_id TEXT    NOT NULL CHECK (length(phone_number_id) BETWEEN 1 AND 64),
    waba_id         TEXT,
    credential      TEXT    NOT NULL,  -- the name of the secret that holds the access token
    unknown_policy  INTEGER NOT NULL CHECK (unknown_policy BETWEEN 0 AND 2),
    unknown_grace   INTEGER NOT NULL CHECK (unknown_grace BETWEEN 1 AND 2592000),  -- seconds
    messages_per_second INTEGER NOT NULL CHECK (messages_per_second BETWEEN 1 AND 10000),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    deleted_at      INTEGER
) STRICT;

CREATE UNIQUE INDEX line_name ON line (account, name) WHERE deleted_at IS NULL;

-- Messages submitted together.
CREATE TABLE batch (
    id           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL REFERENCES account (id),
    queued       INTEGER NOT NULL CHECK (queued >= 0),        -- messages accepted
    failed_count INTEGER NOT NULL CHECK (failed_count >= 0),  -- items refused
    created_at   INTEGER NOT NULL
) STRICT;

-- One message to one recipient, and where it stands (MessageState). The id holds the time of acceptance.
CREATE TABLE message (
    id             INTEGER PRIMARY KEY,
    account        INTEGER NOT NULL,
    line           INTEGER NOT NULL REFERENCES line (id),
    batch          INTEGER,
    state          INTEGER NOT NULL CHECK (state BETWEEN 0 AND 8),
    priority       INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    due_at         INTEGER NOT NULL,             -- scheduled, retrying: when it is queued; later: since when
    attempt        INTEGER NOT NULL DEFAULT 0,   -- the last attempt number given out
    failures       INTEGER NOT NULL DEFAULT 0,   -- attempts that count against the allowed number
    closed_attempt INTEGER NOT NULL DEFAULT 0,   -- attempts an explicit retry left behind
    unknown        INTEGER NOT NULL DEFAULT 0 CHECK (unknown IN (0, 1)),
    grace_until    INTEGER,                      -- unknown: when the line's policy decides; null: never
    last_event     INTEGER NOT NULL,             -- head of this message's chain in event
    recipient      TEXT    NOT NULL CHECK (length(recipient) BETWEEN 7 AND 15 AND recipient NOT GLOB '*[^0-9]*'),
    type           TEXT    NOT NULL CHECK (type <> ''),
    content        TEXT    NOT NULL,             -- JSON: what Meta gets under `type`
    metadata       TEXT,                         -- JSON: the caller's own
    send_at        INTEGER,                      -- as asked for
    expires_at     INTEGER,
    created_at     INTEGER NOT NULL,
    wamid          TEXT,                         -- Meta's id of the attempt that counts
    sent_at        INTEGER,
    delivered_at   INTEGER,
    read_at        INTEGER,
    failed_at      INTEGER,
    cancelled_at   INTEGER,
    failed_by      INTEGER CHECK (failed_by IN (0, 1)),  -- FailureOrigin
    error_code     TEXT,                         -- of the last failure
    error_message  TEXT,
    CHECK (state <> 0 OR (send_at IS NOT NULL AND attempt = 0)),
    CHECK (state NOT IN (2, 3) OR attempt >= 1),
    CHECK (unknown = 0 OR state = 2),
    CHECK (grace_until IS NULL OR unknown = 1),
    CHECK (closed_attempt <= attempt),
    CHECK (state <> 4 OR sent_at IS NOT NULL),
    CHECK (state <> 5 OR delivered_at IS NOT NULL),
    CHECK (state <> 6 OR read_at IS NOT NULL),
    CHECK (state <> 7 OR (failed_at IS NOT NULL AND failed_by IS NOT NULL AND error_code IS NOT NULL)),
    CHECK (state <> 8 OR cancelled_at IS NOT NULL)
) STRICT;

-- Each serves one statement and holds live messages alone, so that history costs nothing.
CREATE INDEX message_ready   ON message (line, priority, due_at, id) WHERE state = 1;
CREATE INDEX message_due     ON message (due_at) WHERE state IN (0, 3);
CREATE INDEX message_expiry  ON message (expires_at) WHERE expires_at IS NOT NULL AND state IN (0, 1, 3);
CREATE INDEX message_claimed ON message (id) WHERE state = 2;
CREATE INDEX message_grace   ON message (grace_until) WHERE grace_until IS NOT NULL;
CREATE INDEX message_wamid   ON message (wamid) WHERE wamid IS NOT NULL AND state IN (2, 4, 5, 7);
CREATE INDEX message_failed  ON message (id) WHERE state = 7;
CREATE INDEX message_waiting ON message (id) WHERE state IN (0, 3);
CREATE INDEX message_batch   ON message (batch, id) WHERE batch IS NOT NULL;

-- Everything that happened, in order, written in the transaction of the change it tells. Only ever appended to.
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY,
    account  INTEGER NOT NULL,
    message  INTEGER NOT NULL,
    previous INTEGER,           -- the message's event before this one
    at       INTEGER NOT NULL,
    kind     INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 11),  -- EventKind
    state    INTEGER NOT NULL CHECK (state BETWEEN 0 AND 8),  -- the message's state afterwards
    attempt  INTEGER NOT NULL,
    detail   TEXT               -- JSON
) STRICT;

-- How many messages of a line stand where, kept in the transaction that changes it.
CREATE TABLE counter (
    line  INTEGER NOT NULL,
    state INTEGER NOT NULL CHECK (state BETWEEN 0 AND 8),
    count INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (line, state)
) STRICT, WITHOUT ROWID;

-- Meta's calls as received, until what they tell has been applied.
CREATE TABLE webhook (
    id          INTEGER PRIMARY KEY,
    received_at INTEGER NOT NULL,
    app         TEXT    NOT NULL,
    body        BLOB    NOT NULL,
    problem     TEXT     -- why it could not be applied; such rows stay
) STRICT;

CREATE INDEX webhook_unapplied ON webhook (id) WHERE problem IS NULL;

-- Statuses of a wamid no message has yet: they came before the answer to our own POST was recorded.
CREATE TABLE early_status (
    id              INTEGER PRIMARY KEY,
    received_at     INTEGER NOT NULL,
    phone_number_id TEXT    NOT NULL,
    wamid           TEXT    NOT NULL,
    report          INTEGER NOT NULL CHECK (report BETWEEN 0 AND 3),  -- Report
    at              INTEGER NOT NULL,
    error_code      TEXT,
    error_message   TEXT
) STRICT;

CREATE INDEX early_status_wamid ON early_status (wamid);
CREATE INDEX early_status_age ON early_status (received_at);

-- For people: sqlite3 outboxd.db 'SELECT * FROM message_in_words ORDER BY id DESC LIMIT 10'
CREATE VIEW message_in_words AS
SELECT m.id, l.name AS line, m.recipient,
    json_extract('["scheduled","queued","processing","retrying","sent","delivered","read","failed","cancelled"]',
                 '$[' || m.state || ']') AS state,
    json_extract('["high","normal","low"]', '$[' || m.priority || ']') AS priority,
    m.attempt, m.unknown, m.type, m.wamid, m.error_code, m.error_message,
    datetime(m.created_at / 1000, 'unixepoch') AS created_at, datetime(m.due_at / 1000, 'unixepoch') AS due_at
FROM message AS m JOIN line AS l ON l.id = m.line;
