-- The queue of outboxd. This file is the only definition of its tables; it is embedded in the daemon.
--
-- Times are milliseconds since 1970 UTC. Flags are 0 and 1. Numbers that stand for words are the raw values of
-- the enums in Sources/OutboxCore, and the views at the end spell them out for whoever looks with sqlite3.
-- A change here raises user_version, adds a step in Upgrade.swift and a test that opens a file of the old version.

PRAGMA application_id = 0x6f757462;  -- "outb"
PRAGMA user_version = 4;

-- Facts about this file.
CREATE TABLE property (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The owner of everything. Account 1, `default`, exists from the start.
CREATE TABLE account (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL UNIQUE CHECK (name <> ''),
    created_at INTEGER NOT NULL,
    label      TEXT,     -- whose it is, in words
    email      TEXT,
    plan       INTEGER CHECK (plan BETWEEN 0 AND 3)  -- Plan; null: none
) STRICT;

INSERT INTO account (id, name, created_at) VALUES (1, 'default', 0);

-- Bearer keys: who brings one stands for its account. Of a key only its SHA-256 is kept.
CREATE TABLE access_key (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,  -- numbers people have noted are not given again
    account      INTEGER NOT NULL REFERENCES account (id),
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    role         INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),  -- Role
    prefix       INTEGER NOT NULL CHECK (prefix BETWEEN 0 AND 7),  -- AccessKey.Prefix
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    old_hash     BLOB    CHECK (length(old_hash) = 32),  -- the one before, which counts until then
    old_until    INTEGER,
    created_at   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    rotated_at   INTEGER,
    last_used_at INTEGER,   -- to the minute
    UNIQUE (account, name),
    CHECK ((old_hash IS NULL) = (old_until IS NULL))
) STRICT;

-- The clock Meta's limits are kept by (LimitClock): where it stood when something was last kept by it. One row.
CREATE TABLE limit_clock (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    boot      TEXT    NOT NULL,  -- of the machine
    offset    INTEGER NOT NULL,  -- to the boot clock
    seen      INTEGER NOT NULL,
    seen_wall INTEGER,           -- null: it was not synchronised
    sure_from INTEGER NOT NULL   -- since then no time can have been lost
) STRICT;

-- Lines whose people are counted together against one tier. Times here are of the limits' clock.
CREATE TABLE pool (
    id              INTEGER PRIMARY KEY,
    account         INTEGER NOT NULL REFERENCES account (id),
    name            TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    tier            INTEGER CHECK (tier BETWEEN 0 AND 6),          -- Tier, as set; null: as learned
    tier_learned    INTEGER CHECK (tier_learned BETWEEN 0 AND 6),
    kept_for_high   INTEGER NOT NULL CHECK (kept_for_high BETWEEN 0 AND 100),  -- percent
    elsewhere       INTEGER NOT NULL DEFAULT 0 CHECK (elsewhere >= 0),         -- people other senders wrote to
    elsewhere_until INTEGER,
    UNIQUE (account, name)
) STRICT;

-- The people a pool has written to outside a window, each until 24 hours after the last attempt can have ended.
CREATE TABLE tier_slot (
    pool    INTEGER NOT NULL REFERENCES pool (id),
    person  TEXT    NOT NULL,
    free_at INTEGER NOT NULL,
    PRIMARY KEY (pool, person)
) STRICT, WITHOUT ROWID;

CREATE INDEX tier_slot_free ON tier_slot (pool, free_at);

-- What a line knows of a person. Times here are of the limits' clock.
CREATE TABLE contact (
    line               INTEGER NOT NULL,
    person             TEXT    NOT NULL,
    window_until       INTEGER,  -- free-form text may be sent
    window_seen        INTEGER,  -- when that was heard
    ad_until           INTEGER,  -- an answer to the clicked ad opens the free entry point
    free_entry_until   INTEGER,
    pair_full_at       INTEGER,  -- PairLimit
    quiet_until        INTEGER,  -- Meta asked to wait with this person
    no_marketing_until INTEGER,
    wake_at            INTEGER,  -- messages wait here for time alone
    last_message       INTEGER,  -- that was sent to them, or was to be
    auto_replied_at    INTEGER,  -- the line's own text went to them
    PRIMARY KEY (line, person)
) STRICT, WITHOUT ROWID;

CREATE INDEX contact_wake ON contact (wake_at) WHERE wake_at IS NOT NULL;

-- Numbers Meta knows a person by under another name, as its answers say.
CREATE TABLE alias (
    account INTEGER NOT NULL,
    address TEXT    NOT NULL,
    person  TEXT    NOT NULL,
    PRIMARY KEY (account, address)
) STRICT, WITHOUT ROWID;

CREATE INDEX alias_person ON alias (account, person);

-- What somebody holds back until it is resumed.
CREATE TABLE pause (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,  -- numbers people have noted are not given again
    account    INTEGER NOT NULL REFERENCES account (id),
    scope      INTEGER NOT NULL CHECK (scope BETWEEN 0 AND 4),  -- PauseScope
    line       INTEGER REFERENCES line (id),  -- null: every line
    target     TEXT,                          -- template, batch or priority
    reason     TEXT,
    who        TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    until      INTEGER                        -- null: until resumed
) STRICT;

