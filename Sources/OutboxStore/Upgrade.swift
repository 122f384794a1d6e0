import OutboxSystem

/// A file of an earlier outboxd that was brought up to date.
package struct Upgrade: Equatable, Sendable {
    /// The schema version it had.
    package var from: Int64
    /// The whole database as it was before.
    package var backup: String
}

/// What each version changes in a file of the one before it: the same tables and indexes as in `schema.sql`.
private let steps: [(version: Int64, sql: String)] = [
    (
        2,
        """
        ALTER TABLE message ADD COLUMN lot INTEGER NOT NULL DEFAULT 0;
        DROP INDEX message_recipient;
        CREATE INDEX message_recipient ON message (lot, recipient);
        ALTER TABLE subscription ADD COLUMN replays INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE delivery ADD COLUMN replay INTEGER NOT NULL DEFAULT 0;
        """
    ),
    (
        3,
        """
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
        DROP INDEX message_waiting;
        DROP INDEX message_person;
        CREATE INDEX message_person ON message (line, person, priority, state) WHERE +state BETWEEN 1 AND 3;
        DROP INDEX message_expiry;
        CREATE INDEX message_expiry ON message (expires_at)
            WHERE expires_at IS NOT NULL AND state < 4 AND state <> 2;
        DROP INDEX message_wamid;
        CREATE INDEX message_wamid ON message (wamid)
            WHERE wamid IS NOT NULL AND state BETWEEN 2 AND 7 AND state <> 3 AND state <> 6;
        ALTER TABLE line_health ADD COLUMN token_state INTEGER CHECK (token_state BETWEEN 0 AND 4);
        ALTER TABLE line_health ADD COLUMN token_expires_at INTEGER;
        ALTER TABLE line_health ADD COLUMN token_checked_at INTEGER;
        ALTER TABLE line_health ADD COLUMN token_reason TEXT;
        -- The only way to change a CHECK without writing the table anew (sqlite.org/lang_altertable.html, 7).
        PRAGMA writable_schema = ON;
        UPDATE sqlite_schema SET sql = replace(sql,
            'CHECK (length(recipient) BETWEEN 7 AND 15 AND recipient NOT GLOB ''*[^0-9]*'')',
            'CHECK (
                (length(recipient) BETWEEN 7 AND 15 AND recipient NOT GLOB ''*[^0-9]*'')
                OR (length(recipient) BETWEEN 4 AND 135 AND recipient GLOB ''[A-Z][A-Z].*''))')
        WHERE type = 'table' AND name = 'message';
        UPDATE sqlite_schema SET sql = replace(sql, 'CHECK (gate BETWEEN 0 AND 6)', 'CHECK (gate BETWEEN 0 AND 7)')
        WHERE type = 'table' AND name IN ('message', 'counter');
        UPDATE sqlite_schema SET sql = replace(sql, 'kind BETWEEN 0 AND 31', 'kind BETWEEN 0 AND 63')
        WHERE type = 'table' AND name = 'event';
        UPDATE sqlite_schema SET sql = replace(sql, 'kind BETWEEN 0 AND 7', 'kind BETWEEN 0 AND 15')
        WHERE type = 'table' AND name = 'retention';
        PRAGMA writable_schema = RESET;
        ALTER TABLE account ADD COLUMN label TEXT;
        ALTER TABLE account ADD COLUMN email TEXT;
        ALTER TABLE account ADD COLUMN plan INTEGER CHECK (plan BETWEEN 0 AND 3);
        ALTER TABLE contact ADD COLUMN last_message INTEGER;
        ALTER TABLE early_status ADD COLUMN price TEXT;
        ALTER TABLE message ADD COLUMN cohort INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE message ADD COLUMN price TEXT;
        ALTER TABLE message ADD COLUMN replied_at INTEGER;
        ALTER TABLE message ADD COLUMN simulated INTEGER NOT NULL DEFAULT 0 CHECK (simulated IN (0, 1));
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
        INSERT INTO cohort (line, span, at, template, campaign, accepted, sent, delivered, read, failed,
            failed_after_sent, cancelled)
        SELECT line, 3600000, max(created_at, coalesce(send_at, 0)) / 3600000 * 3600000 AS began, coalesce(template, ''),
            0, count(*), sum(state = 4), sum(state = 5), sum(state = 6), sum(state = 7 AND sent_at IS NULL),
            sum(state = 7 AND sent_at IS NOT NULL), sum(state = 8)
        FROM message GROUP BY line, began, coalesce(template, '');
        INSERT INTO cohort (line, span, at, template, campaign, accepted, sent, delivered, read, failed,
            failed_after_sent, cancelled)
        SELECT line, 86400000, max(created_at, coalesce(send_at, 0)) / 86400000 * 86400000 AS began, coalesce(template, ''),
            0, count(*), sum(state = 4), sum(state = 5), sum(state = 6), sum(state = 7 AND sent_at IS NULL),
            sum(state = 7 AND sent_at IS NOT NULL), sum(state = 8)
        FROM message GROUP BY line, began, coalesce(template, '');
        UPDATE cohort SET day = (
            SELECT d.id FROM cohort AS d WHERE d.line = cohort.line AND d.span = 86400000
                AND d.at = cohort.at / 86400000 * 86400000 AND d.template = cohort.template AND d.campaign = 0)
        WHERE span = 3600000;
        UPDATE message SET cohort = (
            SELECT c.id FROM cohort AS c WHERE c.line = message.line AND c.span = 3600000
                AND c.at = max(message.created_at, coalesce(message.send_at, 0)) / 3600000 * 3600000
                AND c.template = coalesce(message.template, '') AND c.campaign = 0);
        INSERT INTO cohort_failure (cohort, code, count)
        SELECT c.id, m.error_code, count(*) FROM message AS m
            JOIN cohort AS h ON h.id = m.cohort JOIN cohort AS c ON c.id = h.id OR c.id = h.day
        WHERE m.state = 7 GROUP BY c.id, m.error_code;
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
        ALTER TABLE message ADD COLUMN media INTEGER;
        CREATE INDEX message_upload ON message (line, media, turn) WHERE gate = 7;
        CREATE INDEX message_media ON message (media, state) WHERE media IS NOT NULL;
        ALTER TABLE inbound ADD COLUMN media TEXT;
        UPDATE inbound SET media = json_extract(body, '$.' || type || '.id')
        WHERE type IN ('image', 'video', 'audio', 'document', 'sticker');
        CREATE INDEX inbound_media ON inbound (media) WHERE media IS NOT NULL;
        ALTER TABLE line ADD COLUMN stop_words TEXT;
        ALTER TABLE line ADD COLUMN start_words TEXT;
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
        ALTER TABLE inbound ADD COLUMN answer INTEGER;
        ALTER TABLE line ADD COLUMN bot INTEGER;
        ALTER TABLE line ADD COLUMN auto_reply INTEGER NOT NULL DEFAULT 1 CHECK (auto_reply IN (0, 1));
        ALTER TABLE line ADD COLUMN auto_reply_text TEXT;
        ALTER TABLE line ADD COLUMN auto_reply_seconds INTEGER NOT NULL DEFAULT 86400
            CHECK (auto_reply_seconds BETWEEN 1 AND 2592000);
        ALTER TABLE contact ADD COLUMN auto_replied_at INTEGER;
        ALTER TABLE subscription ADD COLUMN reply_error TEXT;
        ALTER TABLE subscription ADD COLUMN format INTEGER NOT NULL DEFAULT 0 CHECK (format BETWEEN 0 AND 15);
        """
    ),
    (
        4,
        """
        ALTER TABLE subscription ADD COLUMN events_per_call INTEGER NOT NULL DEFAULT 1
            CHECK (events_per_call BETWEEN 1 AND 1000);
        ALTER TABLE message ADD COLUMN by_person INTEGER NOT NULL DEFAULT 0 CHECK (by_person IN (0, 1));
        UPDATE message SET by_person = 1 WHERE state BETWEEN 1 AND 3;
        DROP INDEX message_ready;
        CREATE INDEX message_ready ON message (line, priority, turn, person) WHERE state = 1 AND gate = 0;
        DROP INDEX message_parked;
        CREATE INDEX message_parked ON message (line, gate, priority, turn) WHERE gate <> 0;
        DROP INDEX message_person;
        CREATE INDEX message_person ON message (line, person, priority, state) WHERE by_person = 1;
        DROP INDEX message_unknown;
        CREATE INDEX message_unknown ON message (line, id) WHERE unknown = 1;
        DROP INDEX message_wamid;
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
        INSERT INTO wamid_run (run, hash, message)
        SELECT (row_number() OVER (ORDER BY id) - 1) / 8192, wamid_hash(wamid), id FROM message
        WHERE wamid IS NOT NULL ORDER BY 1, 2, 3;
        DROP INDEX message_failed;
        CREATE INDEX message_failed ON message (id) WHERE failed_at IS NOT NULL;
        """
    ),
]

extension Database {
    /// Brings a file of an earlier version up to date, after a copy of it was put on disk. A kill at any moment leaves
    /// it as it was, or done.
    func upgrade(path: String) throws -> Upgrade? {
        let version = try integer("PRAGMA user_version")
        guard version < schemaVersion else { return nil }
        let backup = "\(path).v\(version)"
        try copy(to: backup)
        try addWamidHash()
        try inOneTransaction {
            for step in steps where step.version > version { try execute(step.sql) }
            try execute("PRAGMA user_version = \(schemaVersion)")
        }
        return Upgrade(from: version, backup: backup)
    }

    /// Writes all there is into a file of its own, which is whole and synced once it has that name; one that was there
    /// is replaced.
    func copy(to path: String) throws {
        let unfinished = path + ".new"
        func failed(_ what: String) -> StoreError {
            StoreError(code: 10, message: "the copy \(path) could not be \(what); is there room for it?", sql: "")
        }
        guard removeFile(unfinished) else { throw failed("written") }
        try prepare("VACUUM INTO :path").run(.text(unfinished))
        guard sync(file: unfinished, mode: 0o600) else { throw failed("synced") }
        guard rename(file: unfinished, to: path) else { throw failed("named") }
    }
}
