import OutboxCore
import OutboxHTTP
import OutboxStore

/// What subscribers asked for and what their endpoints were told, and whether the two agree. Knows what operators,
/// endpoints and readers of the log see, and nothing of how it comes about.
struct Told {
    /// What was asked of a subscription; while an answer is missing nobody knows which one counts.
    struct Wish {
        var askedAt: Int64
        /// By then another one had certainly taken its place.
        var until = Int64.max
        var line: String?
        var events: [String]?
        var isActive = true

        func takes(_ event: Logged) -> Bool {
            (line == nil || line == event.line) && (events?.contains(event.name) ?? true)
        }
    }

    struct Subscriber {
        /// Nil: nobody was told that there is one.
        var id: Int64?
        /// The last event before it began.
        var start = Int64.max
        var wishes: [Wish]
        /// What its endpoint knows.
        var secrets: [CallbackSecret]
        var removalAskedAt: Int64?
        var removedAt: Int64?
        /// Since then it is certainly inactive, by wish.
        var stoppedAt: Int64?
        /// When it was last seen inactive, or may have been.
        var inactiveAt: Int64?
        var goneAt: Int64?
        /// By event, the first call and the last that was taken.
        var calledAt: [Int64: Int64] = [:]
        var takenAt: [Int64: Int64] = [:]
        var lastTakenAt: Int64
        /// Of each message, the last event taken.
        var lastOfMessage: [String: Int64] = [:]
        /// Asked for again at these times, and acknowledged.
        var again: [Int64: Int64] = [:]
        /// Asked for again, whatever came of it.
        var replays: [ClosedRange<Int64>] = []
        /// Taken behind a later one of their message.
        var late: [Int64] = []
        /// Everything up to here was accounted for.
        var checkedTo: Int64 = 0
        /// Given up as far as anybody was told.
        var givenUp: Set<Int64> = []

        var isLive: Bool { id != nil && removalAskedAt == nil }
    }

    /// What an event is, by whoever tells of it.
    struct Words: Equatable {
        var id: String
        var event: String
        var message: String?
        var status: String?
    }

    struct Logged {
        var name: String
        var line: String?
        /// It was not there yet at this time.
        var after: Int64
    }

    private(set) var subscribers: [Subscriber] = []
    private(set) var log: [Int64: Logged] = [:]
    private(set) var problems: [String] = []
    private var words: [Int64: Words] = [:]
    /// Told, and not seen in the log yet.
    private var unseen: Set<Int64> = []
    private var lastLookAt: Int64 = 0
    private(set) var taken = 0

    /// Calls that left before an answer may arrive behind it.
    private static let onTheWay: Int64 = 15_000
    /// Three days, and a clock that may have been an hour wrong at either end.
    private static let triesLast: Int64 = (3 * 24 - 2) * 3_600_000

    private mutating func problem(_ text: String) { if problems.count < 20 { problems.append(text) } }

    // MARK: What operators do

    mutating func added(_ wish: Wish, _ secret: CallbackSecret) -> Int {
        subscribers.append(Subscriber(wishes: [wish], secrets: [secret], lastTakenAt: wish.askedAt))
        return subscribers.count - 1
    }

    /// It is there, and tells what comes behind `start`.
    mutating func began(_ number: Int, _ id: Int64, start: Int64) {
        subscribers[number].id = id
        subscribers[number].start = start
    }

    mutating func asked(_ number: Int, _ wish: Wish) -> Int {
        subscribers[number].wishes.append(wish)
        subscribers[number].stoppedAt = nil
        if !wish.isActive { subscribers[number].inactiveAt = wish.askedAt }
        return subscribers[number].wishes.count - 1
    }

    mutating func granted(_ number: Int, _ wish: Int, at moment: Int64) {
        for earlier in 0..<wish { subscribers[number].wishes[earlier].until.lower(to: moment) }
        let isLast = wish == subscribers[number].wishes.count - 1
        if isLast, !subscribers[number].wishes[wish].isActive { subscribers[number].stoppedAt = moment }
        if !subscribers[number].wishes[wish].isActive { subscribers[number].inactiveAt = moment }
    }

    mutating func removing(_ number: Int, at moment: Int64) { subscribers[number].removalAskedAt = moment }

    mutating func removed(_ number: Int, at moment: Int64) { subscribers[number].removedAt = moment }

    mutating func knows(_ number: Int, _ secret: CallbackSecret) { subscribers[number].secrets.append(secret) }

    mutating func forgetsOld(_ number: Int) { subscribers[number].secrets.removeFirst() }