-- A line, or Meta as a whole (0), through which nothing gets: survives a restart.
CREATE TABLE breaker (
    line     INTEGER PRIMARY KEY,
    failures INTEGER NOT NULL CHECK (failures >= 1),
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL,  -- the next try
    code     TEXT    NOT NULL,
    message  TEXT    NOT NULL
) STRICT;

-- A WhatsApp business phone number messages are sent from. Never removed, for messages point to it: deleted_at.
CREATE TABLE line (
    id              INTEGER PRIMARY KEY,
    account         INTEGER NOT NULL REFERENCES account (id),
    name            TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    phone_number_id TEXT    NOT NULL CHECK (length(phone_number_id) BETWEEN 1 AND 64),
    waba_id         TEXT,
    credential      TEXT    NOT NULL,  -- the name of the secret that holds the access token
    unknown_policy  INTEGER NOT NULL CHECK (unknown_policy BETWEEN 0 AND 4),  -- UnknownPolicy
    unknown_grace   INTEGER NOT NULL CHECK (unknown_grace BETWEEN 1 AND 2592000),  -- seconds
    messages_per_second INTEGER CHECK (messages_per_second BETWEEN 1 AND 10000),  -- null: as Meta says
    burst           INTEGER NOT NULL CHECK (burst BETWEEN 1 AND 1000),
    pool            INTEGER NOT NULL REFERENCES pool (id),
    pair_limit      INTEGER NOT NULL CHECK (pair_limit IN (0, 1)),
    when_full       INTEGER NOT NULL CHECK (when_full BETWEEN 0 AND 1),       -- WhenFull
    closed_window   INTEGER NOT NULL CHECK (closed_window BETWEEN 0 AND 1),   -- ClosedWindow
    when_down       INTEGER NOT NULL CHECK (when_down BETWEEN 0 AND 1),       -- WhenDown
    when_stopped    INTEGER NOT NULL CHECK (when_stopped BETWEEN 0 AND 1),    -- WhenStopped
    attempts_max    INTEGER NOT NULL CHECK (attempts_max BETWEEN 1 AND 1000),
    first_wait      INTEGER NOT NULL CHECK (first_wait BETWEEN 1 AND 86400000),  -- milliseconds
    wait_max        INTEGER NOT NULL CHECK (wait_max BETWEEN 1 AND 86400000),    -- milliseconds
    age_max         INTEGER CHECK (age_max BETWEEN 1 AND 31536000),              -- seconds; null: none
    bot             INTEGER,  -- the subscription whose answers are sent as replies
    auto_reply      INTEGER NOT NULL DEFAULT 1 CHECK (auto_reply IN (0, 1)),
    auto_reply_text TEXT,     -- null: none
    auto_reply_seconds INTEGER NOT NULL DEFAULT 86400 CHECK (auto_reply_seconds BETWEEN 1 AND 2592000),
    created_at      INTEGER NOT NULL,
    updated_at      INTEGER NOT NULL,
    deleted_at      INTEGER,
    stop_words      TEXT,  -- JSON: what people write who want no marketing (OptOutKeywords)
    start_words     TEXT   -- JSON: who want it again
) STRICT;

CREATE UNIQUE INDEX line_name ON line (account, name) WHERE deleted_at IS NULL;

-- What Meta last said of a line's number (LineHealth), and how asking went.
CREATE TABLE line_health (
    line         INTEGER PRIMARY KEY REFERENCES line (id),
    status       INTEGER CHECK (status BETWEEN 0 AND 2),    -- LineStatus; null: never read
    can_send     INTEGER CHECK (can_send BETWEEN 0 AND 2),  -- CanSend
    quality      INTEGER CHECK (quality BETWEEN 0 AND 3),   -- QualityRating
    tier         INTEGER CHECK (tier BETWEEN 0 AND 6),
    per_second   INTEGER,
    reasons      TEXT,     -- JSON: an array of strings
    read_at      INTEGER,
    templates_at INTEGER,  -- when the list of templates was last read whole
    problem      TEXT,     -- why the last question was not answered
    token_state      INTEGER CHECK (token_state BETWEEN 0 AND 4),  -- TokenHealth.State; null: Meta never told
    token_expires_at INTEGER,  -- null: never
    token_checked_at INTEGER,
    token_reason     TEXT      -- why Meta does not take it
) STRICT;

-- How far a line has got with asking Meta what became of its messages while nobody heard. The last time only.
CREATE TABLE catch_up (
    line        INTEGER PRIMARY KEY REFERENCES line (id),
    since       INTEGER NOT NULL,  -- of messages sent then or later
    started_at  INTEGER NOT NULL,
    total       INTEGER NOT NULL,
    asked       INTEGER NOT NULL,
    changed     INTEGER NOT NULL,
    place       INTEGER NOT NULL,  -- messages up to here are done
    last        INTEGER NOT NULL,  -- messages behind are none of it
    problem     TEXT,              -- why it was given up
    finished_at INTEGER
) STRICT;

