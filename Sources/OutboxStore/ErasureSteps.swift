package import OutboxCore
import OutboxJSON

private let notTold = "somebody has yet to be told of it by callback"
private let onItsWay = "it is on its way, or nobody knows whether it left: see outboxctl unknown ls"

extension Queue {
    private static let erasedAtOnce = 100
    private static let eventsLookedAt: Int64 = 2000
    private static let pagesGivenBack = 256

    /// One step. Nothing from the event `needed` on is removed.
    package func erase(_ erasure: inout Erasure, now: Timestamp, needed: Int64?) throws {
        // From now on what is removed is overwritten, in free pages too.
        try database.execute("PRAGMA secure_delete = ON")
        switch erasure.phase {
        case .names: try learnNames(&erasure)
        case .messages: try eraseMessages(&erasure, now, needed ?? .max)
        case .received: try eraseReceived(&erasure, now, needed ?? .max)
        case .people: try erasePeople(&erasure)
        case .limits: try eraseLimits(&erasure, now)
        case .events: try eraseEvents(&erasure, now, needed ?? .max)
        case .space:
            // Pages that were freed before hold what stood in them.
            let free = try database.integer("PRAGMA freelist_count")
            try database.execute("PRAGMA incremental_vacuum(\(Self.pagesGivenBack))")
            let left = try database.integer("PRAGMA freelist_count")
            if left > 0, left == free {
                erasure.report.keep(
                    "space",
                    "the file cannot give free pages back, which may hold what was removed before: it was made "
                        + "by another program; put back a backup made by outboxctl backup", count: left)
            } else if left > 0 {
                return
            }
            try database.execute("PRAGMA secure_delete = FAST")
            erasure.go(to: .log)
        case .log, .done: break
        }
    }

    /// Outside a transaction: writes the log into the file and empties it. Answers whether that worked; a reader may
    /// stand in the way.
    package func emptyLog(for erasure: inout Erasure) throws -> Bool {
        guard try database.emptyLog() else { return false }
        erasure.phase = .done
        return true
    }

    private func learnNames(_ erasure: inout Erasure) throws {
        var known = Set(erasure.addresses)
        var size = 0
        while known.count > size {
            size = known.count
            known.formUnion(try kin(of: Array(known), erasure.account))
            for address in known {
                guard
                    let id = try mail.byAddress.first(
                        .integer(erasure.account), .text(address), body: { $0.integer(0) })
                else { continue }
                let all = try database.prepare(
                    "SELECT id FROM correspondent WHERE id = ?1 OR (merged_into IS NOT NULL AND merged_into = ?1)"
                ).all(.integer(id)) { $0.integer(0) }
                erasure.correspondents = Array(Set(erasure.correspondents + all))
            }
            for id in erasure.correspondents {
                known.formUnion(
                    try database.prepare("SELECT address FROM correspondent_address WHERE correspondent = :id")
                        .all(.integer(id)) { $0.text(0) })
            }
        }
        erasure.addresses = known.sorted()
        // Before their messages are looked for: no campaign makes new ones.
        try eraseRecipients(of: erasure.addresses, account: erasure.account)
        erasure.go(to: .messages)
    }

    // MARK: Messages

    private func eraseMessages(_ erasure: inout Erasure, _ now: Timestamp, _ needed: Int64) throws {
        guard erasure.address < erasure.addresses.count else {
            for address in erasure.addresses {
                erasure.report.files += try removeFiles(onlyTo: address, account: erasure.account)
            }
            return erasure.go(to: .received, place: 0)
        }
        let ids = try RecipientSearch(database).ids(
            to: erasure.addresses[erasure.address], below: erasure.place, limit: Self.erasedAtOnce)
        var places: Set<WamidRuns.Place> = []
        for id in ids { try eraseMessage(MessageID(rawValue: id), &erasure, &places, now, needed) }
        for place in places { try makeFilter(of: place) }
        erasure.place = ids.last ?? .max
        if ids.count < Self.erasedAtOnce {
            erasure.address += 1
            erasure.place = .max
        }
    }

    private func eraseMessage(
        _ id: MessageID, _ erasure: inout Erasure, _ places: inout Set<WamidRuns.Place>, _ now: Timestamp,
        _ needed: Int64
    ) throws {
        guard let record = try load(id), record.account == erasure.account else { return }
        if record.standing.state == .processing { return erasure.report.keep("messages", onItsWay) }
        if record.standing.state.isWaiting { _ = try cancel(id, account: erasure.account, now: now) }
        guard let row = try pruning.ended.first(.integer(id.rawValue), body: { EndedRow($0) }) else { return }
        guard row.lastEvent < needed else { return erasure.report.keep("messages", notTold) }
        // The last entry of the log stays; and the newest message does, for the next id is made behind it.
        if row.lastEvent == memory.lastEvent { try noteErasing(erasure, now) }
        if let wamid = record.wamid { places.formUnion(try forget(wamid: wamid, of: id)) }
        if row.id == (try pruning.newest.first { $0.integer(0) }) { try blank(row) } else { try remove(row) }
        erasure.report.messages += 1
    }

