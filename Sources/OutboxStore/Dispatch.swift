package import OutboxCore
import OutboxJSON

/// One POST that is to be made now. The row says `processing` before anybody gets to see this.
///
/// Handed from thread to thread: what stays the same is kept apart, so that a copy costs little.
package struct Attempt: Equatable, Sendable {
    private final class Fixed: Sendable {
        let message: MessageID
        let opaque: String
        let line: Int64
        let lineName: String
        let phoneNumberID: String
        let credential: String
        let to: String
        let type: String
        let content: [UInt8]
        let media: MediaUse?

        init(_ row: ReadyRow, opaque: String, _ line: Line) {
            message = row.record.id
            self.opaque = opaque
            self.line = line.id
            lineName = line.name
            phoneNumberID = line.settings.phoneNumberID
            credential = line.settings.credential
            to = row.to
            type = row.type
            media = row.media
            content = row.media.map { MediaName.filled(row.content, media: $0.name, metaID: $0.metaID) } ?? row.content
        }
    }

    private let fixed: Fixed
    package var number: Int64

    package var message: MessageID { fixed.message }
    /// What Meta's status webhooks bring back to us: message id and attempt.
    package var opaque: String { fixed.opaque }
    package var line: Int64 { fixed.line }
    package var lineName: String { fixed.lineName }
    package var phoneNumberID: String { fixed.phoneNumberID }
    package var credential: String { fixed.credential }
    package var to: String { fixed.to }
    package var type: String { fixed.type }
    package var content: [UInt8] { fixed.content }
    /// The file it goes with.
    package var media: MediaUse? { fixed.media }
    /// Its slot in the line's pace, in nanoseconds of the steady clock.
    package var notBefore: UInt64 = 0
    /// Should it leave late: nanoseconds between those of its line, and how many may leave at once.
    package var spacing: UInt64 = 0
    package var burst: UInt64 = 1
    /// Its place in the tier; nil when it needed none.
    package var slot: TierSlot?
    /// The person clicked on an ad and waits for an answer.
    package var answersAd = false
    /// By the limits' clock.
    package var claimedAt = Timestamp(milliseconds: 0)

    fileprivate init(_ row: ReadyRow, _ number: Int64, opaque: String, _ line: Line) {
        fixed = Fixed(row, opaque: opaque, line)
        self.number = number
    }

    /// One attempt has one number.
    package static func == (a: Attempt, b: Attempt) -> Bool {
        a.message == b.message && a.number == b.number && a.notBefore == b.notBefore && a.slot == b.slot
            && a.answersAd == b.answersAd && a.claimedAt == b.claimedAt
    }
}

/// A file as Meta has it.
package struct MediaUse: Equatable, Sendable {
    package var media: MessageID
    /// Our id, as it stands in the content.
    package var name: String
    package var metaID: String
}

/// A message whose turn it is, with what leaves.
private struct ReadyRow {
    var record: Record
    var to: String
    var type: String
    var content: [UInt8]
    var fallback: [UInt8]?
    var isSimulated: Bool
    /// The window was closed: the fallback goes in place of this.
    var replaced: [UInt8]?
    var media: MediaUse?

    init(_ row: Row) {
        let next = Record.columnCount
        record = Record(row)
        to = row.text(next)
        type = row.text(next + 1)
        content = row.bytes(next + 2)
        fallback = row.optionalBytes(next + 3)
        isSimulated = row.integer(next + 4) != 0
    }
}

/// What a claim did.
package struct Claimed: Equatable, Sendable {
    package var attempts: [Attempt] = []
    /// There is more to look at.
    package var goOn = false

    package init() {}
}

extension Queue {
    /// Messages looked at for one claim, so that one-time codes never wait long for it.
    private static let looksMax = 500
    /// Messages of a line read at once.
    private static let readAtOnce = 32

    /// Gives up to `slots` ready messages an attempt, fairly among lines, their classes by weight, and in each class
    /// one of every batch in turn. `allowed` may let fewer of a line out than are ready.
    package func claim(
        slots: Int, now: Timestamp, allowed: (_ line: Int64, _ ready: Int) -> Int = { $1 }
    ) throws -> Claimed {
        var claimed = Claimed()
        guard slots > 0 else { return claimed }
        claimed.goOn = try freeSlots()
        claimed.goOn = try wakeContacts() || claimed.goOn
        claimed.goOn = try sweepOn() || claimed.goOn
        claimed.goOn = try releaseUploaded() || claimed.goOn
        // The one behind the last is asked first: when only one may try, each gets its turn.
        let lines = readyLines
        let start = memory.lastLineServed.flatMap { last in lines.firstIndex { $0 > last } } ?? 0
        let ready = (lines[start...] + lines[..<start])
            .map { (line: $0, count: allowed($0, readyCount($0))) }
            .filter { $0.count > 0 }.sorted { $0.line < $1.line }
        var looks = Self.looksMax
        for share in fairShare(slots: slots, ready: ready, after: memory.lastLineServed) {
            if looks <= 0 { break }
            try claim(line: share.line, count: share.count, now, &looks, &claimed)
            memory.lastLineServed = share.line
        }
        claimed.goOn = claimed.goOn || looks <= 0
        return claimed
    }