-- A line's templates, as Meta lists them.
CREATE TABLE template (
    line     INTEGER NOT NULL REFERENCES line (id),
    name     TEXT    NOT NULL,
    language TEXT    NOT NULL,
    status   TEXT    NOT NULL,
    category TEXT    NOT NULL,
    raw      TEXT    NOT NULL,  -- JSON: Meta's own object
    PRIMARY KEY (line, name, language)
) STRICT, WITHOUT ROWID;

-- Templates Meta refused to send for now, until they are tried again.
CREATE TABLE template_hold (
    line     INTEGER NOT NULL REFERENCES line (id),
    template TEXT    NOT NULL,  -- name/language
    code     TEXT    NOT NULL,
    since    INTEGER NOT NULL,
    until    INTEGER NOT NULL,
    PRIMARY KEY (line, template)
) STRICT, WITHOUT ROWID;

-- Messages submitted together.
CREATE TABLE batch (
    id           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL REFERENCES account (id),
    queued       INTEGER NOT NULL CHECK (queued >= 0),        -- messages accepted
    failed_count INTEGER NOT NULL CHECK (failed_count >= 0),  -- items refused
    created_at   INTEGER NOT NULL
) STRICT;

-- What came under an Idempotency-Key, and what was answered: a repeat is answered from here alone. Item -1 is the call
-- itself, the others are the items of a bulk, by their place; they go when their call does, or their key is new again.
CREATE TABLE idempotency (
    account    INTEGER NOT NULL,
    caller     INTEGER NOT NULL,  -- user id
    key        TEXT    NOT NULL CHECK (length(key) BETWEEN 1 AND 255),
    item       INTEGER NOT NULL CHECK (item >= -1),
    form       INTEGER NOT NULL CHECK (form BETWEEN 0 AND 2),  -- IdempotencyKey.Form
    digest     BLOB    NOT NULL CHECK (length(digest) = 16),
    created_at INTEGER NOT NULL,
    batch      INTEGER,  -- of a bulk
    message    INTEGER,  -- null: a bulk itself, or an item that was refused
    state      INTEGER CHECK (state BETWEEN 0 AND 8),  -- of a single message, as answered
    send_at    INTEGER,                                -- likewise
    answer     TEXT,                                   -- JSON: of a bulk that came to its end
    PRIMARY KEY (account, caller, key, item),
    CHECK ((batch IS NULL) = (form = 0)),
    CHECK ((state IS NULL) = (form <> 0)),
    CHECK (form <> 0 OR (item = -1 AND message IS NOT NULL)),
    CHECK (form = 0 OR item >= 0 OR message IS NULL),
    CHECK (send_at IS NULL OR form = 0),
    CHECK (answer IS NULL OR (form <> 0 AND item = -1))
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_age ON idempotency (created_at) WHERE item = -1;

-- One message to one recipient, and where it stands (MessageState). The id holds the time of acceptance.
CREATE TABLE message (
    id             INTEGER PRIMARY KEY,
    account        INTEGER NOT NULL,
    line           INTEGER NOT NULL REFERENCES line (id),
    batch          INTEGER,
    lot            INTEGER NOT NULL,             -- messages accepted one after another share one (Lot)
    state          INTEGER NOT NULL CHECK (state BETWEEN 0 AND 8),
    priority       INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    due_at         INTEGER NOT NULL,             -- scheduled, retrying: when it is queued; later: since when
    turn           INTEGER NOT NULL DEFAULT 0,   -- place among the queued of its line and class (FairTurns)
    gate           INTEGER NOT NULL DEFAULT 0 CHECK (gate BETWEEN 0 AND 7),  -- Gate it waits at, off the queue
    gated_at       INTEGER,                      -- since when
    attempt        INTEGER NOT NULL DEFAULT 0,   -- the last attempt number given out
    failures       INTEGER NOT NULL DEFAULT 0,   -- attempts that count against the allowed number
    closed_attempt INTEGER NOT NULL DEFAULT 0,   -- attempts an explicit retry left behind
    unknown        INTEGER NOT NULL DEFAULT 0 CHECK (unknown IN (0, 1)),
    on_unknown     INTEGER CHECK (on_unknown BETWEEN 0 AND 4),  -- UnknownPolicy; null: as the line says
    grace_until    INTEGER,                      -- unknown: when the policy decides; null: never
    claimed_at     INTEGER,                      -- the last attempt
    last_event     INTEGER NOT NULL,             -- head of this message's chain in event
    recipient      TEXT    NOT NULL CHECK (  -- digits, or a user id of Meta's
        (length(recipient) BETWEEN 7 AND 15 AND recipient NOT GLOB '*[^0-9]*')
        OR (length(recipient) BETWEEN 4 AND 135 AND recipient GLOB '[A-Z][A-Z].*')),
    person         TEXT    NOT NULL,             -- the recipient, or whom Meta's answers say it stands for
    type           TEXT    NOT NULL CHECK (type <> ''),
    content        TEXT    NOT NULL,             -- JSON: what Meta gets under `type`
    template       TEXT,                         -- its template, name/language
    fallback       TEXT,                         -- JSON: the template that goes when the window is closed
    any_order      INTEGER NOT NULL DEFAULT 0 CHECK (any_order IN (0, 1)),
    metadata       TEXT,                         -- JSON: the caller's own
    send_at        INTEGER,                      -- as asked for
    expires_at     INTEGER,
    created_at     INTEGER NOT NULL,
    wamid          TEXT,                         -- Meta's id of the copy that counts
    wamid_attempt  INTEGER,                      -- the attempt it came of
    sent_at        INTEGER,
    receipt_until  INTEGER,                      -- sent: when Meta gives up delivering it
    no_receipt     INTEGER NOT NULL DEFAULT 0 CHECK (no_receipt IN (0, 1)),  -- that time has passed
    delivered_at   INTEGER,
    read_at        INTEGER,
    failed_at      INTEGER,
    cancelled_at   INTEGER,
    failed_by      INTEGER CHECK (failed_by IN (0, 1)),  -- FailureOrigin
    error_code     TEXT,                         -- of the last failure
    error_message  TEXT,
    cohort         INTEGER NOT NULL DEFAULT 0,   -- the hour's in which it was to leave; it may be gone
    price          TEXT,                         -- Pricing, as Meta's statuses say
    replied_at     INTEGER,                      -- when the person first answered it
    simulated      INTEGER NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1)),  -- never goes to Meta
    media          INTEGER,                      -- the file it names, which Meta has to have first
    by_person      INTEGER NOT NULL DEFAULT 0 CHECK (by_person IN (0, 1)),  -- it is in message_person (LivePairs)
    CHECK (state <> 0 OR (send_at IS NOT NULL AND attempt = 0)),
    CHECK (gate = 0 OR state = 1),
    CHECK (state NOT IN (2, 3) OR attempt >= 1),
    CHECK (unknown = 0 OR state = 2),
    CHECK (grace_until IS NULL OR unknown = 1),
    CHECK (closed_attempt <= attempt),
    CHECK (state <> 4 OR sent_at IS NOT NULL),
    CHECK ((receipt_until IS NULL AND no_receipt = 0) OR state = 4),
    CHECK (state <> 5 OR delivered_at IS NOT NULL),
    CHECK (state <> 6 OR read_at IS NOT NULL),
    CHECK (state <> 7 OR (failed_at IS NOT NULL AND failed_by IS NOT NULL AND error_code IS NOT NULL)),
    CHECK (state <> 8 OR cancelled_at IS NOT NULL)
) STRICT;