    /// Leaves of a message that it was there.
    private func blank(_ row: EndedRow) throws {
        try pruning.deleteCopies.run(.integer(row.id))
        try database.prepare("UPDATE event SET detail = NULL WHERE message = :id").run(.integer(row.id))
        try database.prepare(
            """
            UPDATE message SET recipient = '0000000', person = '0000000', content = '{}', template = NULL,
                fallback = NULL, metadata = NULL, media = NULL, wamid = NULL, wamid_attempt = NULL, error_message = NULL
            WHERE id = :id
            """
        ).run(.integer(row.id))
        records.forget(MessageID(rawValue: row.id))
    }

    /// An entry behind those that are to go. It names nobody.
    private func noteErasing(_ erasure: Erasure, _ now: Timestamp) throws {
        var json = JSONWriter()
        json.object { $0.field("message", "a person's data is erased") }
        _ = try appendEvent(
            account: erasure.account, line: nil, message: nil, previous: nil, at: now, kind: .noted, state: nil,
            attempt: 0, detail: json.bytes)
    }

    // MARK: What the person wrote

    private func eraseReceived(_ erasure: inout Erasure, _ now: Timestamp, _ needed: Int64) throws {
        let rows = try database.prepare(
            """
            SELECT id, event, id = (SELECT max(id) FROM inbound) FROM inbound WHERE conversation IN
                (SELECT id FROM conversation WHERE correspondent IN (SELECT value FROM json_each(:people)))
            AND id > :place ORDER BY id LIMIT :limit
            """
        ).all(
            .text(jsonNumbers(erasure.correspondents)), .integer(erasure.place), .integer(Int64(Self.erasedAtOnce))
        ) { (id: $0.integer(0), event: $0.optionalInteger(1), isNewest: $0.integer(2) != 0) }
        for row in rows {
            if let event = row.event {
                guard event < needed else {
                    erasure.report.keep("received", notTold)
                    continue
                }
                if event == memory.lastEvent { try noteErasing(erasure, now) }
                try removeEvent(event)
            }
            if row.isNewest {
                try database.prepare(
                    """
                    UPDATE inbound SET wamid = NULL, text = NULL, body = '{}', contact = NULL, event = NULL, media = NULL,
                        answer = NULL
                    WHERE id = :id
                    """
                ).run(.integer(row.id))
            } else {
                try removal.deleteReceived.run(.integer(row.id))
            }
            erasure.report.received += 1
        }
        erasure.place = rows.last?.id ?? erasure.place
        if rows.count < Self.erasedAtOnce { erasure.go(to: .events, place: 0) }
    }

    private func erasePeople(_ erasure: inout Erasure) throws {
        // By its names the rest is found when somebody asks again.
        guard erasure.report.kept.isEmpty else { return erasure.go(to: .limits) }
        for id in erasure.correspondents {
            let person = SQLValue.integer(id)
            try removal.deleteAddresses.run(person)
            try database.prepare(
                "UPDATE correspondent SET phone = NULL, user_id = NULL, username = NULL, name = NULL WHERE id = :id"
            ).run(person)
            erasure.report.conversations += Int64(
                try database.prepare(
                    """
                    DELETE FROM conversation WHERE correspondent = ?1 AND NOT EXISTS
                        (SELECT 1 FROM inbound WHERE conversation = conversation.id)
                    """
                ).run(person))
            erasure.report.contacts += Int64(
                try database.prepare(
                    """
                    DELETE FROM correspondent WHERE id = ?1 AND NOT EXISTS
                        (SELECT 1 FROM conversation WHERE correspondent = ?1)
                    """
                ).run(person))
        }
        erasure.go(to: .limits)
    }

    // MARK: What Meta's limits are counted by