    private func claim(
        line id: Int64, count: Int, _ now: Timestamp, _ looks: inout Int, _ claimed: inout Claimed
    ) throws {
        guard let line = memory.lines[id] else { return }
        var left = count
        var next: ArraySlice<ReadyRow> = []
        var returned = memory.returned
        while left > 0, looks > 0 {
            let share = memory.shares[id] ?? ClassShare()
            let classes = readyClasses(id)
            guard let priority = share.next(of: classes) else { return }
            // Those behind the first are still next, unless some came back to their places in between.
            if next.isEmpty || returned != memory.returned {
                let count = classes.count > 1 ? 1 : min(left, looks, Self.readAtOnce)
                next = try statements.ready.all(
                    .integer(id), .integer(priority.rawValue), .integer(Int64(count)), body: { ReadyRow($0) })[...]
                returned = memory.returned
            }
            guard let row = next.popFirst() else { return }
            looks -= 1
            let lineClass = LineClass(line: id, priority: priority)
            memory.turns[lineClass, default: FairTurns()].served(row.record.turn)
            memory.shares[id, default: ClassShare()].served(priority)
            if row.record.gatedAt != nil { memory.released[lineClass] = max(0, (memory.released[lineClass] ?? 0) - 1) }
            guard let attempt = try look(at: row, line, now) else { continue }
            claimed.attempts.append(attempt)
            left -= 1
        }
    }

    /// A message whose turn it is leaves, waits at a gate, or ends.
    private func look(at row: ReadyRow, _ line: Line, _ now: Timestamp) throws -> Attempt? {
        var row = row
        if let expiresAt = row.record.expiresAt, expiresAt <= now {
            try expire(row.record.id, now)
            return nil
        }
        if row.isSimulated {
            try simulate(row.record, now)
            return nil
        }
        while true {
            let contact = try contact(line.id, row.record.person)
            var facts = try facts(row, line, contact, now)
            if facts.isMarketing, try endMarketing(row, line, facts, now) { return nil }
            if let media = row.record.media, !facts.isPaused, !facts.templateHeld {
                (facts.media, row.media) = try standing(of: media, for: line.id, now)
            }
            switch facts.decide(now: limitsNow, deadline: attemptMax) {
            case .pass(let takesSlot): return try leave(row, line, contact, takesSlot: takesSlot, facts, now)
            case .refused(let failure):
                try giveUp(row.record.id, failure, now)
                return nil
            case .wait(let gate, let until):
                try park(row.record, gate, until: until, now)
                return nil
            case .windowClosed:
                guard let fallback = row.fallback, let template = Self.templateName(fallback) else {
                    try windowClosed(row.record, now)
                    return nil
                }
                try limits.useFallback.run(.text(template.text), .integer(row.record.id.rawValue))
                records.forget(row.record.id)
                row.fallback = nil
                row.replaced = row.content
                (row.type, row.content) = ("template", fallback)
                row.record.template = template
                row.record.media = nil
                row.media = nil
            }
        }
    }

    /// Marketing that is not to reach its person any more ends here. Answers whether it has.
    private func endMarketing(_ row: ReadyRow, _ line: Line, _ facts: GateFacts, _ now: Timestamp) throws -> Bool {
        if try isOptedOut([row.to, row.record.person], account: line.account) {
            try giveUp(row.record.id, Failure(code: "OPTED_OUT", message: "the person wants no marketing"), now)
            return true
        }
        guard let cap = facts.cap, cap.whenReached == .fail else { return false }
        let words = "the person was sent \(cap.messages) marketing messages in \(cap.days) days: that is the cap"
        try giveUp(row.record.id, Failure(code: "FREQUENCY_CAP", message: words), now)
        return true
    }

    private func facts(_ row: ReadyRow, _ line: Line, _ contact: Contact?, _ now: Timestamp) throws -> GateFacts {
        let record = row.record
        var facts = GateFacts(priority: record.priority, isTemplate: row.type == "template")
        facts.isPaused = isPaused(record)
        facts.trustsWindow = line.settings.closedWindow == .leave
        facts.countsPairs = line.settings.pairLimit
        facts.templateHeld = isHeld(record.template, line: line.id)
        facts.isMarketing = isMarketing(record.template, record.priority, line: line.id)
        facts.know(contact, sureFrom: clock.sureFrom)
        if facts.isMarketing, let reached = try cap(reachedBy: record.person, line: line) {
            facts.cap = reached.cap
            facts.capUntil = reached.until
        }
        if let until = try quietUntil(record, now) {
            facts.quietHoursUntil = until.onClock(showing: limitsNow, insteadOf: now)
        }
        if !record.anyOrder, !pairs.isAlone(record.id, line.id, record.person) {
            facts.isBehind =
                try limits.isBehind.first(
                    .integer(line.id), .text(record.person), .integer(record.priority.rawValue),
                    .integer(record.id.rawValue)
                ) { $0.integer(0) != 0 } ?? false
            if !facts.isBehind, memory.sweeps.contains(where: { $0.line == line.id && $0.priority == record.priority })
            {
                facts.isBehind =
                    try limits.isBehindSwept.first(
                        .integer(line.id), .text(record.person), .integer(record.priority.rawValue),
                        .integer(record.id.rawValue)
                    ) { $0.integer(0) != 0 } ?? false
            }
        }
        facts.room = room(line, record.priority)
        facts.slotFreeAt = try slotFreeAt(line.pool, record.person)
        return facts
    }

