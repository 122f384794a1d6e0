package import OutboxCore

/// What a line knows of a person. Times are of the limits' clock.
package struct Contact: Equatable, Sendable {
    package var windowUntil: Timestamp?
    package var windowSeen: Timestamp?
    package var adUntil: Timestamp?
    package var freeEntryUntil: Timestamp?
    package var pairFullAt: Timestamp?
    package var quietUntil: Timestamp?
    package var noMarketingUntil: Timestamp?
    package var wakeAt: Timestamp?
    /// What was last sent to them, or was to be: their next message answers it.
    package var lastMessage: MessageID?
    /// The line's own text went to them.
    package var autoRepliedAt: Timestamp?

    static let columns = """
        window_until, ad_until, free_entry_until, pair_full_at, quiet_until, no_marketing_until, wake_at, window_seen,
        last_message, auto_replied_at
        """

    package init() {}

    init(_ row: Row) {
        func time(_ column: Int32) -> Timestamp? { row.optionalInteger(column).map(Timestamp.init(milliseconds:)) }

        windowUntil = time(0)
        adUntil = time(1)
        freeEntryUntil = time(2)
        pairFullAt = time(3)
        quietUntil = time(4)
        noMarketingUntil = time(5)
        wakeAt = time(6)
        windowSeen = time(7)
        lastMessage = row.optionalInteger(8).map(MessageID.init(rawValue:))
        autoRepliedAt = time(9)
    }

    /// What is known of one person under two names.
    fileprivate mutating func merge(_ other: Contact) {
        func later(_ a: Timestamp?, _ b: Timestamp?) -> Timestamp? { [a, b].compactMap { $0 }.max() }

        if let until = other.windowUntil, windowUntil.map({ $0 < until }) ?? true {
            (windowUntil, windowSeen) = (until, other.windowSeen)
        }
        adUntil = later(adUntil, other.adUntil)
        freeEntryUntil = later(freeEntryUntil, other.freeEntryUntil)
        pairFullAt = later(pairFullAt, other.pairFullAt)
        quietUntil = later(quietUntil, other.quietUntil)
        noMarketingUntil = later(noMarketingUntil, other.noMarketingUntil)
        wakeAt = [wakeAt, other.wakeAt].compactMap { $0 }.min()
        autoRepliedAt = later(autoRepliedAt, other.autoRepliedAt)
        lastMessage = [lastMessage, other.lastMessage].compactMap { $0 }.max()
    }
}

extension GateFacts {
    /// What is known of the person; `sureFrom` is the limits' clock's.
    mutating func know(_ contact: Contact?, sureFrom: Timestamp?) {
        guard let contact else { return }
        (windowUntil, windowSeen, self.sureFrom) = (contact.windowUntil, contact.windowSeen, sureFrom)
        quietUntil = contact.quietUntil
        noMarketingUntil = contact.noMarketingUntil
        pairFullAt = contact.pairFullAt
    }
}

extension Queue {
    /// How long a person's message opens the window, and how long an answered ad keeps the free entry point open.
    private static let window = Duration.seconds(24 * 3600)
    private static let freeEntry = Duration.seconds(72 * 3600)
    static let contactsWokenAtOnce = 200
    /// Messages of one person and class released at once.
    private static let releasedOfPerson = 50
    /// When the rest of them is, in that case.
    private static let restAfter = Duration.milliseconds(100)

    func contact(_ line: Int64, _ person: String) throws -> Contact? {
        try limits.contact.first(.integer(line), .text(person)) { Contact($0) }
    }

    func save(_ contact: Contact, _ line: Int64, _ person: String) throws {
        try limits.saveContact.run(
            .integer(line), .text(person), .optional(contact.windowUntil?.milliseconds),
            .optional(contact.adUntil?.milliseconds), .optional(contact.freeEntryUntil?.milliseconds),
            .optional(contact.pairFullAt?.milliseconds), .optional(contact.quietUntil?.milliseconds),
            .optional(contact.noMarketingUntil?.milliseconds), .optional(contact.wakeAt?.milliseconds),
            .optional(contact.windowSeen?.milliseconds), .optional(contact.lastMessage?.rawValue),
            .optional(contact.autoRepliedAt?.milliseconds))
        if let moment = contact.wakeAt { memory.nextContact = min(memory.nextContact, moment) }
    }

    /// Changes what is known of a person.
    func change(_ line: Int64, _ person: String, _ body: (inout Contact) -> Void) throws {
        var contact = try contact(line, person) ?? Contact()
        body(&contact)
        try save(contact, line, person)
    }

    /// Whom an address stands for.
    func person(_ address: String, account: Int64) throws -> String {
        guard memory.knowsAliases else { return address }
        return try limits.person.first(.integer(account), .text(address)) { $0.text(0) } ?? address
    }

