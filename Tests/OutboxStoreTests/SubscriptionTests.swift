import OutboxCore
import OutboxStore
import Testing

@Suite struct SubscriptionTests {
    private func subscribe(_ bench: Bench, after: Int64? = nil, events: [String]? = nil) throws -> Subscription {
        try bench.run {
            try $0.subscribe(
                SubscriptionSettings(url: "https://example.com/", events: events), line: nil, secret: "s", after: after,
                account: 1, now: bench.now)
        }
    }

    private func delivered(_ events: ClosedRange<Int64>, _ now: Timestamp) -> [Delivery] {
        events.map {
            var delivery = Delivery(event: $0, message: nil, status: .delivered, attempts: 1)
            delivery.endedAt = now
            return delivery
        }
    }

    @Test func whatIsStillNeededIsKnown() throws {
        let bench = try Bench()
        #expect(try bench.queue.oldestNeededEvent() == nil)
        for number in 0..<10 { try bench.submit("1415555\(1000 + number)") }
        let one = try subscribe(bench, after: 2)
        let two = try subscribe(bench)
        #expect(two.cursor == 10)
        #expect(try bench.queue.oldestNeededEvent() == 3)
        let waiting = Delivery(event: 4, message: nil, attempts: 1, nextAt: bench.now + .seconds(5))
        try bench.run {
            try $0.record(
                CallbackReport(
                    subscription: one.id, revision: 1, replays: .max, cursor: 10, breaker: nil,
                    deliveries: [waiting] + delivered(5...10, bench.now)), now: bench.now)
        }
        #expect(try bench.queue.oldestNeededEvent() == 4)
        try bench.reopen()
        #expect(try bench.queue.oldestNeededEvent() == 4)
        let reader = try CallbackReader(QueueReader(path: bench.path))
        #expect(try reader.waiting(one.id, after: 0, limit: 10) == [waiting])
        #expect(try reader.counts(one.id) == CallbackReader.Counts(waiting: 1, failed: 0))
        try bench.run {
            _ = try $0.change(
                one.id, SubscriptionSettings(url: "https://a/", isActive: false, format: .organization), line: nil,
                account: 1, now: bench.now)
        }
        #expect(try reader.subscription(one.id)?.settings.format == .organization)
        #expect(try bench.queue.oldestNeededEvent() == 11)
        // Another account's is not found.
        #expect(try bench.queue.subscription(one.id, account: 2) == nil)
    }

    /// As of one that became inactive, which retention does not wait for, while a call was under way.
    @Test func ofAnEventThatIsGoneNoDeliveryIsKept() throws {
        let bench = try Bench()
        try bench.submit()
        let one = try subscribe(bench, after: 0)
        try bench.run {
            try $0.record(
                CallbackReport(
                    subscription: one.id, revision: 1, replays: .max, cursor: 1, breaker: nil,
                    deliveries: delivered(1...2, bench.now)), now: bench.now)
        }
        let reader = try CallbackReader(QueueReader(path: bench.path))
        #expect(try reader.deliveries(one.id, status: nil, before: .max, limit: 10).map(\.delivery.event) == [1])
    }

    @Test func aReportOfAnOlderRevisionChangesDeliveriesAlone() throws {
        let bench = try Bench()
        for number in 0..<5 { try bench.submit("1415555\(1000 + number)") }
        let one = try subscribe(bench, after: 0)
        try bench.run {
            _ = try $0.change(
                one.id, SubscriptionSettings(url: "https://b.example/"), line: nil, account: 1, now: bench.now)
        }
        let breaker = CallbackBreaker.State(failures: 7, since: bench.now, until: bench.now, error: "HTTP 500")
        try bench.run {
            try $0.record(
                CallbackReport(
                    subscription: one.id, revision: 1, replays: .max, cursor: 3, breaker: breaker,
                    deliveries: delivered(1...3, bench.now), disable: "410"), now: bench.now)
        }
        let reader = try CallbackReader(QueueReader(path: bench.path))
        let now = try #require(try reader.subscription(one.id))
        #expect(now.settings.isActive && now.cursor == 0 && now.breaker == nil && now.revision == 2)
        // They are not read again.
        #expect(try reader.fresh(now, after: 0, limit: 10).deliveries.map(\.event) == [4, 5])
        #expect(try reader.fresh(now, after: 0, limit: 1).readTo == 4)
        // The next one counts, and its cursor does not go back.
        for cursor in [5, 4] as [Int64] {
            try bench.run {
                try $0.record(
                    CallbackReport(
                        subscription: one.id, revision: 2, replays: .max, cursor: cursor, breaker: breaker,
                        deliveries: [],
                        disable: cursor == 4 ? "gone" : nil), now: bench.now)
            }
        }
        let ended = try #require(try reader.subscription(one.id))
        #expect(ended.cursor == 5 && ended.breaker == breaker && ended.reason == "gone" && !ended.settings.isActive)
    }

