import OutboxCore

/// The changing part of one message's row, with the state and attempt it was loaded in.
struct Record {
    let id: MessageID
    let account: Int64
    let line: Int64
    let priority: Priority
    let batch: MessageID?
    private(set) var person: String
    let anyOrder: Bool
    let isReaction: Bool
    let cohort: Int64
    private(set) var loadedState: MessageState
    private(set) var loadedGate: Gate
    private(set) var loadedUnknown: Bool
    private(set) var loadedAttempt: Int64
    /// As it stands in the file.
    private(set) var stored: Stored?

    final class Stored {
        let record: Record
        init(_ record: Record) { self.record = record }

        /// As if it were read out of the file once more.
        var loaded: Record {
            var record = record
            record.stored = self
            return record
        }
    }

    var standing: Standing
    var dueAt: Timestamp
    var failures: Int64
    var graceUntil: Timestamp?
    var lastEvent: Int64
    private(set) var wamid: String?
    /// The attempt it came of.
    private(set) var wamidAttempt: Int64?
    var sentAt: Timestamp?
    var deliveredAt: Timestamp?
    var readAt: Timestamp?
    var failedAt: Timestamp?
    var cancelledAt: Timestamp?
    var failure: Failure?
    let expiresAt: Timestamp?
    var turn: Int64
    var gate: Gate
    var gatedAt: Timestamp?
    var template: TemplateName?
    var onUnknown: UnknownPolicy?
    var claimedAt: Timestamp?
    var receiptUntil: Timestamp?
    var hasNoReceipt: Bool
    /// As Meta's statuses say.
    var pricing: Pricing?
    /// When the person first answered it.
    var repliedAt: Timestamp?
    /// The file it names.
    var media: MessageID?

    static let columns = """
        id, account, line, state, attempt, closed_attempt, unknown, failed_by, due_at, failures, grace_until, last_event,
        wamid, sent_at, delivered_at, read_at, failed_at, cancelled_at, error_code, error_message, expires_at,
        priority, batch, person, any_order, turn, gate, gated_at, template, on_unknown, claimed_at,
        receipt_until, no_receipt, wamid_attempt, type = 'reaction', cohort, price, replied_at, media
        """
    static let columnCount: Int32 = 39

    init(_ row: Row) {
        func time(_ column: Int32) -> Timestamp? { row.optionalInteger(column).map(Timestamp.init(milliseconds:)) }

        guard let state = MessageState(rawValue: row.integer(3)) else {
            preconditionFailure("the schema lets no other state in")
        }
        id = MessageID(rawValue: row.integer(0))
        account = row.integer(1)
        line = row.integer(2)
        loadedState = state
        loadedAttempt = row.integer(4)
        standing = Standing(
            state: state, attempt: row.integer(4), closedAttempt: row.integer(5), outcomeUnknown: row.integer(6) != 0,
            failedBy: row.optionalInteger(7).flatMap(FailureOrigin.init(rawValue:)))
        dueAt = Timestamp(milliseconds: row.integer(8))
        failures = row.integer(9)
        graceUntil = time(10)
        lastEvent = row.integer(11)
        wamid = row.optionalText(12)
        sentAt = time(13)
        deliveredAt = time(14)
        readAt = time(15)
        failedAt = time(16)
        cancelledAt = time(17)
        failure = row.optionalText(18).map { Failure(code: $0, message: row.text(19)) }
        expiresAt = time(20)
        priority = Priority(rawValue: row.integer(21)) ?? .normal
        batch = row.optionalInteger(22).map(MessageID.init(rawValue:))
        person = row.text(23)
        anyOrder = row.integer(24) != 0
        turn = row.integer(25)
        gate = Gate(rawValue: row.integer(26)) ?? .none
        gatedAt = time(27)
        loadedGate = gate
        loadedUnknown = standing.outcomeUnknown
        template = row.optionalText(28).flatMap(TemplateName.init(text:))
        onUnknown = row.optionalInteger(29).flatMap(UnknownPolicy.init(rawValue:))
        claimedAt = time(30)
        receiptUntil = time(31)
        hasNoReceipt = row.integer(32) != 0
        wamidAttempt = row.optionalInteger(33)
        isReaction = row.integer(34) != 0
        cohort = row.integer(35)
        pricing = row.optionalText(36).flatMap(Pricing.init(text:))
        repliedAt = time(37)
        media = row.optionalInteger(38).map(MessageID.init(rawValue:))
        stored = Stored(self)
    }

    /// Others to the same person, of the same class, wait for it.
    func goesFirst(in state: MessageState, unknown: Bool, gate: Gate) -> Bool {
        if anyOrder { return false }
        switch state {
        case .processing: return !unknown
        case .retrying: return true
        case .queued: return gate == .none || gate.keepsPlace
        case .scheduled, .sent, .delivered, .read, .failed, .cancelled: return false
        }
    }

