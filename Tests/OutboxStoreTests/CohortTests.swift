import OutboxCore
import OutboxStore
import Testing

/// Statistics that are kept with each change, and nothing that is counted twice or forgotten.
@Suite struct CohortTests {
    private let marketing = Pricing(category: "marketing", type: "regular", isBillable: true)

    private func filter(_ bench: Bench, _ hours: Int64 = 24) -> AnalyticsFilter {
        AnalyticsFilter(since: bench.now - .seconds(hours * 3600), until: bench.now + .seconds(hours * 3600))
    }

    private func counts(_ bench: Bench, _ filter: AnalyticsFilter? = nil) throws -> MessageCounts {
        #expect(try bench.queue.disagreements(nothingRemoved: true) == [])
        return try QueueReader(path: bench.path).counts(filter ?? self.filter(bench), account: 1)
    }

    private func template(_ bench: Bench, _ name: String, to: String) throws {
        var draft = try bench.draft(to)
        draft.type = "template"
        draft.template = TemplateName(name: name, language: "en")
        guard case .done = try bench.submitted(draft) else { throw Unexpected() }
    }

    @Test func aMessageIsCountedWhereItStands() throws {
        let bench = try Bench()
        try bench.submit()
        #expect(try counts(bench).accepted == 1)
        #expect(try counts(bench).waiting == 1)
        let attempt = try #require(try bench.claim().first)
        #expect(try counts(bench).waiting == 1)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        #expect(try counts(bench).sent == 1)
        try bench.report(.delivered, attempt)
        #expect(try counts(bench).delivered == 1)
        try bench.report(.read, attempt)
        let read = try counts(bench)
        #expect(read.read == 1 && read.delivered == 0 && read.everSent == 1 && read.everDelivered == 1)
        #expect(read.waiting == 0)
        // Nothing goes back.
        try bench.report(.delivered, attempt)
        #expect(try counts(bench) == read)
    }

    @Test func failuresAreCountedByTheirCodeUntilTheyAreNone() throws {
        let bench = try Bench()
        let id = try bench.submit()
        var attempt = try #require(try bench.claim().first)
        try bench.record(.refused(down, .forGood), attempt)
        let reader = try QueueReader(path: bench.path)
        #expect(try counts(bench).failed == 1)
        #expect(try reader.failures(filter(bench), account: 1).map(\.code) == ["131016"])
        _ = try bench.run { try $0.retry(id, account: 1, now: bench.now) }
        #expect(try counts(bench).waiting == 1)
        #expect(try reader.failures(filter(bench), account: 1).isEmpty)
        attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        try bench.report(.failed, attempt)
        let counts = try counts(bench)
        #expect(counts.failedAfterSent == 1 && counts.everSent == 1 && counts.everFailed == 1 && counts.tried == 1)
        let failures = try reader.failures(filter(bench), account: 1)
        #expect(failures.map(\.code) == ["131026"] && failures.map(\.count) == [1])
    }

    @Test func whatWasDeliveredHasItsPrice() throws {
        let bench = try Bench()
        for (index, to) in ["4915112345678", "14155550100", "14165550100", "4915112345679"].enumerated() {
            try bench.submit(to)
            let attempt = try #require(try bench.claim().first)
            let wamid = "wamid.\(index)"
            try bench.record(.accepted(wamid: wamid), attempt)
            try bench.report(.sent, attempt, wamid: wamid, pricing: marketing)
            if index < 3 { try bench.report(.delivered, attempt, wamid: wamid) }
        }
        _ = try counts(bench)
        let prices = try QueueReader(path: bench.path).prices(filter(bench), account: 1)
        #expect(prices.map(\.country) == ["CA", "DE", "US"])
        #expect(prices.allSatisfy { $0.count == 1 && $0.pricing == marketing })
    }

