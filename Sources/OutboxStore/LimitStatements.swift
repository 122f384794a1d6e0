/// The writer's statements about gates: who waits where, and what the limits count. Prepared once.
final class LimitStatements {
    /// Takes one message off its class's queue, or puts it back; one row by primary key.
    let park: Statement
    /// From now on a message is found by its person; one row by primary key.
    let indexPerson: Statement
    /// Whether somebody goes first to the same person; index message_person, three seeks.
    let isBehind: Statement
    /// The same for those that are looked at again after a pause or a template's rest.
    let isBehindSwept: Statement
    /// The first that waits for its turn with a person; index message_person.
    let follower: Statement
    /// Those of a person at a gate; index message_person.
    let ofPerson: Statement
    /// Those of a line, gate and class whose turn is next, behind a place; index message_parked.
    let parked: Statement
    /// Messages of a pair on their way; index message_person.
    let underWay: Statement
    /// Turns a free-form message into its fallback; one row by primary key.
    let useFallback: Statement
    /// The least turn of a line and class; index message_ready.
    let firstTurn: Statement

    /// One row by primary key.
    let contact: Statement
    let saveContact: Statement
    let deleteContact: Statement
    /// Contacts whose time has come; index contact_wake.
    let wokenContacts: Statement
    let nextContact: Statement

    /// One row by primary key.
    let slot: Statement
    let takeSlot: Statement
    /// Gives a slot back as it was, unless a later attempt has taken it on.
    let restoreSlot: Statement
    let dropSlot: Statement
    let deleteSlot: Statement
    /// Slots of one pool whose time has come; index tier_slot_free.
    let freeSlots: Statement
    let nextSlot: Statement

    /// When the n-th place of a pool becomes free; index tier_slot_free, as many steps as n.
    let slotAtRank: Statement

    let person: Statement
    let learnAlias: Statement
    /// Addresses that stood for one person stand for another; index alias_person.
    let passAliases: Statement
    /// One row by primary key.
    let dropAlias: Statement
    /// The addresses that stand for a person; index alias_person.
    let addressesOf: Statement
    /// One row by primary key.
    let renameMessage: Statement
    /// A pool's slots for another one; index tier_slot's key.
    let copySlots: Statement
    /// Gives a person's live messages of one line that are in index message_person to whom Meta knows the person as;
    /// answers which those are.
    let renamePerson: Statement
    /// The same for the only one, which is not there; one row by primary key.
    let renameOnly: Statement

    /// One row by primary key; so do the next three.
    let optOut: Statement
    let saveOptOut: Statement
    /// Said once more, later.
    let renewOptOut: Statement
    let deleteOptOut: Statement
    /// Counts an attempt against the caps; one row by primary key.
    let useMarketing: Statement
    let giveBackMarketing: Statement
    /// The n-th newest that counts; rows of one person, by primary key.
    let marketingUse: Statement
    /// Some of what no cap counts; index marketing_use_age.
    let forgetMarketing: Statement
    static let forgottenAtOnce = 500
    static let marketingUseSQL = """
        SELECT at FROM marketing_use WHERE account = :account AND person = :person AND at >= :since
            AND (:line IS NULL OR line = :line) ORDER BY at DESC LIMIT 1 OFFSET :rank
        """
    /// Gives what a person was sent to whom Meta knows the person as.
    let renameMarketing: Statement

    let saveClock: Statement

    /// The words of the index's condition stand in every part: SQLite uses it only then.
    static let isBehindSQL: String = {
        let same =
            "line = :line AND person = :person AND priority = :priority AND by_person = 1 AND any_order = 0"
        return """
            SELECT EXISTS (SELECT 1 FROM message WHERE \(same) AND state = 2 AND unknown = 0)
                OR EXISTS (SELECT 1 FROM message WHERE \(same) AND state = 3 AND id < :id)
                OR EXISTS (SELECT 1 FROM message WHERE \(same) AND state = 1 AND id < :id AND gate NOT IN (4, 5))
            """
    }()

