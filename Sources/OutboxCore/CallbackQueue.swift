/// The events one subscription is still to be told, and which of them may go now. Decides; calls nobody.
///
/// Events of one message go one after the other, in their order; others do not wait for them. Up to `cursor` every
/// event has a stored delivery or does not concern the subscription.
package struct CallbackQueue: Equatable, Sendable {
    /// Calls under way at a time.
    package static let windowMax = 8
    /// Events that wait for their next try: with more of them the log is read no further.
    package static let waitingMax = 500
    /// Events read ahead.
    package static let freshMax = 64
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
        var startedAt: Timestamp
        var isProbe: Bool
    }

    /// By event.
    private var entries: [Entry] = []
    /// The log was looked through up to here.
    package private(set) var readTo: Int64
    /// More stored deliveries wait than are in memory.
    package private(set) var hasMoreStored = false
    private var lastStored: Int64 = 0
    package private(set) var breaker: CallbackBreaker
    package private(set) var underWay = 0
    private var stored = 0

    /// `readTo` is the stored cursor.
    package init(cursor: Int64, breaker: CallbackBreaker.State?) {
        readTo = cursor
        self.breaker = CallbackBreaker(breaker)
    }

    package var cursor: Int64 { entries.first { !$0.isStored }.map { $0.delivery.event - 1 } ?? readTo }

    package var isEmpty: Bool { entries.isEmpty }

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
        guard fresh < Self.freshMax / 2, readTo - cursor < Self.aheadMax else { return 0 }
        return Self.freshMax - fresh
    }

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

    /// The events to be told now, `room` at most; they are under way from now on.
    package mutating func start(room: Int, now: Timestamp) -> [Delivery] {
        let room = min(room, Self.windowMax - underWay)
        guard room > 0, !entries.isEmpty else { return [] }
        var chosen: [Int] = []
        if breaker.isOpen {
            guard underWay == 0, !breaker.holds(now: now) else { return [] }
            var untried: Int?
            if !breaker.probesTheOldest {
                eachFree { index in
                    if entries[index].delivery.attempts == 0 { untried = index }
                    return untried == nil
                }
            }
            chosen = [untried ?? 0]
        } else {
            eachFree { index in
                if entries[index].call == nil, isDue(entries[index], now) { chosen.append(index) }
                return chosen.count < room
            }
        }
        for index in chosen { entries[index].call = Call(startedAt: now, isProbe: breaker.isOpen) }
        underWay += chosen.count
        return chosen.map { entries[$0].delivery }
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
        case delivered
        case gaveUp
        /// Only single calls from now on.
        case held
        /// It takes events again.
        case released
        case disabled(String)
    }

    /// A call ended. Answers the delivery as it is to be stored, and what else changed.
    package mutating func ended(
        _ event: Int64, _ outcome: CallbackOutcome, now: Timestamp, chance: inout some RandomNumberGenerator
    ) -> (delivery: Delivery, changes: [Change])? {
        guard let index = place(of: event), let call = entries[index].call else { return nil }
        underWay -= 1
        entries[index].call = nil
        let wasHeld = breaker.isOpen
        var delivery = entries[index].delivery
        delivery.firstAt = delivery.firstAt ?? call.startedAt
        // A probe that comes before the event's own time uses up none of its tries.
        if !call.isProbe || isDue(entries[index], call.startedAt) { delivery.attempts += 1 }
        var changes: [Change] = []
        switch outcome {
        case .accepted(let status):
            breaker.succeeded()
            (delivery.status, delivery.httpStatus, delivery.error) = (.delivered, status, nil)
            changes = wasHeld ? [.delivered, .released] : [.delivered]
        case .failed(let status, let error, let askedFor):
            breaker.failed(error, askedFor: askedFor, wasProbe: call.isProbe, now: now, chance: &chance)
            (delivery.httpStatus, delivery.error) = (status, error)
            if delivery.attempts > entries[index].delivery.attempts {
                if let wait = CallbackSchedule.wait(afterTries: delivery.attempts, chance: &chance) {
                    delivery.nextAt = now + wait
                } else {
                    delivery.status = .failed
                }
            }
            if !wasHeld, breaker.isOpen { changes.append(.held) }
            if delivery.status == .failed {
                changes.append(.gaveUp)
                if let since = breaker.state?.since, since + Self.silenceMax < now {
                    changes.append(.disabled("nothing was accepted since \(since.rfc3339): \(error)"))
                }
            }
        case .gone:
            (delivery.httpStatus, delivery.error) = (410, "HTTP 410")
            changes = [.disabled("the endpoint answered 410: it wants no more events")]
        case .refused(let reason):
            (delivery.httpStatus, delivery.error) = (nil, reason)
            changes = [.disabled(reason)]
        }
        end(index, &delivery, now)
        return (delivery, changes)
    }

    private mutating func end(_ index: Int, _ delivery: inout Delivery, _ now: Timestamp) {
        guard delivery.status == .waiting else {
            (delivery.nextAt, delivery.endedAt) = (nil, now)
            if entries[index].isStored { stored -= 1 }
            entries.remove(at: index)
            return
        }
        if !entries[index].isStored { stored += 1 }
        entries[index].isStored = true
        entries[index].delivery = delivery
    }

    /// The event is no longer there.
    package mutating func pruned(_ event: Int64, now: Timestamp) -> Delivery? {
        guard let index = place(of: event), entries[index].call != nil else { return nil }
        underWay -= 1
        entries[index].call = nil
        var delivery = entries[index].delivery
        (delivery.status, delivery.error) = (.failed, "the event was pruned before it could be told")
        end(index, &delivery, now)
        return delivery
    }

    /// A call that was broken off by us: nothing is known of it, it is made again.
    package mutating func abandoned(_ event: Int64) {
        guard let index = place(of: event), entries[index].call != nil else { return }
        underWay -= 1
        entries[index].call = nil
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
