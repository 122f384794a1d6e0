import OutboxCore
import OutboxStore
import Testing

/// The log, as its followers read it.
@Suite struct LogTests {
    @Test func everythingIsToldInOrderAndPageByPage() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        _ = try bench.report(.read, attempt)
        let log = try LogReader(QueueReader(path: bench.path))
        let events = try log.events(after: 0, limit: 100, account: 1)
        #expect(events.map(\.kind) == [.accepted, .claimed, .sent, .read])
        #expect(events.map(\.sequence) == [1, 2, 3, 4])
        #expect(events.allSatisfy { $0.message?.id == id && $0.line == "main" })
        #expect(events.map { $0.message?.state } == [.queued, .processing, .sent, .read])
        #expect(try log.range() == 1...4)
        #expect(bench.queue.lastEvent == 4)

        let first = try log.events(after: 0, limit: 3, account: 1)
        let rest = try log.events(after: 3, limit: 3, account: 1)
        #expect(first + rest == events)
        #expect(try log.events(after: 4, limit: 3, account: 1).isEmpty)
        #expect(try log.events(after: 0, limit: 100, account: 2).isEmpty)
    }

    @Test func anEventHasOneNameForGood() throws {
        let bench = try Bench()
        let codec = bench.queue.codec
        let name = codec.text(event: 1, at: bench.now)
        #expect(name == IDCodec(key: bench.queue.idKey).text(event: 1, at: bench.now))
        #expect(name != codec.text(event: 2, at: bench.now))
        let shape = try Regex("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
        #expect(name.wholeMatch(of: shape) != nil, "\(name)")
    }

    @Test func aCursorSurvivesAndGoesBackOnlyWhenTold() throws {
        let bench = try Bench()
        try bench.submit()
        try bench.submit("14155552672")
        func move(_ position: Int64, rewind: Bool = false) throws -> Int64? {
            let move = try bench.run {
                try $0.moveCursor("c", account: 1, to: position, rewind: rewind, now: bench.now)
            }
            if case .done(let cursor, _) = move { return cursor.position }
            return nil
        }
        #expect(try move(2) == 2)
        #expect(try move(1) == 2)
        #expect(try move(3) == nil, "the log ends before")
        try bench.reopen()
        #expect(try QueueReader(path: bench.path).cursor("c", account: 1)?.position == 2)
        #expect(try move(0, rewind: true) == 0)
        #expect(try QueueReader(path: bench.path).cursor("c", account: 2) == nil)
        #expect(try bench.run { try $0.removeCursor("c", account: 1) })
        #expect(try QueueReader(path: bench.path).cursors(account: 1).isEmpty)
    }

    @Test func filtersTakeWhatTheySay() throws {
        let bench = try Bench()
        let first = try bench.submit()
        let second = try bench.submit("14155552672")
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        let log = try LogReader(QueueReader(path: bench.path))
        func sequences(_ stretch: ClosedRange<Int64>, limit: Int = 100, _ change: (inout LogFilter) -> Void) throws
            -> [Int64]
        {
            var filter = LogFilter()
            change(&filter)
            return try log.events(in: stretch, filter, limit: limit, account: 1).map(\.sequence)
        }
        #expect(try sequences(1...4) { _ in } == [1, 2, 3, 4])
        #expect(try sequences(2...3) { _ in } == [2, 3])
        #expect(try sequences(1...4, limit: 1) { _ in } == [1])
        #expect(try sequences(1...4) { $0.to = "14155552672" } == [2])
        #expect(try sequences(1...4) { $0.line = "main" } == [1, 2, 3, 4])
        #expect(try sequences(1...4) { $0.line = "other" }.isEmpty)
        #expect(try sequences(1...4) { $0.kinds = LogFilter(kinds: [.sent, .accepted]).kinds } == [1, 2, 4])
        #expect(try sequences(1...4) { $0.message = first } == [1, 3, 4])
        #expect(try sequences(2...4, limit: 1) { $0.message = first } == [3])
        #expect(try sequences(1...4) { ($0.message, $0.line) = (second, "other") }.isEmpty)
        #expect(try sequences(1...4) { ($0.message, $0.kinds) = (first, LogFilter(kinds: [.sent]).kinds) } == [4])
    }
}