    /// A person wrote to a line, by Meta's clock at `at`: the window is open, and waits for a place in the tier are
    /// over.
    package func received(
        from address: String, by line: Int64, at: Timestamp, adClick: Bool, now: Timestamp
    ) throws {
        guard let account = memory.lines[line]?.account else { return }
        let person = try person(address, account: account)
        // A call that took long to come has used part of the window; a time ahead of our clock has used nothing.
        let late = Duration.milliseconds(max(0, now.milliseconds - at.milliseconds))
        let until = limitsNow + Self.window - late
        try change(line, person) {
            if $0.windowUntil.map({ $0 <= until }) ?? true { ($0.windowUntil, $0.windowSeen) = (until, limitsNow) }
            if adClick { $0.adUntil = until }
        }
        memory.clockUsed = true
        try releaseFromTier(person, line)
    }

    /// A person needs no new place in the tier, or not the same one: whatever waits for one tries again.
    func releaseFromTier(_ person: String, _ line: Int64) throws {
        for priority in Priority.allCases where memory.counters[line, .queued, priority, .tier] > 0 {
            while try release(of: person, line, priority, .tier, .tier) == Self.releasedOfPerson {}
        }
    }

    /// An answer to the click on an ad opens the free entry point.
    func answered(_ line: Int64, _ person: String) throws {
        guard var contact = try contact(line, person), let adUntil = contact.adUntil, adUntil > limitsNow else {
            return
        }
        contact.freeEntryUntil = limitsNow + Self.freeEntry
        contact.adUntil = nil
        try save(contact, line, person)
    }

    /// Meta answered with another name for whom a message went to: from now on they are one person.
    package func learn(_ address: String, is person: String, account: Int64, now: Timestamp) throws {
        guard address != person, try self.person(address, account: account) != person else { return }
        memory.knowsAliases = true
        try limits.learnAlias.run(.integer(account), .text(address), .text(person))
        // Whoever stood for them stands for whom they stand for.
        try limits.passAliases.run(.text(person), .integer(account), .text(address))
        try limits.dropAlias.run(.integer(account), .text(person))
        try unify([address, person], account: account, now: now)
        for line in memory.lines.values where line.account == account {
            try renamePairs(line.id, from: address, to: person)
            guard let known = try contact(line.id, address) else { continue }
            try change(line.id, person) { $0.merge(known) }
            try limits.deleteContact.run(.integer(line.id), .text(address))
        }
        for pool in memory.pools.values where pool.account == account {
            guard let freeAt = try slotFreeAt(pool.id, address) else { continue }
            let counted = try slotFreeAt(pool.id, person)
            // A moment no attempt gave it: what was counted under either name stays counted.
            let until = max(freeAt, counted ?? freeAt) + .milliseconds(1)
            try limits.takeSlot.run(.integer(pool.id), .text(person), .integer(until.milliseconds))
            try limits.deleteSlot.run(.integer(pool.id), .text(address))
            if counted != nil { memory.slotsUsed[pool.id, default: 0] -= 1 }
        }
        if memory.marketingCaps[account] != nil {
            try limits.renameMarketing.run(.text(person), .integer(account), .text(address))
        }
        try passOptOut(from: address, to: person, account: account)
        for line in memory.lines.values where line.account == account { try releaseFromTier(person, line.id) }
    }

    // MARK: Waits with a person

    /// Lets messages try again whose person may be written to again. Answers whether more of them wait.
    func wakeContacts() throws -> Bool {
        guard memory.nextContact <= limitsNow else { return false }
        let woken = try limits.wokenContacts.all(
            .integer(limitsNow.milliseconds), .integer(Int64(Self.contactsWokenAtOnce))
        ) { (line: $0.integer(0), person: $0.text(1)) }
        for (line, person) in woken {
            var all = true
            for priority in Priority.allCases {
                let released = try release(of: person, line, priority, .pair, .person)
                all = all && released < Self.releasedOfPerson
            }
            try change(line, person) { $0.wakeAt = all ? nil : limitsNow + Self.restAfter }
        }
        memory.nextContact = try nextContact(after: .min) ?? .distantFuture
        return woken.count == Self.contactsWokenAtOnce
    }

    /// Puts a person's messages that wait at one of two gates back into their queue, those first that were
    /// longest not looked at; 50 at most. Answers how many.
    @discardableResult
    func release(of person: String, _ line: Int64, _ priority: Priority, _ first: Gate, _ second: Gate) throws -> Int {
        let waiting = try limits.ofPerson.all(
            .integer(line), .text(person), .integer(priority.rawValue), .integer(first.rawValue),
            .integer(second.rawValue)
        ) { (id: MessageID(rawValue: $0.integer(0)), gate: Gate(rawValue: $0.integer(1)) ?? .none) }
        for (id, gate) in waiting { try unpark(id, line, priority, from: gate) }
        return waiting.count
    }

    /// The first of those that waited for a message to go first may try.
    func releaseFollower(of record: Record) throws {
        guard memory.counters.isWaited(at: .order),
            memory.counters[record.line, .queued, record.priority, .order] > 0
        else { return }
        let follower = try limits.follower.first(
            .integer(record.line), .text(record.person), .integer(record.priority.rawValue)
        ) { MessageID(rawValue: $0.integer(0)) }
        if let follower { try unpark(follower, record.line, record.priority, from: .order) }
    }
}
