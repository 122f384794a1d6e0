import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import TestKit
import Testing

@testable import OutboxService

/// A queue with events in it, and the feed that tells them, by a clock set by hand.
private final class Stand {
    let folder = TemporaryFolder()
    let queue: Queue
    let feed: EventFeed
    var tick: UInt64 = 1_000_000_000_000
    private let now = Timestamp(milliseconds: 1_800_000_000_000)
    private var lastSerial: UInt64 = 0

    init() throws {
        queue = try Queue(
            path: folder.file("outboxd.db"),
            reading: LimitClock.Reading(boot: "stand", tick: tick, wall: now, isSynchronised: true))
        var settings = LineSettings(name: "main", phoneNumberID: "106", wabaID: nil, credential: "c")
        settings.closedWindow = .leave
        feed = try EventFeed(QueueReader(path: folder.file("outboxd.db")))
        _ = queue.together(1) { _ in _ = try queue.put(settings, account: Account.defaultID, now: now) }
    }

    /// One event each.
    func submit(_ count: Int, metadataBytes: Int = 0) throws {
        let to = try #require(Recipient("14155550100"))
        let metadata = Array(#"{"m":"\#(String(repeating: "m", count: metadataBytes))"}"#.utf8)
        let draft = Draft(
            line: nil, to: to, type: "text", content: Array("{}".utf8), metadata: metadataBytes > 0 ? metadata : nil)
        _ = queue.together(1) { _ in
            for _ in 0..<count { _ = try queue.submit(draft, account: Account.defaultID, batch: nil, now: now) }
        }
    }

    func follow(_ parameters: (String, String)..., user: Int64 = 1) throws -> (Exchange, EventFeed.Input) {
        lastSerial += 1
        let exchange = Exchange(descriptor: Int32(lastSerial), serial: lastSerial)
        let query = try EventQuery.read(
            parameters.map { (name: $0.0, value: $0.1) }, accept: nil, lastEventID: nil)
        return (exchange, .follow(exchange, query, message: nil, user: user, account: 1))
    }

    func turn(_ inputs: EventFeed.Input...) -> EventFeed.Outputs { feed.turn(inputs, tick: tick) }

    /// Tells that the log has grown to where it is.
    var grown: EventFeed.Input { .grown(queue.lastEvent) }
}

extension EventFeed.Outputs {
    func pieces(to exchange: Exchange) -> [[UInt8]] {
        orders.compactMap { order in
            if case .piece(exchange, let bytes) = order { return bytes }
            return nil
        }
    }

    func events(to exchange: Exchange) throws -> [Int64] {
        try pieces(to: exchange).joined().split(separator: 0x0A).compactMap {
            try JSONParser().parse(Array($0))["seq"]?.integer
        }
    }

    func ends(_ exchange: Exchange) -> Bool {
        orders.contains { if case .end(exchange) = $0 { true } else { false } }
    }

    var refusals: [APIError] {
        orders.compactMap { if case .refuse(_, let error) = $0 { error } else { nil } }
    }
}

@Suite struct EventFeedTests {
    @Test func onePageAtATimeToTheEndThatWas() throws {
        let stand = try Stand()
        try stand.submit(500)
        let (reader, asks) = try stand.follow()
        var outputs = stand.turn(asks)
        #expect(outputs.pieces(to: reader).isEmpty, "the head goes first")
        try stand.submit(50)
        var told: [Int64] = []
        for size in [200, 200, 100] {
            outputs = stand.turn(.drained(reader), stand.grown)
            #expect(try outputs.events(to: reader).count == size)
            told += try outputs.events(to: reader)
            #expect(outputs.ends(reader) == (size == 100))
            #expect(stand.turn(stand.grown).orders.isEmpty, "it has not taken that yet")
        }
        #expect(told == Array(1...500))
    }

    @Test func anEmptyLogHasAnEndToo() throws {
        let stand = try Stand()
        let (reader, asks) = try stand.follow()
        _ = stand.turn(asks)
        #expect(stand.turn(.drained(reader)).ends(reader))
    }