    /// The status came before the answer to our own POST.
    @Test func aPriceThatCameTooEarlyIsKept() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        let early = StatusReport(
            phoneNumberID: "106", wamid: "wamid.1", opaque: nil, report: .delivered, at: bench.now, failure: nil,
            pricing: marketing)
        #expect(try bench.run { try $0.apply(early, now: bench.now) } == .parked)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        #expect(try bench.message(id).pricing == marketing)
        #expect(try counts(bench).delivered == 1)
    }

    @Test func theFirstAnswerCountsForTheLastMessage() throws {
        let bench = try Bench()
        try bench.change { $0.pairLimit = true }
        let line = try #require(bench.queue.line(named: "main", account: 1)).id
        func receive(_ wamid: String, quotes: String? = nil, kind: String = "text", group: String? = nil) throws {
            var payload = InboundMessage.Payload(text: "yes")
            payload.quotes = quotes
            payload.groupID = group
            let message = InboundMessage(
                phoneNumberID: "106", from: "14155552671", at: bench.now, isGroup: group != nil, wamid: wamid,
                kind: kind,
                payload: payload)
            _ = try bench.run { _ = try $0.keep(message, line: line, now: bench.now) }
        }
        func send(_ wamid: String) throws -> MessageID {
            let id = try bench.submit()
            let attempt = try #require(try bench.claim().first)
            try bench.record(.accepted(wamid: wamid), attempt)
            return id
        }
        try receive("in.0")
        let first = try send("wamid.1")
        try bench.tick(.seconds(60))
        let second = try send("wamid.2")
        try receive("in.1", kind: "reaction")
        try receive("in.2", group: "g")
        #expect(try counts(bench).replied == 0)
        try receive("in.3")
        try receive("in.4")
        #expect(try bench.message(second).repliedAt == bench.now)
        #expect(try bench.message(first).repliedAt == nil)
        #expect(try counts(bench).replied == 1)
        try receive("in.5", quotes: "wamid.1")
        #expect(try bench.message(first).repliedAt == bench.now)
        #expect(try counts(bench).replied == 2)
        let third = try send("wamid.3")
        try bench.tick(.seconds(8 * 86_400))
        try receive("in.6")
        #expect(try bench.message(third).repliedAt == nil)
    }

    @Test func hoursAndDaysSayTheSame() throws {
        let bench = try Bench()
        let start = bench.now
        for hour in 0..<60 {
            for index in 0..<(1 + hour % 3) { try template(bench, index == 0 ? "a" : "b", to: "1415555\(1000 + hour)") }
            try bench.tick(.seconds(3600))
        }
        _ = try bench.submit(sendAt: bench.now + .seconds(5 * 3600))
        let reader = try QueueReader(path: bench.path)
        var filter = AnalyticsFilter(since: start, until: bench.now)
        #expect(try counts(bench, filter).accepted == 120)
        filter.template = "a"
        #expect(try counts(bench, filter).accepted == 60)
        filter.template = "b/en"
        #expect(try counts(bench, filter).accepted == 60)
        filter.template = "b/de"
        #expect(try counts(bench, filter).accepted == 0)
        filter.template = ""
        #expect(try counts(bench, filter).accepted == 0)
        filter.until = bench.now + .seconds(6 * 3600)
        // Counted when it is to leave.
        #expect(try counts(bench, filter).accepted == 1)
        filter.template = nil
        let hours = try reader.series(filter, byHour: true, account: 1)
        let days = try reader.series(filter, byHour: false, account: 1)
        #expect(hours.count == 61 && hours.map(\.counts.accepted).reduce(0, +) == 121)
        #expect(days.map(\.counts.accepted).reduce(0, +) == 121 && (3...4).contains(days.count))
        // Any hours within: what the hours say.
        for offset in stride(from: Int64(0), to: 60, by: 7) {
            var part = filter
            part.since = start + .seconds(offset * 3600)
            let wanted = hours.filter {
                $0.at >= Timestamp(milliseconds: part.since.milliseconds / 3_600_000 * 3_600_000)
            }
            #expect(try counts(bench, part).accepted == wanted.map(\.counts.accepted).reduce(0, +))
        }
        let byTemplate = try reader.counts(filter, by: .template, account: 1)
        #expect(byTemplate.map(\.name) == ["a/en", "b/en", ""] && byTemplate.map(\.counts.accepted) == [60, 60, 1])
        #expect(try reader.counts(filter, by: .line, account: 1).map(\.name) == ["main"])
        #expect(try reader.counts(filter, account: 2).accepted == 0)
    }

    @Test func countsOutliveTheMessages() throws {
        let bench = try Bench()
        try bench.submit()
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        try bench.report(.read, attempt)
        let since = bench.now - .seconds(3600)
        try bench.tick(.seconds(91 * 86_400))
        func prune() throws {
            for _ in 0..<1000 where try bench.run({ try $0.prune(bench.now, needed: nil) }).isDone { return }
            Issue.record("pruning did not come to an end")
        }
        // The newest of all stays.
        try bench.submit()
        try prune()
        let reader = try QueueReader(path: bench.path)
        #expect(try reader.list(ListFilter(), account: 1).messages.count == 1)
        let filter = AnalyticsFilter(since: since, until: since + .seconds(48 * 3600))
        #expect(try reader.counts(filter, account: 1).read == 1)
        #expect(try bench.queue.disagreements() == [])
        // Hours go first, days later.
        try bench.tick(.seconds(2 * 86_400))
        try prune()
        #expect(try reader.series(filter, byHour: true, account: 1).isEmpty)
        let day = AnalyticsFilter(since: since - .seconds(86_400), until: since + .seconds(86_400 * 2))
        #expect(try reader.series(day, byHour: false, account: 1).map(\.counts.read) == [1])
        try bench.tick(.seconds(700 * 86_400))
        try prune()
        #expect(try reader.series(day, byHour: false, account: 1).isEmpty)
    }

    @Test func aMessageThatMovesCountsForItsNewLine() throws {
        let bench = try Bench()
        let id = try bench.submit()
        var settings = try #require(bench.queue.line(named: "main", account: 1)).settings
        settings.name = "other"
        settings.phoneNumberID = "107"
        let other = settings
        try bench.run { _ = try $0.put(other, account: 1, now: bench.now) }
        let moved = try bench.run {
            try $0.move(id, to: "other", dryRun: false, by: "test", account: 1, now: bench.now)
        }
        #expect(moved == .done(.queued, line: "other"))
        _ = try counts(bench)
        let lines = try QueueReader(path: bench.path).counts(filter(bench), by: .line, account: 1)
        #expect(lines.filter { $0.counts.accepted > 0 }.map(\.name) == ["other"])
    }
}