-- Each serves one statement and holds live messages alone, so that history costs nothing. No condition is a list of
-- three words or more: for that SQLite would make a table of its own at every write. A + keeps it from searching the
-- index for what the condition says already.
-- The person is there for the start alone, which reads who is in the queue.
CREATE INDEX message_ready   ON message (line, priority, turn, person) WHERE state = 1 AND gate = 0;
CREATE INDEX message_parked  ON message (line, gate, priority, turn) WHERE gate <> 0;
CREATE INDEX message_person  ON message (line, person, priority, state) WHERE by_person = 1;
CREATE INDEX message_due     ON message (due_at) WHERE state IN (0, 3);
CREATE INDEX message_expiry  ON message (expires_at) WHERE expires_at IS NOT NULL AND state < 4 AND state <> 2;
CREATE INDEX message_claimed ON message (id) WHERE state = 2;
CREATE INDEX message_unknown ON message (line, id) WHERE unknown = 1;
CREATE INDEX message_grace   ON message (grace_until) WHERE grace_until IS NOT NULL;
CREATE INDEX message_receipt ON message (receipt_until) WHERE receipt_until IS NOT NULL;
CREATE INDEX message_silent  ON message (id) WHERE no_receipt = 1;
CREATE INDEX message_failed  ON message (id) WHERE failed_at IS NOT NULL;
CREATE INDEX message_batch   ON message (batch, id) WHERE batch IS NOT NULL;
CREATE INDEX message_upload  ON message (line, media, turn) WHERE gate = 7;
-- All messages that name a file: whether any does, and whether one of them has not left.
CREATE INDEX message_media   ON message (media, state) WHERE media IS NOT NULL;
-- All messages: what somebody was sent. Within a lot, so that a new one changes a page of some hundred that are at
-- hand, not one of all there are.
CREATE INDEX message_recipient ON message (lot, recipient);

-- Which messages have which of Meta's ids: the latest, as they came.
CREATE TABLE wamid_fresh (
    hash    INTEGER NOT NULL,  -- WamidRuns.hash
    message INTEGER NOT NULL
) STRICT;

-- The others, sorted. A run is written once; it goes when none of its messages is there.
CREATE TABLE wamid_run (
    run     INTEGER NOT NULL,
    hash    INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (run, hash, message)
) STRICT, WITHOUT ROWID;

-- What tells that a run has not an id (WamidFilter). A run of an upgraded file may have none yet.
CREATE TABLE wamid_filter (
    run  INTEGER PRIMARY KEY,
    bits BLOB    NOT NULL
) STRICT;

