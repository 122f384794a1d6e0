import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import Testing

@testable import OutboxService

private let url = "https://example.com/hook"

private func status(_ number: Int) -> (HTTPResult, Duration) {
    (.answered(status: number, headers: [], body: []), .milliseconds(20))
}

/// Subscriptions that take several events in a call.
@Suite struct GatheredCallTests {
    @Test func manyEventsGoInFewCalls() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url, perCall: 100)
        try world.submit(200)
        try world.pass(.seconds(10))
        let events = try world.events()
        #expect(events.count == 600)
        #expect(world.taken(url).map(\.sequence).sorted() == events.map(\.sequence))
        #expect(world.keptOrder(url))
        let calls = Set(world.seen.map(\.id))
        #expect(calls.count < 60, "\(calls.count) calls")
        #expect(calls.allSatisfy { $0.hasPrefix("call_") })
        #expect(try world.subscription(id).cursor == events.last?.sequence)
        #expect(try world.deliveries(id).allSatisfy { $0.status == .delivered && $0.attempts == 1 })
    }

    @Test func anEventThatIsNotTakenHoldsUpNoOthers() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url, perCall: 50)
        try world.submit(20)
        let stubborn: Int64 = 30
        world.answer = { _, sequence, _ in status(sequence == stubborn ? 422 : 200) }
        try world.pass(.seconds(12 * 3600))
        let told = try #require(world.seen.first { $0.sequence == stubborn })
        #expect(world.seen.count { $0.id == told.id } > 1, "it came with others")
        let later = world.seen.filter { $0.sequence == stubborn && $0.id != told.id }
        #expect(later.count > 2)
        // The same event alone is the same call, whenever it is made.
        #expect(Set(later.map(\.id)).count == 1)
        let waiting = try world.deliveries(id, .waiting).map(\.event)
        let events = try world.events()
        let message = try #require(events.first { $0.sequence == stubborn }?.message?.id)
        #expect(
            waiting.sorted() == events.filter { $0.message?.id == message && $0.sequence >= stubborn }.map(\.sequence))
        #expect(world.keptOrder(url))
    }

    @Test func aCallEndsWithTheEventThatMakesItLong() throws {
        let world = try CallbackWorld()
        let events = try {
            try world.submit(1)
            try world.pass(.seconds(1))
            return try world.events()
        }()
        let codec = try QueueReader(path: world.path).codec
        let many = Array(repeating: events[0], count: 10_000)
        let call = GatheredCall(many, codec, JSONParser())
        #expect(call.count < many.count && call.body.count > 1 << 20 && call.body.count < 2 << 20)
        let told = try #require(try JSONParser().parse(call.body)["events"])
        #expect(Array(told.elements).count == call.count)
        #expect(GatheredCall(Array(many.prefix(call.count)), codec, JSONParser()).name == call.name)
        #expect(GatheredCall(events, codec, JSONParser()).name != GatheredCall([events[0]], codec, JSONParser()).name)
    }

    @Test func theNumberCanBeChangedAndATestHasTheSameForm() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        try world.submit(3)
        try world.pass(.seconds(1))
        try world.change(id, url: url, perCall: 20)
        let before = world.seen.count
        try world.submit(20)
        try world.pass(.seconds(1))
        #expect(world.seen[..<before].allSatisfy { !$0.id.hasPrefix("call_") })
        #expect(world.seen.count > before && world.seen[before...].allSatisfy { $0.id.hasPrefix("call_") })
        #expect(try world.subscription(id).settings.eventsPerCall == 20)
        #expect(try world.test(id)?["data"]?["delivered"]?.bool == true)
        #expect(world.seen.last?.sequence == 0 && world.seen.last?.id.hasPrefix("test_") == true)
    }

    @Test func aBotIsToldOneEventInACall() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url, perCall: 2)
        var settings = LineSettings(
            name: "main", phoneNumberID: "106", wabaID: "waba", credential: "c", messagesPerSecond: 10_000)
        settings.bot = id
        guard case .wrong(let refused) = try world.ask(.putLine(world.exchange, settings)) else { throw Missing() }
        #expect(refused.field == "bot" && refused.message.contains("eventsPerCall"))
        try world.change(id, url: url)
        _ = try world.ask(.putLine(world.exchange, settings))
        let several = SubscriptionSettings(url: url, eventsPerCall: 2)
        guard case .wrong(let error) = try world.ask(.changeSubscription(world.exchange, id, several)) else {
            throw Missing()
        }
        #expect(error.field == "eventsPerCall" && error.message.contains("main"))
    }

    @Test(arguments: [
        (#"{"url":"https://a.example/","eventsPerCall":0}"#, "whole number from 1 to 100"),
        (#"{"url":"https://a.example/","eventsPerCall":101}"#, "whole number from 1 to 100"),
        (#"{"url":"https://a.example/","eventsPerCall":2,"format":"aircall"}"#, "must be 1"),
    ])
    func wrongNumbersAreRefused(text: String, words: String) throws {
        let value = try JSONParser().parse(text.utf8)
        #expect {
            try SubscriptionBody.read(value, isNew: true, allowsHTTP: false)
        } throws: { error in
            String(describing: error).contains(words) && String(describing: error).contains("eventsPerCall")
        }
    }
}

private struct Missing: Error {}
