import OutboxCore

/// Who has messages in the queue or on their way, by line and person.
///
/// Most people have one message at a time. Those are found here alone; the others stand in the file's index of people
/// too (`by_person`). An index of all of them would cost each message a page of its own at every step, for people come
/// in no order.
///
/// Belongs to the writer, and is undone with its transaction. Two pairs with one hash are kept like one pair with two
/// messages, and the index, which knows names, tells them apart.
struct LivePairs {
    /// Positive: the only message, which is not in the index. Negative: so many, which are.
    private var pairs: [UInt64: Int64] = [:]
    /// What stood there before, in the order of the changes.
    private var changes: [(key: UInt64, old: Int64?)] = []

    /// What an entry asks of the file.
    struct Entry: Equatable {
        /// The message belongs into the index.
        var isIndexed: Bool
        /// So does this one, which was the only one.
        var first: MessageID?
    }

    mutating func reserve(_ count: Int) { pairs.reserveCapacity(count) }

    /// A message became queued. `indexed`: it belongs into the index though it may be the only one.
    mutating func enter(_ id: MessageID, _ line: Int64, _ person: String, indexed: Bool) -> Entry {
        let key = key(line, person)
        switch pairs[key] {
        case nil:
            set(key, indexed ? -1 : id.rawValue)
            return Entry(isIndexed: indexed)
        case let first? where first > 0:
            set(key, -2)
            return Entry(isIndexed: true, first: MessageID(rawValue: first))
        case let count?:
            set(key, count - 1)
            return Entry(isIndexed: true)
        }
    }

    /// A message that was there before this process. Answers whether it is the first of its pair.
    mutating func remember(_ id: MessageID, _ line: Int64, _ person: String) -> Bool {
        let key = key(line, person)
        guard pairs[key] == nil else { return false }
        pairs[key] = id.rawValue
        return true
    }

    /// A message is to be found by its person from now on. Answers whether it was not.
    mutating func index(_ id: MessageID, _ line: Int64, _ person: String) -> Bool {
        let key = key(line, person)
        guard pairs[key] == id.rawValue else { return false }
        set(key, -1)
        return true
    }

    /// A message has left the queue for good, or stands in it under another name. Answers whether it is in the index.
    mutating func leave(_ id: MessageID, _ line: Int64, _ person: String) -> Bool {
        let key = key(line, person)
        guard let known = pairs[key], known < 0 || known == id.rawValue else { return false }
        set(key, known < -1 ? known + 1 : nil)
        return known < 0
    }

    /// Nobody else writes to the person.
    func isAlone(_ id: MessageID, _ line: Int64, _ person: String) -> Bool {
        pairs[key(line, person)] == id.rawValue
    }

    /// The only message of a pair that is not in the index; with a chance of one to many millions, another pair's.
    func alone(_ line: Int64, _ person: String) -> MessageID? {
        pairs[key(line, person)].flatMap { $0 > 0 ? MessageID(rawValue: $0) : nil }
    }

    /// How many of a pair are in the index.
    func indexed(_ line: Int64, _ person: String) -> Int64 { -min(0, pairs[key(line, person)] ?? 0) }

    private func key(_ line: Int64, _ person: String) -> UInt64 {
        var hasher = Hasher()
        hasher.combine(line)
        hasher.combine(person)
        return UInt64(bitPattern: Int64(hasher.finalize()))
    }

    private mutating func set(_ key: UInt64, _ value: Int64?) {
        changes.append((key, pairs[key]))
        pairs[key] = value
    }

    // MARK: Transactions

    /// To go back to.
    var mark: Int { changes.count }

    mutating func goBack(to mark: Int) {
        while changes.count > mark {
            let change = changes.removeLast()
            pairs[change.key] = change.old
        }
    }

    mutating func committed() { changes.removeAll(keepingCapacity: changes.count < 10_000) }
}

extension MessageState {
    /// Has a place among those to the same person.
    var isLive: Bool { self == .queued || self == .processing || self == .retrying }
}

extension Queue {
    /// Keeps account of a message that enters or leaves the queue, or meets its person under another name. Answers what
    /// becomes of `by_person`; nil: it stays.
    func pair(_ record: Record, before old: Record) throws -> Bool? {
        let (was, isLive) = (old.standing.state.isLive, record.standing.state.isLive)
        let isRenamed = was && isLive && old.person != record.person
        let needsIndex = record.gate != .none || record.standing.state == .retrying
        var isIndexed = false
        if was, !isLive || isRenamed { isIndexed = pairs.leave(record.id, record.line, old.person) }
        if isLive, !was || isRenamed {
            let isToBe = try enter(record.id, record.line, record.person, indexed: needsIndex || isIndexed)
            return isToBe == isIndexed ? nil : isToBe
        }
        if isLive { return needsIndex && pairs.index(record.id, record.line, record.person) ? true : nil }
        return isIndexed ? false : nil
    }

    /// A message is in the queue now. Answers whether it belongs into the index of people.
    func enter(_ id: MessageID, _ line: Int64, _ person: String, indexed: Bool) throws -> Bool {
        let entry = pairs.enter(id, line, person, indexed: indexed)
        if let first = entry.first { try limits.indexPerson.run(.integer(first.rawValue)) }
        return entry.isIndexed
    }

    /// A person's live messages of a line are somebody else's from now on: Meta told another name.
    func renamePairs(_ line: Int64, from old: String, to new: String) throws {
        if let only = pairs.alone(line, old) {
            let renamed = try limits.renameOnly.run(
                .text(new), .integer(only.rawValue), .integer(line), .text(old))
            guard renamed == 1 else { return }
            records.forget(only)
            _ = pairs.leave(only, line, old)
            if try enter(only, line, new, indexed: false) { try limits.indexPerson.run(.integer(only.rawValue)) }
            return
        }
        guard pairs.indexed(line, old) > 0 else { return }
        let renamed = try limits.renamePerson.all(.text(new), .integer(line), .text(old)) {
            MessageID(rawValue: $0.integer(0))
        }
        for id in renamed {
            records.forget(id)
            _ = pairs.leave(id, line, old)
            _ = try enter(id, line, new, indexed: true)
        }
    }

    /// Who is in the queue, out of the file.
    func rememberPairs() throws {
        pairs = LivePairs()
        pairs.reserve(Int(clamping: memory.counters.total { $0.isLive }))
        try database.prepare("SELECT id, line, person FROM message INDEXED BY message_person WHERE by_person = 1").each
        {
            _ = pairs.enter(MessageID(rawValue: $0.integer(0)), $0.integer(1), $0.text(2), indexed: true)
        }
        var met: [(id: MessageID, line: Int64, person: String)] = []
        for (index, words) in [
            ("message_ready", "state = 1 AND gate = 0"), ("message_claimed", "state = 2"),
        ] {
            try database.prepare("SELECT id, line, person FROM message INDEXED BY \(index) WHERE \(words)").each {
                row in
                let (id, line, person) = (MessageID(rawValue: row.integer(0)), row.integer(1), row.text(2))
                if !pairs.remember(id, line, person) { met.append((id, line, person)) }
            }
        }
        // In the index already, but where this process happens to give two pairs one hash.
        let isIndexed = try database.prepare("SELECT by_person FROM message WHERE id = :id")
        for (id, line, person) in met
        where try isIndexed.first(.integer(id.rawValue), body: { $0.integer(0) }) == 0 {
            if try enter(id, line, person, indexed: false) { try limits.indexPerson.run(.integer(id.rawValue)) }
        }
        pairs.committed()
    }
}