-- Files handed in for messages. The bytes lie in media/ of the state directory, named by their SHA-256. The id holds
-- the time a file first came.
CREATE TABLE media (
    id           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL REFERENCES account (id),
    sha256       BLOB    NOT NULL CHECK (length(sha256) = 32),
    mime         TEXT    NOT NULL CHECK (mime <> ''),
    size         INTEGER NOT NULL CHECK (size >= 1),
    filename     TEXT,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER NOT NULL,  -- handed in, or named by a message; to the hour
    only_to      TEXT,              -- the one person messages took it to; null: nobody yet; '': several
    UNIQUE (sha256, account, mime)
) STRICT;

CREATE INDEX media_age ON media (last_used_at);
CREATE INDEX media_only_to ON media (account, only_to) WHERE only_to > '';

-- The upload of a file to Meta for a line's number: made once for all messages that name the file.
CREATE TABLE media_upload (
    media         INTEGER NOT NULL REFERENCES media (id),
    line          INTEGER NOT NULL REFERENCES line (id),
    state         INTEGER NOT NULL CHECK (state BETWEEN 0 AND 2),  -- MediaUploadState
    meta_id       TEXT,
    expires_at    INTEGER,           -- until when Meta keeps it
    attempts      INTEGER NOT NULL CHECK (attempts >= 0),    -- since it was last asked for
    failures      INTEGER NOT NULL CHECK (failures >= 0),    -- of them, those that count
    rejections    INTEGER NOT NULL CHECK (rejections >= 0),  -- in a row: Meta did not know the id it gave
    next_at       INTEGER,           -- waiting: when it is tried; refused: when a message may ask for it again
    error_code    TEXT,
    error_message TEXT,
    PRIMARY KEY (media, line),
    CHECK (state <> 1 OR (meta_id IS NOT NULL AND expires_at IS NOT NULL)),
    CHECK (state = 1 OR next_at IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX media_upload_due ON media_upload (next_at) WHERE state = 0;

-- Somebody who wrote to us. The id holds the time of the first message.
CREATE TABLE correspondent (
    id              INTEGER PRIMARY KEY,
    account         INTEGER NOT NULL REFERENCES account (id),
    phone           TEXT,     -- digits
    user_id         TEXT,     -- Meta's, business-scoped
    username        TEXT,
    name            TEXT,     -- of the profile
    last_message_at INTEGER NOT NULL,
    merged_into     INTEGER   -- the same person, known longer; never one that is merged itself
) STRICT;

CREATE INDEX correspondent_merged ON correspondent (merged_into) WHERE merged_into IS NOT NULL;
CREATE INDEX correspondent_account ON correspondent (account) WHERE merged_into IS NULL;

-- Everything somebody was ever named by: digits, user id, @username.
CREATE TABLE correspondent_address (
    account       INTEGER NOT NULL,
    address       TEXT    NOT NULL,
    correspondent INTEGER NOT NULL REFERENCES correspondent (id),
    PRIMARY KEY (account, address)
) STRICT, WITHOUT ROWID;

CREATE INDEX correspondent_address_of ON correspondent_address (correspondent);

-- What somebody and a line have written to each other.
CREATE TABLE conversation (
    id            INTEGER PRIMARY KEY,
    account       INTEGER NOT NULL,
    line          INTEGER NOT NULL REFERENCES line (id),
    correspondent INTEGER NOT NULL,
    received      INTEGER NOT NULL CHECK (received >= 0),
    last_received INTEGER NOT NULL,  -- in inbound
    read_up_to    INTEGER,           -- in inbound: Meta was told so
    merged_into   INTEGER            -- never one that is merged itself
) STRICT;

CREATE INDEX conversation_merged       ON conversation (merged_into) WHERE merged_into IS NOT NULL;
CREATE UNIQUE INDEX conversation_pair  ON conversation (correspondent, line) WHERE merged_into IS NULL;
CREATE INDEX conversation_newest       ON conversation (account, last_received) WHERE merged_into IS NULL;
CREATE INDEX conversation_newest_of    ON conversation (line, last_received) WHERE merged_into IS NULL;

-- Messages received, as received. The id holds the time they came.
CREATE TABLE inbound (
    id           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL,
    line         INTEGER NOT NULL REFERENCES line (id),
    conversation INTEGER NOT NULL REFERENCES conversation (id),
    wamid        TEXT,
    type         TEXT    NOT NULL,
    text         TEXT,     -- its words
    at           INTEGER NOT NULL,  -- by Meta's clock
    group_id     TEXT,
    event        INTEGER,  -- of the log, that told of it
    body         TEXT    NOT NULL,  -- JSON: the message's own object
    contact      TEXT,              -- JSON: its sender's
    media        TEXT,              -- Meta's id of the file it brought
    answer       INTEGER            -- the message its bot, or its line by itself, answered: it is answered so once
) STRICT;

CREATE UNIQUE INDEX inbound_wamid ON inbound (line, wamid) WHERE wamid IS NOT NULL;
CREATE INDEX inbound_conversation ON inbound (conversation);
CREATE INDEX inbound_media ON inbound (media) WHERE media IS NOT NULL;

-- Everything that happened, in order, written in the transaction of the change it tells. Only ever appended to.
-- Numbers grow without gaps, in the order of the commits; the last one is never taken away.
CREATE TABLE event (
    seq      INTEGER PRIMARY KEY,
    account  INTEGER NOT NULL,
    line     INTEGER,           -- null: of no one line
    message  INTEGER,           -- null: of none of ours
    previous INTEGER,           -- the message's event before this one
    at       INTEGER NOT NULL,
    kind     INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 63),  -- EventKind
    state    INTEGER CHECK (state BETWEEN 0 AND 8),           -- the message's state afterwards
    attempt  INTEGER NOT NULL,
    detail   TEXT,              -- JSON
    CHECK ((message IS NULL) = (state IS NULL))
) STRICT;

-- How long what has ended is kept (RetentionKind); a kind without a row is kept as long as the program says.
CREATE TABLE retention (
    kind      INTEGER PRIMARY KEY CHECK (kind BETWEEN 0 AND 15),
    age_max   INTEGER CHECK (age_max BETWEEN 1 AND 3153600000),  -- seconds; null: any
    count_max INTEGER CHECK (count_max >= 0)                     -- null: any
) STRICT;

-- Up to here some of the log may have been taken away. One row, or none.
CREATE TABLE log_pruned (
    id    INTEGER PRIMARY KEY CHECK (id = 1),
    up_to INTEGER NOT NULL
) STRICT;

CREATE INDEX event_other ON event (seq) WHERE message IS NULL;

-- How far somebody who follows the log has got, as they said: nothing up to here is told them again.
CREATE TABLE cursor (
    account    INTEGER NOT NULL REFERENCES account (id),
    name       TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 64),
    position   INTEGER NOT NULL CHECK (position >= 0),  -- event.seq, or 0
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;

-- Who is told of events by calls to a web server of theirs. The secrets that sign them are files. Never removed while
-- it has deliveries: deleted_at.
CREATE TABLE subscription (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,  -- numbers people have noted are not given again
    account      INTEGER NOT NULL REFERENCES account (id),
    url          TEXT    NOT NULL,
    line         INTEGER REFERENCES line (id),  -- null: every line, and what is of no one line
    events       TEXT,                          -- public names of EventKind with commas; null: all
    secret       TEXT    NOT NULL,              -- the name of the secret
    active       INTEGER NOT NULL CHECK (active IN (0, 1)),
    reason       TEXT,                          -- why outboxd made it inactive
    revision     INTEGER NOT NULL,              -- raised by every change that was asked for
    replays      INTEGER NOT NULL DEFAULT 0,    -- raised by every replay
    cursor       INTEGER NOT NULL,              -- events up to here have their delivery, or do not concern it
    failures     INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),  -- CallbackBreaker
    failing_since INTEGER,
    open_until   INTEGER,
    last_error   TEXT,
    reply_error  TEXT,                          -- why its last reply as a line's bot was not sent
    format       INTEGER NOT NULL DEFAULT 0 CHECK (format BETWEEN 0 AND 15),  -- CallbackFormat
    events_per_call INTEGER NOT NULL DEFAULT 1 CHECK (events_per_call BETWEEN 1 AND 1000),
    last_delivered_at INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    deleted_at   INTEGER,
    CHECK (failures = 0 OR (failing_since IS NOT NULL AND last_error IS NOT NULL)),
    CHECK (active = 0 OR reason IS NULL)
) STRICT;