    private func eraseLimits(_ erasure: inout Erasure, _ now: Timestamp) throws {
        var until: [Timestamp] = []
        for address in erasure.addresses {
            for pool in memory.pools.values where pool.account == erasure.account {
                if let freeAt = try slotFreeAt(pool.id, address) { until.append(freeAt) }
            }
            for line in memory.lines.values where line.account == erasure.account {
                guard let contact = try contact(line.id, address) else { continue }
                if contact.autoRepliedAt != nil { try change(line.id, address) { $0.autoRepliedAt = nil } }
                until += [contact.pairFullAt, contact.quietUntil, contact.noMarketingUntil].compactMap { $0 }
            }
        }
        for address in erasure.addresses {
            if let moment = try marketingKept(of: address, account: erasure.account) { until.append(moment) }
            if try forgetOptedOut(address, account: erasure.account) {
                erasure.report.keep(
                    "optOut",
                    "a keyed hash, no number: that the person wants no marketing holds on; see "
                        + "outboxctl opt-out rm")
            }
        }
        let isUsed = erasure.report.kept.contains { $0.what == "messages" }
        if let last = until.filter({ $0 > limitsNow }).max() {
            // By the limits' clock; told by the wall's.
            let wall = now + .milliseconds(last.milliseconds - limitsNow.milliseconds)
            erasure.report.keep(
                "limits", "the number, by which Meta's limits are counted exactly", until: wall)
        } else if isUsed {
            erasure.report.keep("limits", "the number, for messages that are kept")
        } else {
            try forgetLimits(of: erasure)
        }
        try eraseStatuses(&erasure)
        erasure.go(to: .space)
    }

    private func forgetLimits(of erasure: Erasure) throws {
        let lines = try database.prepare("SELECT id FROM line WHERE account = :account")
            .all(.integer(erasure.account)) { $0.integer(0) }
        for address in erasure.addresses {
            for line in lines { try limits.deleteContact.run(.integer(line), .text(address)) }
            for pool in memory.pools.values where pool.account == erasure.account {
                guard try limits.deleteSlot.run(.integer(pool.id), .text(address)) > 0 else { continue }
                try countSlots(pool.id)
            }
            try database.prepare("DELETE FROM alias WHERE account = ?1 AND (address = ?2 OR person = ?2)").run(
                .integer(erasure.account), .text(address))
            try database.prepare("DELETE FROM marketing_use WHERE account = :account AND person = :person").run(
                .integer(erasure.account), .text(address))
        }
    }

    /// Meta's calls that wait for a message, or for somebody to look at them.
    private func eraseStatuses(_ erasure: inout Erasure) throws {
        for address in erasure.addresses {
            memory.earlyStatuses -= Int64(
                try database.prepare(
                    """
                    DELETE FROM early_status WHERE person = :person AND phone_number_id IN
                        (SELECT phone_number_id FROM line WHERE account = :account)
                    """
                ).run(.text(address), .integer(erasure.account)))
            // A call is of an app, not of an account.
            let unread = "FROM webhook WHERE problem IS NOT NULL AND instr(CAST(body AS TEXT), :address) > 0"
            let quoted = SQLValue.text("\"\(address)\"")
            if erasure.account == Account.defaultID {
                erasure.report.webhooks += Int64(try database.prepare("DELETE \(unread)").run(quoted))
            } else if let count = try database.prepare("SELECT count(*) \(unread)").first(
                quoted, body: { $0.integer(0) }),
                count > 0
            {
                erasure.report.keep(
                    "webhooks", "calls of Meta's that nobody could read: they go by an erasure in the account default",
                    count: count)
            }
        }
    }

    // MARK: The log

    /// Events of no message that name the person: by an address, or by the id of a contact.
    private func eraseEvents(_ erasure: inout Erasure, _ now: Timestamp, _ needed: Int64) throws {
        let names =
            erasure.addresses.map { "\"\($0)\"" }
            + erasure.correspondents.map { "\"\(codec.text(MessageID(rawValue: $0), .contact))\"" }
        let rows = try database.prepare(
            """
            SELECT seq, detail FROM event WHERE message IS NULL AND account = :account AND seq > :place
            ORDER BY seq LIMIT :limit
            """
        ).all(.integer(erasure.account), .integer(erasure.place), .integer(Self.eventsLookedAt)) {
            (sequence: $0.integer(0), detail: $0.optionalText(1) ?? "")
        }
        for row in rows where names.contains(where: { row.detail.contains($0) }) {
            guard row.sequence < needed else {
                erasure.report.keep("events", notTold)
                continue
            }
            if row.sequence == memory.lastEvent { try noteErasing(erasure, now) }
            try removeEvent(row.sequence)
            erasure.report.events += 1
        }
        erasure.place = rows.last?.sequence ?? erasure.place
        guard Int64(rows.count) < Self.eventsLookedAt else { return }
        try pruning.savePrunedTo.run(.integer(memory.logPrunedTo))
        erasure.go(to: .people)
    }
}