    mutating func askedAgain(_ number: Int, _ range: ClosedRange<Int64>) { subscribers[number].replays.append(range) }

    /// Of what was certainly over when it was asked for again, and was still in the log, every event is told again.
    mutating func tellsAgain(
        _ number: Int, _ range: ClosedRange<Int64>, failed: [Int64]?, askedAt: Int64, isInLog: (Int64) -> Bool
    ) {
        let over =
            failed?.filter(range.contains)
            ?? subscribers[number].takenAt.filter { range.contains($0.key) && $0.value < askedAt - 60_000 }.map(\.key)
        for event in over where isInLog(event) {
            // What was given up is so no longer when it was asked for again just before.
            if failed != nil, let before = subscribers[number].again[event], askedAt - before < 60_000 { continue }
            subscribers[number].again[event] = askedAt
        }
    }

    // MARK: A call arrives

    mutating func called(
        _ number: Int, _ sequence: Int64, _ words: Words, isSigned: Bool, _ reaction: SimulatedEndpoints.Reaction,
        at moment: Int64
    ) {
        guard subscribers.indices.contains(number) else { return problem("somebody unknown was called") }
        var subscriber = subscribers[number]
        defer { subscribers[number] = subscriber }
        subscriber.calledAt[sequence] = subscriber.calledAt[sequence] ?? moment
        if let before = self.words[sequence], before != words {
            problem("event \(sequence) was told as \(before) and as \(words)")
        }
        if log[sequence] == nil { unseen.insert(sequence) }
        self.words[sequence] = words
        if !isSigned { problem("subscriber \(number) was called with an unknown secret") }
        if let end = subscriber.removedAt ?? subscriber.stoppedAt, moment > end + Self.onTheWay {
            problem("subscriber \(number) was called at \(moment) though it ended at \(end)")
        }
        if case .answered(let status, _, _) = reaction.result, status == 410 {
            (subscriber.goneAt, subscriber.inactiveAt) = (moment, moment)
        }
        guard reaction.isTaken else { return }
        taken += 1
        if subscriber.takenAt[sequence] == nil, let message = words.message {
            if subscriber.lastOfMessage[message, default: 0] > sequence { subscriber.late.append(sequence) }
            subscriber.lastOfMessage[message, default: 0].raise(to: sequence)
        }
        subscriber.takenAt[sequence] = moment
        subscriber.lastTakenAt = moment
    }

    // MARK: The log, and what is shown

    /// Reads on, as somebody who follows the log does; `words` are its own.
    mutating func logged(_ sequence: Int64, _ words: Words, line: String?) {
        if let told = self.words[sequence], told != words {
            problem("event \(sequence) is \(words), and was told as \(told)")
        }
        self.words[sequence] = words
        unseen.remove(sequence)
        log[sequence] = Logged(name: words.event, line: line, after: lastLookAt)
    }

    /// Whether a subscriber is to be told of it, whichever of its wishes counted.
    private func isOwed(_ sequence: Int64, _ subscriber: Subscriber) -> Bool {
        guard sequence > subscriber.start, let event = log[sequence] else { return false }
        return subscriber.wishes.allSatisfy { $0.until <= event.after || $0.takes(event) }
    }

    private func isWanted(_ sequence: Int64, _ subscriber: Subscriber) -> Bool {
        guard let event = log[sequence] else { return false }
        return subscriber.wishes.contains { $0.takes(event) }
    }

    /// Looks at the subscriptions as operators do, once the log was read to its end. Answers those nobody was told of.
    mutating func look(_ reader: CallbackReader, at moment: Int64, newest: Int) throws -> [Subscription] {
        let rows = try reader.subscriptions(account: 1)
        for sequence in unseen { problem("event \(sequence) was told and is not in the log") }
        for number in subscribers.indices {
            var subscriber = subscribers[number]
            defer { subscribers[number] = subscriber }
            for sequence in subscriber.late
            where isOwed(sequence, subscriber) && !subscriber.replays.contains(where: { $0.contains(sequence) }) {
                problem("event \(sequence) was told to subscriber \(number) behind a later one of its message")
            }
            subscriber.late = []
            guard let id = subscriber.id else { continue }
            guard let row = rows.first(where: { $0.id == id }) else {
                if subscriber.removalAskedAt == nil { problem("subscription \(id) is gone") }
                continue
            }
            if subscriber.removedAt != nil { problem("subscription \(id) was removed, and is there") }
            if !row.settings.isActive { try lookAtInactive(row, &subscriber, reader, moment) }
            try lookAtDeliveries(id, number, &subscriber, reader, moment, newest)
            try lookAtCursor(row, number, &subscriber, reader)
        }
        lastLookAt = moment
        return rows.filter { row in !subscribers.contains { $0.id == row.id } }
    }

