package import OutboxCore

/// What moves without anybody doing anything, and how messages come into the queue.
extension Queue {
    /// Rows a slice of due, expired or settled messages may change, so that one-time codes never wait for it long.
    private static let sliceRows: Int64 = 500

    /// Moves what the clock alone moves: due, expired, grace over, old keys. Answers whether more of it waits.
    package func clockMoved(_ now: Timestamp) throws -> Bool {
        try expireTemplateHolds(now)
        try pruneEarlyStatuses(now)
        let most = try Alarms.Kind.allCases.map { try ring($0, now) }.max()
        let moreKeys = try forgetKeys(now)
        let moreRemoved = try sweepRemovedSubscriptions()
        let moreUses = try forgetMarketing()
        return moreKeys || moreRemoved || moreUses || most == Int(Self.sliceRows)
    }

    /// Moves the messages whose moment has come. Answers how many there were.
    private func ring(_ kind: Alarms.Kind, _ now: Timestamp) throws -> Int {
        guard memory.alarms[kind] <= now else { return 0 }
        let ids = try statements.passed(kind).all(.integer(now.milliseconds), .integer(Self.sliceRows)) {
            MessageID(rawValue: $0.integer(0))
        }
        for id in ids {
            switch kind {
            case .expiry: try expire(id, now)
            case .due: try becomeDue(id, now)
            case .grace: try settleUnknown(id, now)
            case .receipt: try receiptIsOver(id, now)
            }
        }
        memory.alarms[kind] = try nextAlarm(kind)
        return ids.count
    }

    func expire(_ id: MessageID, _ now: Timestamp) throws {
        try giveUp(id, Failure(code: "EXPIRED", message: "its expiresAt passed before it could leave"), now)
    }

    /// A message that has not left will not.
    func giveUp(_ id: MessageID, _ failure: Failure, _ now: Timestamp) throws {
        guard var record = try load(id), case .move(let state) = record.standing.decide(.expired) else { return }
        record.enter(state)
        record.standing.failedBy = .ours
        record.failedAt = now
        record.failure = failure
        try save(&record, .failed, at: now, detail: failure.detail)
    }

    /// Meta keeps trying to deliver for 30 days, one-time codes for 10 minutes (Cloud API, "Time-To-Live"); that it gave
    /// up it does not tell.
    private static let receiptMax = Duration.seconds(30 * 86_400)
    private static let receiptMaxForCodes = Duration.seconds(600)

    /// Enters `sent`.
    func enterSent(_ record: inout Record, at moment: Timestamp) {
        record.enter(.sent)
        record.sentAt = record.sentAt ?? moment
        // Meta's page "Reaction messages": of a reaction nothing but sent is ever told.
        guard !record.isReaction else { return }
        let limit = kind(of: record) == .authentication ? Self.receiptMaxForCodes : Self.receiptMax
        record.receiptUntil = (record.sentAt ?? moment) + limit
    }

    private func receiptIsOver(_ id: MessageID, _ now: Timestamp) throws {
        guard var record = try load(id) else { return }
        record.receiptUntil = nil
        record.hasNoReceipt = true
        try save(&record, .noReceipt, at: now)
    }

    private func becomeDue(_ id: MessageID, _ now: Timestamp) throws {
        guard var record = try load(id), case .move(let state) = record.standing.decide(.due) else { return }
        let failure = record.failure
        let isNew = record.standing.state == .scheduled
        record.enter(state)
        record.failure = failure
        if isNew {
            record.turn = nextTurn(record.line, record.priority, record.batch)
            memory.counters.tally.lateness.append(max(0, now.milliseconds - record.dueAt.milliseconds))
        }
        try meetPerson(&record)
        record.gate = try gateOnEntry(record.line, record.priority, record.person)
        if record.gate != .none { record.gatedAt = now }
        try save(&record, .due, at: now)
    }

    /// Meta may have told another name of the recipient since the message was last in the queue.
    func meetPerson(_ record: inout Record) throws {
        let person = try person(record.person, account: record.account)
        guard person != record.person else { return }
        record.meet(person)
        try limits.renameMessage.run(.text(person), .integer(record.id.rawValue))
        records.forget(record.id)
    }

    func nextTurn(_ line: Int64, _ priority: Priority, _ batch: MessageID?) -> Int64 {
        memory.turns[LineClass(line: line, priority: priority), default: FairTurns()].next(batch: batch)
    }

    /// Who needs a place in a tier that is full waits there from the start, so that nobody behind has to wait for that
    /// to be found out.
    func gateOnEntry(_ line: Int64, _ priority: Priority, _ person: String) throws -> Gate {
        guard let line = memory.lines[line], let room = room(line, priority) else { return .none }
        // Whoever waits already goes before a newcomer.
        guard room <= 0 || memory.counters[line.id, .queued, priority, .tier] > 0 else { return .none }
        return try needsPlace(line, person) ? .tier : .none
    }

    /// Whether a message to a person takes a new place in the tier.
    func needsPlace(_ line: Line, _ person: String) throws -> Bool {
        if try slotFreeAt(line.pool, person).map({ $0 > limitsNow }) ?? false { return false }
        var facts = GateFacts(priority: .normal, isTemplate: true)
        facts.know(try contact(line.id, person), sureFrom: clock.sureFrom)
        let isFree = GateFacts.windowIsOpen(facts.windowUntil, now: limitsNow, deadline: attemptMax)
        return !(isFree && facts.windowIsSure)
    }
}