    private func leave(
        _ row: ReadyRow, _ line: Line, _ contact: Contact?, takesSlot: Bool, _ facts: GateFacts, _ now: Timestamp
    ) throws -> Attempt {
        let number = try claim(row.record, replaced: row.replaced, now)
        var attempt = Attempt(row, number, opaque: opaque(row.record.id, number), line)
        attempt.claimedAt = limitsNow
        attempt.answersAd = contact?.adUntil.map { $0 > limitsNow } ?? false
        if facts.countsPairs || contact != nil {
            var contact = contact ?? Contact()
            contact.lastMessage = row.record.id
            if facts.countsPairs {
                contact.pairFullAt = PairLimit.taken(fullAt: contact.pairFullAt, now: limitsNow)
                memory.clockUsed = true
            }
            try save(contact, line.id, row.record.person)
        }
        if facts.isMarketing { try useMarketing(row.record, attempt: number) }
        if takesSlot {
            let counted = facts.slotFreeAt.flatMap { $0 > limitsNow ? $0 : nil }
            attempt.slot = try takeSlot(line, row.record, freeAt: counted)
        }
        return attempt
    }

    /// As if Meta had taken it and told of its delivery: every status is there, nobody is called, and no limit is used.
    private func simulate(_ record: Record, _ now: Timestamp) throws {
        let number = try claim(record, replaced: nil, now)
        guard var record = try load(record.id) else { return }
        let wamid = "simulated.\(codec.text(record.id))"
        enterSent(&record, at: now)
        record.take(wamid, of: number)
        try save(&record, .sent, at: now, detail: wamidDetail(wamid))
        record.enter(.delivered)
        record.deliveredAt = now
        try save(&record, .delivered, at: now, detail: wamidDetail(wamid))
    }

    private func claim(_ record: Record, replaced: [UInt8]?, _ now: Timestamp) throws -> Int64 {
        var record = record
        let number = record.standing.attempt + 1
        guard case .move(let state) = record.standing.decide(.claimed(attempt: number)) else {
            preconditionFailure("the ready index holds queued messages alone")
        }
        let failure = record.failure
        record.enter(state)
        record.failure = failure
        record.standing.attempt = number
        record.claimedAt = now
        var detail: [UInt8]?
        if let replaced {
            var json = JSONWriter()
            json.object {
                $0.field("fallback", "the person's window is closed")
                $0.field("insteadOf", raw: replaced)
            }
            detail = json.bytes
        }
        try save(&record, .claimed, at: now, detail: detail)
        return number
    }

    private func windowClosed(_ record: Record, _ now: Timestamp) throws {
        try giveUp(
            record.id,
            Failure(
                code: "131047",
                message: "the person's 24-hour window closed before the message could leave: send a template"), now)
    }

    /// The lines that have messages whose turn it is and that nobody holds back.
    package var readyLines: [Int64] {
        memory.lines.keys.filter { !readyClasses($0).isEmpty }.sorted()
    }

    private func readyCount(_ id: Int64) -> Int {
        Int(readyClasses(id).reduce(0) { $0 + memory.counters.ready(id, $1) })
    }

    /// The name and language in a template's JSON, as the API writes it.
    private static func templateName(_ content: [UInt8]) -> TemplateName? {
        guard let value = try? JSONParser().parse(content), let name = value["name"]?.string,
            let language = value["language"]?["code"]?.string
        else { return nil }
        return TemplateName(name: name, language: language)
    }

    // MARK: The opaque id

    func opaque(_ id: MessageID, _ attempt: Int64) -> String { codec.opaque(id, attempt) }

    /// Message and attempt out of what Meta brought back; nil when it is none of ours.
    func readOpaque(_ text: String) -> (id: MessageID, attempt: Int64)? {
        let bytes = text.utf8
        guard let dot = bytes.lastIndex(of: UInt8(ascii: ".")), let attempt = Int64(text[bytes.index(after: dot)...]),
            attempt >= 1,
            let id = codec.id(String(text[..<dot]))
        else { return nil }
        return (id, attempt)
    }
}