    private mutating func lookAtInactive(
        _ row: Subscription, _ subscriber: inout Subscriber, _ reader: CallbackReader, _ moment: Int64
    ) throws {
        subscriber.inactiveAt = moment
        if subscriber.wishes.contains(where: { $0.until == .max && !$0.isActive }) { return }
        guard row.reason != nil else { return problem("subscription \(row.id) is inactive, and nothing says why") }
        let isSilent = moment - subscriber.lastTakenAt > Self.triesLast
        if subscriber.goneAt == nil, !isSilent { problem("subscription \(row.id) is inactive: \(row.reason ?? "")") }
    }

    private mutating func lookAtDeliveries(
        _ id: Int64, _ number: Int, _ subscriber: inout Subscriber, _ reader: CallbackReader, _ moment: Int64,
        _ newest: Int
    ) throws {
        for shown in try reader.deliveries(id, status: .delivered, before: .max, limit: newest)
        where subscriber.takenAt[shown.delivery.event] == nil {
            problem("event \(shown.delivery.event) is shown as delivered to subscriber \(number), which never took it")
        }
        let failed = try reader.deliveries(id, status: .failed, before: .max, limit: newest).map(\.delivery.event)
        for event in failed where subscriber.givenUp.insert(event).inserted {
            guard let first = subscriber.calledAt[event] else {
                problem("event \(event) is given up, and subscriber \(number) was never called for it")
                continue
            }
            if moment - first < Self.triesLast { problem("event \(event) is given up after \(moment - first) ms") }
        }
    }

    /// Up to its cursor every event was told, is given up or waits.
    private mutating func lookAtCursor(
        _ row: Subscription, _ number: Int, _ subscriber: inout Subscriber, _ reader: CallbackReader
    ) throws {
        let from = max(subscriber.checkedTo, subscriber.start)
        guard row.cursor > from else { return }
        subscriber.checkedTo = row.cursor
        let missing = (from + 1...row.cursor).filter { event in
            // Retention does not wait for whoever is inactive.
            isOwed(event, subscriber) && subscriber.takenAt[event] == nil
                && subscriber.inactiveAt ?? -1 < log[event]?.after ?? 0
        }
        guard !missing.isEmpty else { return }
        let shown = try reader.deliveries(row.id, status: nil, before: .max, limit: 1_000_000)
        for event in Set(missing).subtracting(shown.map(\.delivery.event)).sorted() {
            problem("subscription \(row.id) passed over event \(event) of subscriber \(number)")
        }
    }

    // MARK: The end

    /// When nothing more happens: every event a subscription matches was taken, or it says itself why not.
    mutating func settle(_ reader: CallbackReader, isInLog: (Int64) -> Bool) throws {
        for number in subscribers.indices {
            let subscriber = subscribers[number]
            for event in subscriber.calledAt.keys where !isWanted(event, subscriber) {
                problem("event \(event) was told to subscriber \(number), who did not ask for it")
            }
            guard let id = subscriber.id, subscriber.removalAskedAt == nil,
                let row = try reader.subscription(id), row.settings.isActive
            else { continue }
            let shown = try reader.deliveries(id, status: nil, before: .max, limit: 1_000_000)
            let failed = Set(shown.lazy.filter { $0.delivery.status == .failed }.map(\.delivery.event))
            for one in shown where one.delivery.status == .waiting {
                problem("event \(one.delivery.event) waits for subscriber \(number) for ever")
            }
            for (event, logged) in log where isOwed(event, subscriber) && !failed.contains(event) {
                let since = subscriber.again[event] ?? 0
                if let at = subscriber.takenAt[event], at >= since { continue }
                // Retention does not wait for whoever is inactive.
                if !isInLog(event), subscriber.inactiveAt ?? -1 >= logged.after { continue }
                // Given up, and removed before anybody looked.
                if !isInLog(event), let first = subscriber.calledAt[event], lastLookAt - first >= Self.triesLast {
                    continue
                }
                problem("event \(event) was not told to subscriber \(number)\(since > 0 ? " again" : "")")
            }
        }
    }
}

extension Int64 {
    fileprivate mutating func raise(to other: Int64) { self = Swift.max(self, other) }
    fileprivate mutating func lower(to other: Int64) { self = Swift.min(self, other) }
}