-- How telling a subscription of an event went. Written when a call has ended or has to wait.
CREATE TABLE delivery (
    subscription INTEGER NOT NULL,
    event        INTEGER NOT NULL,
    message      INTEGER,           -- its events go in order
    status       INTEGER NOT NULL CHECK (status BETWEEN 0 AND 2),  -- DeliveryStatus
    attempts     INTEGER NOT NULL,  -- tries of its schedule
    replay       INTEGER NOT NULL DEFAULT 0,  -- the last that asked for it: calls begun before say nothing of it
    next_at      INTEGER,           -- null: as soon as it may
    http_status  INTEGER,           -- of the last answer
    error        TEXT,
    first_at     INTEGER,
    ended_at     INTEGER,
    PRIMARY KEY (subscription, event),
    CHECK ((status = 0) = (ended_at IS NULL))
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_waiting ON delivery (subscription, event) WHERE status = 0;
CREATE INDEX delivery_failed ON delivery (subscription, event) WHERE status = 2;

-- How many messages of a line stand where, kept in the transaction that changes it.
CREATE TABLE counter (
    line     INTEGER NOT NULL,
    state    INTEGER NOT NULL CHECK (state BETWEEN 0 AND 8),
    priority INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 2),
    gate     INTEGER NOT NULL CHECK (gate BETWEEN 0 AND 7),
    count    INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (line, state, priority, gate)
) STRICT, WITHOUT ROWID;