    var goesFirst: Bool { goesFirst(in: standing.state, unknown: standing.outcomeUnknown, gate: gate) }

    /// ISO 3166-1; empty: not known.
    var country: String { CallingCodes.country(of: person)?.code ?? "" }

    fileprivate var counted: Counters.Key {
        Counters.Key(line: line, state: standing.state, priority: priority, gate: gate)
    }

    fileprivate var countedBefore: Counters.Key {
        Counters.Key(line: line, state: loadedState, priority: priority, gate: loadedGate)
    }

    /// Meta's id of the copy that counts.
    mutating func take(_ wamid: String?, of attempt: Int64) {
        self.wamid = wamid
        wamidAttempt = wamid == nil ? nil : attempt
    }

    /// Another attempt than the one that counts got there as well.
    func isCopy(_ wamid: String, of attempt: Int64) -> Bool {
        guard let counted = self.wamid, counted != wamid, standing.state != .failed else { return false }
        return wamidAttempt != attempt
    }

    /// Whom Meta knows the recipient as by now.
    mutating func meet(_ person: String) { self.person = person }

    /// Enters a state: what is known only in the state before goes.
    mutating func enter(_ state: MessageState) {
        standing.state = state
        standing.outcomeUnknown = false
        standing.failedBy = nil
        graceUntil = nil
        receiptUntil = nil
        hasNoReceipt = false
        gate = .none
        gatedAt = nil
        if state != .failed { failedAt = nil }
        if state == .sent || state == .delivered || state == .read || state == .queued { failure = nil }
    }

    fileprivate mutating func markSaved() {
        loadedState = standing.state
        loadedAttempt = standing.attempt
        loadedGate = gate
        loadedUnknown = standing.outcomeUnknown
        stored = nil
        stored = Stored(self)
    }
}

extension Queue {
    func load(_ id: MessageID) throws -> Record? {
        if let known = records[id] { return known }
        return try statements.loadRecord.first(.integer(id.rawValue)) { Record($0) }
    }

    /// Writes a changed record and the event that tells of it.
    func save(_ record: inout Record, _ kind: EventKind, at now: Timestamp, detail: [UInt8]? = nil) throws {
        record.lastEvent = try appendEvent(
            account: record.account, line: record.line, message: record.id, previous: record.lastEvent, at: now,
            kind: kind, state: record.standing.state, attempt: record.standing.attempt, detail: detail)
        let (before, failureBefore) = (record.loadedState, record.stored?.record.failure)
        try store(&record)
        if record.batch != nil, !memory.campaigns.isEmpty {
            try campaignMoved(record, from: before, failureBefore, now)
        }
        tell(Told(kind, record, at: now))
    }

    /// Writes a changed record alone. Whoever waited for it to go first is let go.
    func store(_ record: inout Record) throws {
        let wentFirst = record.goesFirst(in: record.loadedState, unknown: record.loadedUnknown, gate: record.loadedGate)
        // While it is on its way older ones wait too, as those that became due meanwhile: they do not wait for its
        // next try.
        let came = record.loadedState == .processing && record.standing.state != .processing
        guard let stored = record.stored else { preconditionFailure("a record comes out of the file") }
        let byPerson = try pair(record, before: stored.record)
        let changed = try statements.changes.save(record, byPerson: byPerson)
        precondition(changed == 1, "a message changed under its only writer")
        memory.counters.moved(from: record.countedBefore, to: record.counted)
        memory.cohorts.moved(from: stored.record, to: record)
        if record.loadedUnknown != record.standing.outcomeUnknown {
            memory.unknown[record.line, default: 0] += record.loadedUnknown ? -1 : 1
            watchEvidence(record)
        }
        if let wamid = record.wamid, wamid != stored.record.wamid { try note(wamid: wamid, of: record.id) }
        memory.alarms.set(for: record)
        record.markSaved()
        records.wrote(record)
        if wentFirst, came || !record.goesFirst { try releaseFollower(of: record) }
    }

    /// Answers the new event's sequence number.
    func appendEvent(
        account: Int64, line: Int64?, message: MessageID?, previous: Int64?, at now: Timestamp, kind: EventKind,
        state: MessageState?, attempt: Int64, detail: [UInt8]?
    ) throws -> Int64 {
        let sequence = memory.lastEvent + 1
        try database.add(
            .integer(sequence), .integer(account), .optional(line), .optional(message?.rawValue), .optional(previous),
            .integer(now.milliseconds), .integer(kind.rawValue), .optional(state?.rawValue), .integer(attempt),
            .optional(detail), to: statements.newEvents)
        memory.lastEvent = sequence
        return sequence
    }
}
