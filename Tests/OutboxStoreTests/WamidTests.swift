import OutboxCore
import TestKit
import Testing

@testable import OutboxStore

/// Meta's ids are found among the latest and in every run.
@Suite struct WamidTests {
    private func sent(_ bench: Bench, _ count: Int, from first: Int = 0) throws -> [MessageID] {
        try (first..<first + count).map { number in
            let id = try bench.submit("1415555\(1000 + number)")
            let attempt = try #require(try bench.claim().first)
            try bench.record(.accepted(wamid: "wamid.\(number)", person: nil), attempt)
            return id
        }
    }

    private func found(_ bench: Bench, _ number: Int) throws -> MessageID? {
        try bench.run { try $0.load(wamid: "wamid.\(number)")?.id }
    }

    @Test func eachIsFoundBeforeAndAfterItIsSorted() throws {
        let bench = try Bench()
        bench.queue.wamidRunSize = 4
        let ids = try sent(bench, 10)
        #expect(try bench.sql("SELECT count(DISTINCT run) FROM wamid_run") == 2)
        #expect(try bench.sql("SELECT count(*) FROM wamid_fresh") == 2)
        for again in [false, true] {
            if again { try bench.reopen() }
            for (number, id) in ids.enumerated() { #expect(try found(bench, number) == id) }
            #expect(try found(bench, 99) == nil)
            #expect(try bench.queue.disagreements().isEmpty)
        }
        // A restart goes on with the runs there are.
        bench.queue.wamidRunSize = 4
        let more = try sent(bench, 4, from: 10)
        #expect(try bench.sql("SELECT max(run) FROM wamid_run") == 2)
        for (number, id) in (ids + more).enumerated() { #expect(try found(bench, number) == id) }
    }

    @Test func aStatusWithoutOurIDMovesItsMessage() throws {
        let bench = try Bench()
        bench.queue.wamidRunSize = 2
        let ids = try sent(bench, 5)
        for (number, id) in ids.enumerated() {
            let status = StatusReport(
                phoneNumberID: "106", wamid: "wamid.\(number)", opaque: nil, report: .delivered, at: bench.now,
                failure: nil)
            #expect(try bench.run { try $0.apply(status, now: bench.now) } == .moved(id, .delivered))
        }
    }

    @Test func aRunGoesWithTheLastOfItsMessages() throws {
        let bench = try Bench()
        bench.queue.wamidRunSize = 3
        let ids = try sent(bench, 9)
        for id in ids {
            try bench.run { queue in
                var record = try #require(try queue.load(id))
                record.enter(.read)
                record.readAt = bench.now
                try queue.save(&record, .read, at: bench.now)
            }
        }
        #expect(try bench.sql("SELECT count(DISTINCT run) FROM wamid_run") == 3)
        bench.now = bench.now + .seconds(400 * 86_400)
        while try bench.run({ try $0.prune(bench.now, needed: nil) }).isDone == false {}
        // The newest message stays, and its run.
        #expect(try bench.sql("SELECT count(*) FROM message") == 1)
        #expect(try bench.sql("SELECT count(DISTINCT run) FROM wamid_run") == 1)
        #expect(try found(bench, 8) == ids[8] && found(bench, 0) == nil)
        bench.queue.wamidRunSize = 1
        let next = try sent(bench, 1, from: 9)
        #expect(try found(bench, 9) == next[0])
    }

    @Test func filtersRuleOutMostAndNothingThatIsThere() throws {
        var filter = WamidFilter()
        let hashes = (0..<16_384).map { WamidRuns.hash("wamid.HBgLMTQxNTU1NTI2NzEVAgARGBI\($0)") }
        for hash in hashes[..<8192] { filter.insert(hash) }
        #expect(hashes[..<8192].allSatisfy(filter.mayHave))
        let mistaken = hashes[8192...].count(where: filter.mayHave)
        #expect(mistaken < 8192 * 4 / 100, "\(mistaken) of 8192")
        #expect(WamidFilter(bytes: filter.bytes) == filter && WamidFilter(bytes: [1]) == nil)
    }

    @Test func runsWithoutFiltersAreLookedIntoAndGetThem() throws {
        let bench = try Bench()
        bench.queue.wamidRunSize = 2
        let ids = try sent(bench, 7)
        #expect(bench.queue.memory.wamids.filters.count == 3)
        try bench.queue.database.execute("DELETE FROM wamid_filter")
        try bench.reopen()
        #expect(bench.queue.memory.wamids.filters.isEmpty)
        for (number, id) in ids.enumerated() { #expect(try found(bench, number) == id) }
        while try bench.run({ try $0.prune(bench.now, needed: nil) }).isDone == false {}
        #expect(bench.queue.memory.wamids.filters.count == 3)
        #expect(try bench.sql("SELECT count(*) FROM wamid_filter") == 3)
        #expect(try bench.queue.disagreements().isEmpty)
    }

    @Test func whatIsErasedLeavesItsFilters() throws {
        let bench = try Bench()
        bench.queue.wamidRunSize = 3
        let ids = try sent(bench, 5)
        for number in [1, 4] {
            let hash = WamidRuns.hash("wamid.\(number)")
            try bench.run { queue in
                let places = try queue.forget(wamid: "wamid.\(number)", of: ids[number])
                #expect(places == [number == 1 ? .run(0) : .fresh])
                for place in places { try queue.makeFilter(of: place) }
            }
            #expect(bench.queue.memory.wamids.runs(with: hash).isEmpty)
            #expect(!bench.queue.memory.wamids.freshFilter.mayHave(hash))
        }
        try bench.reopen()
        #expect(bench.queue.memory.wamids.runs(with: WamidRuns.hash("wamid.1")).isEmpty)
        for number in [0, 2, 3] { #expect(try found(bench, number) == ids[number]) }
    }
}
