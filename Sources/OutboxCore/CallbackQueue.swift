/// The events one subscription is still to be told, and which of them may go now. Decides; calls nobody.
///
/// Events of one message go one after the other, in their order; others do not wait for them. Where a call may tell
/// several, those told for the first time go together, and a call that is not full waits for the one under way: the
/// more there is to tell, the more go together. What was not taken goes alone, so that an event the endpoint cannot
/// take holds up no others. Up to `cursor` every event has a stored delivery or does not concern the subscription.
package struct CallbackQueue: Equatable, Sendable {
    /// Calls under way at a time.
    package static let windowMax = 8
    /// Events that wait for their next try: with more of them the log is read no further.
    package static let waitingMax = 500
    /// Events read ahead, at least.
    package static let freshMax = 64
    /// Events of one call at most.
    package static let eventsPerCallMax = 100
    /// How far events may overtake one that is under way, in numbers of the log.
    package static let aheadMax: Int64 = 5000
    /// Stored deliveries in memory at a time.
    package static let loadedMax = 1000
    /// Nothing taken for that long, and an event given up: the subscription ends.
    private static let silenceMax = Duration.seconds(3 * 86_400)

    private struct Entry: Equatable, Sendable {
        var delivery: Delivery
        /// It has its row.
        var isStored: Bool
        var call: Call?
    }

    private struct Call: Equatable, Sendable {
        var number: Int
        var startedAt: Timestamp
        var isProbe: Bool
    }

    private struct UnderWay: Equatable, Sendable {
        /// Of which nothing is known yet.
        var events: Int
        var isGathered: Bool
    }

    /// By event.
    private var entries: [Entry] = []
    /// The log was looked through up to here.
    package private(set) var readTo: Int64
    /// More stored deliveries wait than are in memory.
    package private(set) var hasMoreStored = false
    private var lastStored: Int64 = 0
    package private(set) var breaker: CallbackBreaker
    /// By number.
    private var calls: [Int: UnderWay] = [:]
    private var lastCall = 0
    private var stored = 0
    private let eventsPerCall: Int

    /// `cursor` is the stored one.
    package init(cursor: Int64, breaker: CallbackBreaker.State?, eventsPerCall: Int = 1) {
        readTo = cursor
        self.eventsPerCall = eventsPerCall
        self.breaker = CallbackBreaker(breaker)
    }

    package var cursor: Int64 { entries.first { !$0.isStored }.map { $0.delivery.event - 1 } ?? readTo }

    package var isEmpty: Bool { entries.isEmpty }

    /// Calls that have not ended.
    package var underWay: Int { calls.count }

    /// Events in memory that are to be told, under way included.
    package var count: Int { entries.count }

    // MARK: What there is

    /// Stored deliveries after this one are to be read; nil: enough are here, or all.
    package var storedWanted: Int64? { hasMoreStored && entries.count < Self.loadedMax / 2 ? lastStored : nil }

    /// Takes stored deliveries that wait, by event; `hasMore`: there are others behind them.
    package mutating func take(stored deliveries: [Delivery], hasMore: Bool) {
        entries += deliveries.map { Entry(delivery: $0, isStored: true) }
        entries.sort { $0.delivery.event < $1.delivery.event }
        stored += deliveries.count
        lastStored = max(lastStored, deliveries.last?.event ?? 0)
        hasMoreStored = hasMore
    }

    /// How many more events of the log it can use now.
    package var freshWanted: Int {
        guard !hasMoreStored, stored < Self.waitingMax else { return 0 }
        if breaker.isOpen {
            // One that was not tried yet, for the probes.
            return entries.contains { $0.delivery.attempts == 0 } ? 0 : 1
        }
        let fresh = entries.count - stored
        guard fresh < readAhead / 2, readTo - cursor < Self.aheadMax else { return 0 }
        return readAhead - fresh
    }

    private var readAhead: Int { max(Self.freshMax, 4 * eventsPerCall) }

    /// Takes events of the log behind `readTo`, which is now there.
    package mutating func take(fresh deliveries: [Delivery], readTo: Int64) {
        let isInOrder = entries.last.map { $0.delivery.event < deliveries.first?.event ?? .max } ?? true
        entries += deliveries.map { Entry(delivery: $0, isStored: false) }
        // After a restart stored ones may lie ahead.
        if !isInOrder { entries.sort { $0.delivery.event < $1.delivery.event } }
        self.readTo = readTo
    }

    // MARK: Going

    private func isDue(_ entry: Entry, _ now: Timestamp) -> Bool {
        guard let nextAt = entry.delivery.nextAt else { return true }
        // A clock that was set back does not make the wait longer than any wait.
        return nextAt <= now || nextAt > now + CallbackSchedule.waitMax
    }

    /// Hands each entry to `body` that no earlier event of its message holds back, until that answers false.
    private func eachFree(_ body: (Int) -> Bool) {
        var earlier: Set<MessageID> = []
        for index in entries.indices {
            if let message = entries[index].delivery.message, !earlier.insert(message).inserted { continue }
            if !body(index) { return }
        }
    }

    /// The calls to be made now, `room` at most, each with its events; they are under way from now on.
    package mutating func start(room: Int, now: Timestamp) -> [[Delivery]] {
        let room = min(room, Self.windowMax - underWay)
        guard room > 0, !entries.isEmpty else { return [] }
        let isOpen = breaker.isOpen
        let chosen = isOpen ? probe(now) : eventsPerCall > 1 ? gathered(room, now) : single(room, now)
        return chosen.map { places in
            lastCall += 1
            calls[lastCall] = UnderWay(events: places.count, isGathered: places.count > 1 || isNew(places[0]))
            for index in places { entries[index].call = Call(number: lastCall, startedAt: now, isProbe: isOpen) }
            return places.map { entries[$0].delivery }
        }
    }

    private func isNew(_ index: Int) -> Bool { entries[index].delivery.attempts == 0 }

    private func mayGo(_ index: Int, _ now: Timestamp) -> Bool {
        entries[index].call == nil && isDue(entries[index], now)
    }

    private func probe(_ now: Timestamp) -> [[Int]] {
        guard underWay == 0, !breaker.holds(now: now) else { return [] }
        var untried: Int?
        if !breaker.probesTheOldest {
            eachFree { index in
                if isNew(index) { untried = index }
                return untried == nil
            }
        }
        return [[untried ?? 0]]
    }

    private func single(_ room: Int, _ now: Timestamp) -> [[Int]] {
        var chosen: [[Int]] = []
        eachFree { index in
            if mayGo(index, now) { chosen.append([index]) }
            return chosen.count < room
        }
        return chosen
    }

    private func gathered(_ room: Int, _ now: Timestamp) -> [[Int]] {
        var chosen: [[Int]] = []
        var gathering: [Int] = []
        var alone: [[Int]] = []
        var gatheredOf: Set<MessageID> = []
        /// An earlier event of theirs is in another call, or has to wait.
        var heldBack: Set<MessageID> = []
        for index in entries.indices where chosen.count < room {
            let message = entries[index].delivery.message
            if let message, heldBack.contains(message) { continue }
            if isNew(index), mayGo(index, now) {
                gathering.append(index)
                if let message { gatheredOf.insert(message) }
                guard gathering.count == eventsPerCall else { continue }
                heldBack.formUnion(gatheredOf)
                chosen.append(gathering)
                (gathering, gatheredOf) = ([], [])
                continue
            }
            // After a replay an earlier one may be new again.
            let isFirst = message.map { !gatheredOf.contains($0) } ?? true
            if isFirst, mayGo(index, now) { alone.append([index]) }
            if let message { heldBack.insert(message) }
        }
        if !gathering.isEmpty, chosen.isEmpty, !calls.values.contains(where: \.isGathered) { chosen.append(gathering) }
        return chosen + alone.prefix(room - chosen.count)
    }

    /// When something may go without anybody doing anything; nil: never.
    package func nextWake(now: Timestamp) -> Timestamp? {
        guard !entries.isEmpty else { return nil }
        if let opensAt = breaker.opensAt { return underWay == 0 ? opensAt : nil }
        guard underWay < Self.windowMax else { return nil }
        var next: Timestamp?
        eachFree { index in
            guard entries[index].call == nil else { return true }
            let at = entries[index].delivery.nextAt ?? now
            next = min(next ?? at, at)
            return true
        }
        return next
    }

    // MARK: What came of it

    package enum Change: Equatable, Sendable {
        case gaveUp
        /// Only single calls from now on.
        case held
        /// It takes events again.
        case released
        case disabled(String)
    }

    /// A call ended. Answers its events as they are to be stored, those no longer known left out, and what else changed
    /// by it, each with the event that shows it.
    package mutating func ended(
        _ events: [Int64], _ outcome: CallbackOutcome, now: Timestamp, chance: inout some RandomNumberGenerator
    ) -> (deliveries: [Delivery], changes: [(change: Change, delivery: Delivery)]) {
        let places = events.compactMap { place(of: $0) }.filter { entries[$0].call != nil }
        guard let first = places.first, let call = entries[first].call else { return ([], []) }
        let wasHeld = breaker.isOpen
        switch outcome {
        case .accepted: breaker.succeeded()
        case .failed(_, let error, let askedFor):
            breaker.failed(error, askedFor: askedFor, wasProbe: call.isProbe, now: now, chance: &chance)
        case .gone, .refused: break
        }
        let deliveries = places.map { settle($0, outcome, now, &chance) }
        entries.removeAll { $0.delivery.status != .waiting }
        var changes: [(Change, Delivery)] = []
        if !wasHeld, breaker.isOpen { changes.append((.held, deliveries[0])) }
        changes += deliveries.filter { $0.status == .failed }.map { (.gaveUp, $0) }
        if wasHeld, !breaker.isOpen { changes.append((.released, deliveries[0])) }
        if let reason = end(after: outcome, given: deliveries, now) {
            changes.append((.disabled(reason), deliveries[0]))
        }
        return (deliveries, changes)
    }

    private mutating func settle(
        _ index: Int, _ outcome: CallbackOutcome, _ now: Timestamp, _ chance: inout some RandomNumberGenerator
    ) -> Delivery {
        var delivery = entries[index].delivery
        guard let call = entries[index].call else { return delivery }
        delivery.firstAt = delivery.firstAt ?? call.startedAt
        // A probe that comes before the event's own time uses up none of its tries.
        let isTry = !call.isProbe || isDue(entries[index], call.startedAt)
        if isTry { delivery.attempts += 1 }
        switch outcome {
        case .accepted(let status): (delivery.status, delivery.httpStatus, delivery.error) = (.delivered, status, nil)
        case .failed(let status, let error, _):
            (delivery.httpStatus, delivery.error) = (status, error)
            guard isTry else { break }
            if let wait = CallbackSchedule.wait(afterTries: delivery.attempts, chance: &chance) {
                delivery.nextAt = now + wait
            } else {
                delivery.status = .failed
            }
        case .gone: (delivery.httpStatus, delivery.error) = (410, "HTTP 410")
        case .refused(let reason): (delivery.httpStatus, delivery.error) = (nil, reason)
        }
        end(index, &delivery, now)
        return delivery
    }

    /// Why the subscription ends.
    private func end(after outcome: CallbackOutcome, given deliveries: [Delivery], _ now: Timestamp) -> String? {
        switch outcome {
        case .accepted: return nil
        case .gone: return "the endpoint answered 410: it wants no more events"
        case .refused(let reason): return reason
        case .failed(_, let error, _):
            guard deliveries.contains(where: { $0.status == .failed }), let since = breaker.state?.since,
                since + Self.silenceMax < now
            else { return nil }
            return "nothing was accepted since \(since.rfc3339): \(error)"
        }
    }

    /// One that is not waiting any more is to be removed.
    private mutating func end(_ index: Int, _ delivery: inout Delivery, _ now: Timestamp) {
        letGo(index)
        if delivery.status == .waiting {
            if !entries[index].isStored { stored += 1 }
            entries[index].isStored = true
        } else {
            (delivery.nextAt, delivery.endedAt) = (nil, now)
            if entries[index].isStored { stored -= 1 }
        }
        entries[index].delivery = delivery
    }

    private mutating func letGo(_ index: Int) {
        guard let number = entries[index].call?.number, let left = calls[number]?.events else { return }
        entries[index].call = nil
        if left == 1 { calls[number] = nil } else { calls[number]?.events = left - 1 }
    }

    /// The event is no longer there.
    package mutating func pruned(_ event: Int64, now: Timestamp) -> Delivery? {
        guard let index = place(of: event), entries[index].call != nil else { return nil }
        var delivery = entries[index].delivery
        (delivery.status, delivery.error) = (.failed, "the event was pruned before it could be told")
        end(index, &delivery, now)
        entries.remove(at: index)
        return delivery
    }

    /// A call that was broken off by us, or not made: nothing is known of its events, they go again.
    package mutating func abandoned(_ events: [Int64]) {
        for index in events.compactMap({ place(of: $0) }) { letGo(index) }
    }

    /// Events that wait for an earlier one of their message which waits for its next try: they are stored, too, so
    /// that the cursor gets past them.
    package mutating func park() -> [Delivery] {
        guard stored > 0, stored < entries.count else { return [] }
        var held: Set<MessageID> = []
        var parked: [Delivery] = []
        for index in entries.indices {
            guard let message = entries[index].delivery.message else { continue }
            if entries[index].isStored {
                held.insert(message)
            } else if entries[index].call == nil, held.contains(message) {
                entries[index].isStored = true
                stored += 1
                parked.append(entries[index].delivery)
            }
        }
        return parked
    }

    private func place(of event: Int64) -> Int? {
        var low = 0
        var high = entries.count
        while low < high {
            let middle = (low + high) / 2
            if entries[middle].delivery.event < event { low = middle + 1 } else { high = middle }
        }
        return low < entries.count && entries[low].delivery.event == event ? low : nil
    }
}