-- Messages that were to leave in the same hour, or on the same day (UTC): how many there are, and how many of them
-- stand where; those that wait are the rest. Kept in the transaction that changes it. A statistic holds up no
-- message: nothing checks these counts but the tests.
CREATE TABLE cohort (
    id                INTEGER PRIMARY KEY AUTOINCREMENT,  -- messages name them after they are gone
    line              INTEGER NOT NULL,
    span              INTEGER NOT NULL CHECK (span IN (3600000, 86400000)),  -- milliseconds
    at                INTEGER NOT NULL,  -- when it begins
    template          TEXT    NOT NULL,  -- name/language; empty: none
    campaign          INTEGER NOT NULL,  -- 0: none
    day               INTEGER,           -- of an hour
    accepted          INTEGER NOT NULL DEFAULT 0,
    sent              INTEGER NOT NULL DEFAULT 0,
    delivered         INTEGER NOT NULL DEFAULT 0,
    read              INTEGER NOT NULL DEFAULT 0,
    failed            INTEGER NOT NULL DEFAULT 0,  -- that never were sent
    failed_after_sent INTEGER NOT NULL DEFAULT 0,
    cancelled         INTEGER NOT NULL DEFAULT 0,
    replied           INTEGER NOT NULL DEFAULT 0,  -- whatever their state
    UNIQUE (line, span, at, template, campaign)
) STRICT;

-- Of those that failed, how many with which code.
CREATE TABLE cohort_failure (
    cohort INTEGER NOT NULL REFERENCES cohort (id) ON DELETE CASCADE,
    code   TEXT    NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (cohort, code)
) STRICT, WITHOUT ROWID;