    @Test func whatSomebodyIsStillToBeToldIsNotPruned() throws {
        let bench = try Bench()
        for number in 0..<6 {
            let id = try bench.submit("1415555\(1000 + number)")
            _ = try bench.run { try $0.cancel(id, account: 1, now: bench.now) }
        }
        let one = try subscribe(bench, after: 4)
        try bench.run {
            try $0.record(
                CallbackReport(
                    subscription: one.id, revision: 1, replays: .max, cursor: 6, breaker: nil,
                    deliveries: delivered(5...6, bench.now)),
                now: bench.now)
        }
        try bench.run { try $0.set(RetentionRule(ageMax: .seconds(1), countMax: nil), for: .cancelled) }
        func prune() throws {
            for _ in 0..<100 {
                if try bench.run({ try $0.prune(bench.now, needed: $0.oldestNeededEvent()) }).isDone { return }
            }
        }
        bench.now = bench.now + .seconds(3600)
        try prune()
        let reader = try QueueReader(path: bench.path)
        #expect(try LogReader(reader).range()?.lowerBound == 7)
        // With the event goes what is known of telling it.
        #expect(try CallbackReader(reader).deliveries(one.id, status: nil, before: .max, limit: 10).isEmpty)
        try bench.run {
            try $0.record(
                CallbackReport(
                    subscription: one.id, revision: 1, replays: .max, cursor: 12, breaker: nil, deliveries: []),
                now: bench.now)
        }
        try prune()
        // The newest message and the last event stay.
        #expect(try LogReader(reader).range()?.lowerBound == 11)
    }

    @Test func replaysGoSliceBySlice() throws {
        let bench = try Bench()
        try bench.run { queue in
            for number in 0..<Int(Queue.replayedAtOnce) + 500 {
                let draft = try bench.draft("1415\(5_000_000 + number)")
                _ = try queue.submit(draft, account: 1, batch: nil, now: bench.now)
            }
        }
        let last = bench.queue.lastEvent
        let one = try subscribe(bench)
        let first = try bench.run { try $0.replay(1...Int64.max, failedOnly: false, of: one) }
        #expect(first == Queue.Replayed(count: Queue.replayedAtOnce, next: Queue.replayedAtOnce + 1))
        let rest = try bench.run { try $0.replay(Queue.replayedAtOnce + 1...Int64.max, failedOnly: false, of: one) }
        #expect(rest == Queue.Replayed(count: 500, next: nil) && last == Queue.replayedAtOnce + 500)
        let failed = (1...last).map { event in
            var delivery = Delivery(event: event, message: nil, status: .failed, attempts: 10)
            delivery.endedAt = bench.now
            return delivery
        }
        try bench.run {
            try $0.record(
                CallbackReport(
                    subscription: one.id, revision: 1, replays: .max, cursor: last, breaker: nil, deliveries: failed),
                now: bench.now)
        }
        let again = try bench.run { try $0.replay(1...Int64.max, failedOnly: true, of: one) }
        #expect(again == Queue.Replayed(count: Queue.replayedAtOnce, next: Queue.replayedAtOnce + 1))
        let reader = try CallbackReader(QueueReader(path: bench.path))
        #expect(try reader.counts(one.id) == CallbackReader.Counts(waiting: Queue.replayedAtOnce, failed: 500))
        // What a subscription never asked for is not told by a replay either.
        let few = try subscribe(bench, events: ["line.updated"])
        #expect(try bench.run { try $0.replay(1...Int64.max, failedOnly: false, of: few) }.count == 0)
    }
}