    @Test func aPageIsBoundedInBytes() throws {
        let stand = try Stand()
        try stand.submit(200, metadataBytes: 4000)
        let (reader, asks) = try stand.follow(("follow", "true"), ("after", "0"))
        _ = stand.turn(asks)
        var told: [Int64] = []
        for _ in 0..<20 where told.count < 200 {
            let outputs = stand.turn(.drained(reader))
            #expect(outputs.pieces(to: reader).allSatisfy { $0.count < 140 << 10 })
            told += try outputs.events(to: reader)
        }
        #expect(told == Array(1...200))
    }

    @Test func aLimitEndsWhoFollows() throws {
        let stand = try Stand()
        try stand.submit(3)
        let (reader, asks) = try stand.follow(("follow", "true"), ("after", "0"), ("limit", "5"))
        _ = stand.turn(asks)
        #expect(try stand.turn(.drained(reader)).events(to: reader) == [1, 2, 3])
        #expect(stand.turn(.drained(reader)).orders.isEmpty)
        try stand.submit(9)
        let outputs = stand.turn(stand.grown)
        #expect(try outputs.events(to: reader) == [4, 5] && outputs.ends(reader))
    }

    @Test func whoHearsNothingHearsThatNowAndThen() throws {
        let stand = try Stand()
        let (reader, asks) = try stand.follow(("follow", "true"))
        _ = stand.turn(asks)
        let quiet = stand.turn(.drained(reader))
        #expect(quiet.orders.isEmpty && !quiet.goOn)
        stand.tick = try #require(quiet.wakeTick) - 1
        #expect(stand.turn().orders.isEmpty)
        stand.tick += 1
        #expect(stand.turn().pieces(to: reader) == [[0x0A]])
        stand.tick += 60_000_000_000
        let busy = stand.turn()
        #expect(busy.orders.isEmpty && busy.wakeTick == nil, "it has not taken that one")
    }

    @Test func aNarrowFilterKeepsNobodyWaiting() throws {
        let stand = try Stand()
        try stand.submit(9000)
        let (narrow, asksLittle) = try stand.follow(("follow", "true"), ("after", "0"), ("event", "message.received"))
        let (wide, asksAll) = try stand.follow(("follow", "true"), ("after", "0"))
        _ = stand.turn(asksLittle, asksAll)
        var turns = 0
        var outputs = stand.turn(.drained(narrow), .drained(wide))
        while outputs.goOn, turns < 100 {
            #expect(try outputs.events(to: wide).count == 200, "in every turn")
            #expect(outputs.pieces(to: narrow).isEmpty)
            turns += 1
            outputs = stand.turn(.drained(wide))
        }
        // Some thousand at a time, however little of it is told.
        #expect((3...10).contains(turns))
    }

    @Test func whoHasGoneIsForgotten() throws {
        let stand = try Stand()
        let (reader, asks) = try stand.follow(("follow", "true"))
        _ = stand.turn(asks)
        _ = stand.turn(.drained(reader))
        try stand.submit(1)
        #expect(stand.turn(.gone(reader), stand.grown).orders.isEmpty)
        #expect(stand.turn().wakeTick == nil)
    }

    @Test func followersAreCounted() throws {
        let stand = try Stand()
        var first: Exchange?
        for index in 0..<16 {
            let (reader, asks) = try stand.follow(("follow", "true"))
            if index == 0 { first = reader }
            #expect(stand.turn(asks).refusals.isEmpty)
        }
        #expect(stand.turn(try stand.follow().1).refusals.first?.status == 503)
        for user: Int64 in 2...4 {
            for _ in 0..<16 { #expect(stand.turn(try stand.follow(user: user).1).refusals.isEmpty) }
        }
        #expect(stand.turn(try stand.follow(user: 9).1).refusals.first?.message.contains("64") == true)
        #expect(stand.turn(.gone(try #require(first)), try stand.follow(user: 9).1).refusals.isEmpty)
    }
}
