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
}
