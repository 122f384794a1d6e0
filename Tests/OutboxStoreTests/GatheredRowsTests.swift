import OutboxCore
import Testing

@testable import OutboxStore

/// New messages and events wait within a transaction, and nobody sees that they do.
@Suite struct GatheredRowsTests {
    private let bench: Bench

    init() throws { bench = try Bench() }

    /// Several in one transaction, each with what `then` does right behind it.
    @discardableResult
    private func submit(_ count: Int, then: (MessageID) throws -> Void = { _ in }) throws -> [MessageID] {
        var ids: [MessageID] = []
        let drafts = try (0..<count).map { try bench.draft("1415555\(1000 + $0)") }
        let ending = bench.queue.together(count) { index in
            guard
                case .done(let done) = try bench.queue.submit(drafts[index], account: 1, batch: nil, now: bench.now)
            else { throw StoreError(code: 1, message: "refused", sql: "") }
            ids.append(done.id)
            try then(done.id)
        }
        #expect(ending == .done(kept: Array(repeating: nil, count: count)))
        return ids
    }

    @Test func allOfThemAreThere() throws {
        for count in [1, 3, 4, 15, 16, 17, 40] {
            let ids = try submit(count)
            #expect(ids.count == count)
            for id in ids { #expect(try bench.events(id) == [.accepted]) }
        }
        #expect(try bench.count(.queued) == 96)
        #expect(try bench.claim(200).count == 40)
        #expect(try bench.queue.disagreements() == [])
    }

    @Test func whoeverLooksFindsThem() throws {
        let ids = try submit(20) { (id) throws in
            let found = try bench.queue.load(id)?.id
            let last = try bench.queue.database.integer("SELECT max(seq) FROM event")
            let shown = try bench.queue.database.integer(
                "SELECT count(*) FROM message_in_words WHERE id = \(id.rawValue)")
            #expect(found == id && last == bench.queue.lastEvent && shown == 1)
        }
        #expect(try bench.claim(20).map(\.message) == ids)
    }

    @Test func theyGoWithWhatIsUndone() throws {
        let drafts = try (0..<3).map { try bench.draft("1415555\(1000 + $0)") }
        let ending = bench.queue.together(3) { index in
            _ = try bench.queue.submit(drafts[index], account: 1, batch: nil, now: bench.now)
            if index == 2 { throw StoreError(code: 13, message: "full", sql: "") }
        }
        guard case .nothing = ending else { throw Unexpected() }
        #expect(try bench.count(.queued) == 0)
        try submit(1)
        #expect(try bench.count(.queued) == 1)
        #expect(try bench.queue.disagreements() == [])
    }

    /// The schema refuses some, here and there.
    @Test func onlyThoseThatAreWrongAreRefused() throws {
        var drafts = try (0..<50).map { try bench.draft("1415555\(1000 + $0)") }
        for index in [0, 7, 16, 49] { drafts[index].type = "" }
        let ending = bench.queue.together(50) { index in
            _ = try bench.queue.submit(drafts[index], account: 1, batch: nil, now: bench.now)
        }
        guard case .done(let kept) = ending else { throw Unexpected() }
        #expect(kept.indices.filter { kept[$0] != nil } == [0, 7, 16, 49])
        #expect(try bench.count(.queued) == 46)
        #expect(try bench.queue.disagreements() == [])
    }
}