-- Of those that were delivered, how many at which of Meta's prices.
CREATE TABLE cohort_price (
    cohort   INTEGER NOT NULL REFERENCES cohort (id) ON DELETE CASCADE,
    country  TEXT    NOT NULL,  -- ISO 3166-1; empty: not known
    category TEXT    NOT NULL,
    type     TEXT    NOT NULL,
    billable INTEGER NOT NULL CHECK (billable IN (0, 1)),
    count    INTEGER NOT NULL,
    PRIMARY KEY (cohort, country, category, type, billable)
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

-- Meta's ids of copies that went out besides the one that counts, after an unknown outcome.
CREATE TABLE duplicate (
    wamid   TEXT    PRIMARY KEY,
    message INTEGER NOT NULL,
    attempt INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX duplicate_message ON duplicate (message);

-- What came by webhook, counted (WebhookCount); other.FIELD: not understood.
CREATE TABLE webhook_count (
    name  TEXT PRIMARY KEY,
    count INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Statuses of a wamid no message has yet: they came before the answer to our own POST was recorded.
CREATE TABLE early_status (
    id              INTEGER PRIMARY KEY,
    received_at     INTEGER NOT NULL,
    phone_number_id TEXT    NOT NULL,
    wamid           TEXT    NOT NULL,
    person          TEXT,
    report          INTEGER NOT NULL CHECK (report BETWEEN 0 AND 3),  -- Report
    at              INTEGER NOT NULL,
    error_code      TEXT,
    error_message   TEXT,
    price           TEXT  -- Pricing
) STRICT;

CREATE INDEX early_status_wamid ON early_status (wamid);
CREATE INDEX early_status_failed ON early_status (person) WHERE report = 3 AND person IS NOT NULL;
CREATE INDEX early_status_age ON early_status (received_at);

-- A broadcast of a template to many. The id is that of its batch, too, as long as messages of it are kept.
CREATE TABLE campaign (
    id           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL REFERENCES account (id),
    line         INTEGER NOT NULL REFERENCES line (id),
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    template     TEXT    NOT NULL,  -- name/language
    components   TEXT,              -- JSON, with {{names}} of variables
    category     TEXT,              -- as Meta had the template at the launch
    quiet_from   INTEGER CHECK (quiet_from BETWEEN 0 AND 1439),  -- minutes since local midnight
    quiet_to     INTEGER CHECK (quiet_to BETWEEN 0 AND 1439),
    canary_first INTEGER CHECK (canary_first >= 1),
    canary_wait  INTEGER CHECK (canary_wait >= 1),                      -- seconds
    canary_share INTEGER CHECK (canary_share BETWEEN 0 AND 1000000),    -- millionths
    canary_until INTEGER,
    canary_over  INTEGER NOT NULL DEFAULT 0 CHECK (canary_over IN (0, 1)),
    expires_at   INTEGER,
    state        INTEGER NOT NULL CHECK (state BETWEEN 0 AND 5),  -- CampaignState
    aborted      INTEGER NOT NULL DEFAULT 0 CHECK (aborted IN (0, 1)),
    reason       TEXT,
    created_at   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    start_at     INTEGER,           -- null: not launched
    started_at   INTEGER,
    paused_at    INTEGER,
    ended_at     INTEGER,
    CHECK ((quiet_from IS NULL) = (quiet_to IS NULL)),
    CHECK (state NOT IN (1, 2) OR start_at IS NOT NULL),
    CHECK (state < 4 OR ended_at IS NOT NULL)
) STRICT;

CREATE INDEX campaign_account ON campaign (account, id);

-- Whom a campaign is for, in the order given, and what became of it: a message, or a reason for none. With the message
-- the row goes; what it counted for stays counted.
CREATE TABLE campaign_recipient (
    campaign  INTEGER NOT NULL,
    place     INTEGER NOT NULL,
    recipient TEXT    NOT NULL,
    variables TEXT    NOT NULL,  -- JSON: texts by name
    zone      TEXT    NOT NULL,  -- RecipientZone
    message   INTEGER,
    skipped   INTEGER CHECK (skipped BETWEEN 0 AND 15),  -- SkipReason
    PRIMARY KEY (campaign, place),
    CHECK (message IS NULL OR skipped IS NULL)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX campaign_recipient_once ON campaign_recipient (campaign, recipient);
CREATE INDEX campaign_recipient_pending ON campaign_recipient (campaign, zone, place)
    WHERE message IS NULL AND skipped IS NULL;
CREATE INDEX campaign_recipient_skipped ON campaign_recipient (campaign, place) WHERE skipped IS NOT NULL;
CREATE INDEX campaign_recipient_unsent ON campaign_recipient (campaign, place) WHERE message IS NULL;
CREATE INDEX campaign_recipient_message ON campaign_recipient (message) WHERE message IS NOT NULL;

-- How many recipients of a campaign stand where (CampaignCounts), kept in the transaction that changes it.
CREATE TABLE campaign_count (
    campaign INTEGER NOT NULL,
    kind     INTEGER NOT NULL CHECK (kind BETWEEN 0 AND 5),  -- CampaignCountKind
    key      TEXT    NOT NULL,
    count    INTEGER NOT NULL CHECK (count >= 0),
    PRIMARY KEY (campaign, kind, key)
) STRICT, WITHOUT ROWID;

-- Who wants no marketing. Known by a keyed hash of the address, so that it holds when the person's data is erased.
CREATE TABLE opt_out (
    account    INTEGER NOT NULL REFERENCES account (id),
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    recipient  TEXT,              -- null: erased
    source     INTEGER NOT NULL CHECK (source BETWEEN 0 AND 3),  -- OptOutSource
    reason     TEXT,
    line       INTEGER,           -- where it came to be known; null: at none
    created_at INTEGER NOT NULL,
    PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;

CREATE INDEX opt_out_recipient ON opt_out (account, recipient) WHERE recipient IS NOT NULL;

-- How much marketing one person may be sent (MarketingCap).
CREATE TABLE marketing_cap (
    account      INTEGER NOT NULL REFERENCES account (id),
    line         INTEGER NOT NULL,  -- 0: all of the account together
    messages     INTEGER NOT NULL CHECK (messages BETWEEN 1 AND 100),
    days         INTEGER NOT NULL CHECK (days BETWEEN 1 AND 366),
    when_reached INTEGER NOT NULL CHECK (when_reached IN (0, 1)),
    PRIMARY KEY (account, line)
) STRICT, WITHOUT ROWID;

-- Marketing that was sent, or may have been, while there is a cap. Times are of the limits' clock.
CREATE TABLE marketing_use (
    account INTEGER NOT NULL,
    person  TEXT    NOT NULL,
    message INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    line    INTEGER NOT NULL,
    at      INTEGER NOT NULL,  -- the latest end the attempt can have
    PRIMARY KEY (account, person, message, attempt)
) STRICT, WITHOUT ROWID;

CREATE INDEX marketing_use_age ON marketing_use (at);

-- Links by which somebody without a key connects a number, once. Of a link's token only its SHA-256 is kept.
CREATE TABLE onboarding_link (
    id           INTEGER PRIMARY KEY,
    account      INTEGER NOT NULL REFERENCES account (id),
    name         TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    redirect_url TEXT,
    role         INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),  -- Role, of the key it ends with
    hash         BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at   INTEGER NOT NULL,
    created_by   TEXT    NOT NULL,
    expires_at   INTEGER NOT NULL,
    completed_at INTEGER,
    line         INTEGER REFERENCES line (id),  -- that was connected
    revoked_at   INTEGER,
    CHECK ((completed_at IS NULL) = (line IS NULL))
) STRICT;

-- Links by which somebody without a key works in the inbox of a line.
CREATE TABLE shared_inbox_link (
    id          INTEGER PRIMARY KEY,
    account     INTEGER NOT NULL REFERENCES account (id),
    line        INTEGER NOT NULL REFERENCES line (id),
    name        TEXT    NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    permissions INTEGER NOT NULL CHECK (permissions BETWEEN 0 AND 127),  -- InboxPermissions
    hash        BLOB    NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_at  INTEGER NOT NULL,
    created_by  TEXT    NOT NULL,
    updated_at  INTEGER NOT NULL,
    expires_at  INTEGER,  -- null: never
    rotated_at  INTEGER,  -- when it last got another token
    revoked_at  INTEGER
) STRICT;

-- For people: sqlite3 outboxd.db 'SELECT * FROM message_in_words ORDER BY id DESC LIMIT 10'
CREATE VIEW message_in_words AS
SELECT m.id, l.name AS line, m.recipient,
    json_extract('["scheduled","queued","processing","retrying","sent","delivered","read","failed","cancelled"]',
                 '$[' || m.state || ']') AS state,
    json_extract('["high","normal","low"]', '$[' || m.priority || ']') AS priority,
    m.attempt, m.unknown, m.type, m.wamid, m.error_code, m.error_message,
    datetime(m.created_at / 1000, 'unixepoch') AS created_at, datetime(m.due_at / 1000, 'unixepoch') AS due_at
FROM message AS m JOIN line AS l ON l.id = m.line;