    init(_ database: Database) throws {
        func prepare(_ sql: String) throws -> Statement { try database.prepare(sql) }

        park = try prepare(
            "UPDATE message SET gate = :gate, gated_at = coalesce(:at, CASE WHEN :keep THEN gated_at END) WHERE id = :id AND state = 1"
        )
        indexPerson = try prepare("UPDATE message SET by_person = 1 WHERE id = :id")
        isBehind = try prepare(Self.isBehindSQL)
        isBehindSwept = try prepare(
            """
            SELECT EXISTS (SELECT 1 FROM message WHERE line = :line AND person = :person AND priority = :priority
                AND by_person = 1 AND any_order = 0 AND state = 1 AND id < :id AND gate IN (4, 5))
            """)
        follower = try prepare(
            """
            SELECT id FROM message WHERE line = :line AND person = :person AND priority = :priority AND state = 1
                AND by_person = 1 AND gate = 1 ORDER BY id LIMIT 1
            """)
        ofPerson = try prepare(
            """
            SELECT id, gate FROM message WHERE line = :line AND person = :person AND priority = :priority AND state = 1
                AND by_person = 1 AND gate <> 0 AND gate IN (:first, :second) ORDER BY gated_at, id LIMIT 50
            """)
        parked = try prepare(
            """
            SELECT id, turn FROM message WHERE line = :line AND gate = :gate AND priority = :priority AND state = 1
                AND gate <> 0 AND (turn, id) > (:turn, :id) ORDER BY turn, id LIMIT :limit
            """)
        underWay = try prepare(
            """
            SELECT count(*) FROM message WHERE line = :line AND person = :person AND priority IN (0, 1, 2) AND state = 2
                AND by_person = 1
            """)
        useFallback = try prepare(
            """
            UPDATE message SET type = 'template', content = fallback, template = :template, fallback = NULL, media = NULL
            WHERE id = :id
            """)
        firstTurn = try prepare(
            """
            SELECT min(turn) FROM message WHERE line = :line AND priority = :priority AND state = 1 AND gate = 0
            """)
        contact = try prepare(
            "SELECT \(Contact.columns) FROM contact WHERE line = :line AND person = :person")
        saveContact = try prepare(
            """
            INSERT INTO contact (line, person, \(Contact.columns))
            VALUES (:line, :person, :window, :ad, :entry, :pair, :quiet, :marketing, :wake, :seen, :last, :replied)
            ON CONFLICT (line, person) DO UPDATE SET window_until = excluded.window_until,
                ad_until = excluded.ad_until, free_entry_until = excluded.free_entry_until,
                pair_full_at = excluded.pair_full_at, quiet_until = excluded.quiet_until,
                no_marketing_until = excluded.no_marketing_until, wake_at = excluded.wake_at,
                window_seen = excluded.window_seen, last_message = excluded.last_message,
                auto_replied_at = excluded.auto_replied_at
            """)
        deleteContact = try prepare("DELETE FROM contact WHERE line = :line AND person = :person")
        wokenContacts = try prepare(
            """
            SELECT line, person FROM contact WHERE wake_at IS NOT NULL AND wake_at <= :now ORDER BY wake_at LIMIT :limit
            """)
        nextContact = try prepare(
            "SELECT min(wake_at) FROM contact WHERE wake_at IS NOT NULL AND wake_at > :now")
        slot = try prepare("SELECT free_at FROM tier_slot WHERE pool = :pool AND person = :person")
        takeSlot = try prepare(
            """
            INSERT INTO tier_slot (pool, person, free_at) VALUES (:pool, :person, :free_at)
            ON CONFLICT (pool, person) DO UPDATE SET free_at = max(free_at, excluded.free_at)
            """)
        restoreSlot = try prepare(
            """
            UPDATE tier_slot SET free_at = :before WHERE pool = :pool AND person = :person AND free_at = :free_at
            """)
        dropSlot = try prepare(
            "DELETE FROM tier_slot WHERE pool = :pool AND person = :person AND free_at = :free_at")
        deleteSlot = try prepare("DELETE FROM tier_slot WHERE pool = :pool AND person = :person")
        freeSlots = try prepare("DELETE FROM tier_slot WHERE pool = :pool AND free_at <= :now")
        nextSlot = try prepare("SELECT min(free_at) FROM tier_slot WHERE pool = :pool")
        slotAtRank = try prepare(
            "SELECT free_at FROM tier_slot WHERE pool = :pool ORDER BY free_at LIMIT 1 OFFSET :rank")
        person = try prepare("SELECT person FROM alias WHERE account = :account AND address = :address")
        learnAlias = try prepare(
            """
            INSERT INTO alias (account, address, person) VALUES (:account, :address, :person)
            ON CONFLICT (account, address) DO UPDATE SET person = excluded.person
            """)
        passAliases = try prepare(
            "UPDATE alias SET person = :new WHERE account = :account AND person = :old")
        dropAlias = try prepare("DELETE FROM alias WHERE account = :account AND address = :address")
        addressesOf = try prepare(
            "SELECT address FROM alias WHERE account = :account AND person = :person LIMIT 50")
        renamePerson = try prepare(
            """
            UPDATE message SET person = :new WHERE line = :line AND person = :old AND priority IN (0, 1, 2)
                AND by_person = 1 RETURNING id
            """)
        renameOnly = try prepare(
            "UPDATE message SET person = :new WHERE id = :id AND line = :line AND person = :old")
        renameMessage = try prepare("UPDATE message SET person = :person WHERE id = :id")
        copySlots = try prepare(
            """
            INSERT INTO tier_slot (pool, person, free_at)
            SELECT :new, person, free_at FROM tier_slot WHERE pool = :old AND true
            ON CONFLICT (pool, person) DO UPDATE SET free_at = max(free_at, excluded.free_at)
            """)
        optOut = try prepare("SELECT 1 FROM opt_out WHERE account = :account AND hash = :hash")
        saveOptOut = try prepare(
            """
            INSERT INTO opt_out (account, hash, recipient, source, reason, line, created_at)
            VALUES (:account, :hash, :recipient, :source, :reason, :line, :created_at)
            ON CONFLICT (account, hash) DO NOTHING
            """)
        renewOptOut = try prepare(
            "UPDATE opt_out SET created_at = max(created_at, :wished) WHERE account = :account AND hash = :hash")
        deleteOptOut = try prepare(
            "DELETE FROM opt_out WHERE account = :account AND hash = :hash AND created_at <= :wished")
        useMarketing = try prepare(
            """
            INSERT OR REPLACE INTO marketing_use (account, person, message, attempt, line, at)
            VALUES (:account, :person, :message, :attempt, :line, :at)
            """)
        giveBackMarketing = try prepare(
            """
            DELETE FROM marketing_use
            WHERE account = :account AND person = :person AND message = :message AND attempt = :attempt
            """)
        marketingUse = try prepare(Self.marketingUseSQL)
        forgetMarketing = try prepare(
            """
            DELETE FROM marketing_use WHERE (account, person, message, attempt) IN
                (SELECT account, person, message, attempt FROM marketing_use WHERE at < :before LIMIT 500)
            """)
        renameMarketing = try prepare(
            "UPDATE OR REPLACE marketing_use SET person = :new WHERE account = :account AND person = :old")
        saveClock = try prepare(
            """
            INSERT INTO limit_clock (id, boot, offset, seen, seen_wall, sure_from)
            VALUES (1, :boot, :offset, :seen, :wall, :sure_from)
            ON CONFLICT (id) DO UPDATE SET boot = excluded.boot, offset = excluded.offset, seen = excluded.seen,
                seen_wall = excluded.seen_wall, sure_from = excluded.sure_from
            """)
    }
}
