import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import Testing

@testable import OutboxService

private let url = "https://example.com/hook"
private let other = "https://example.net/hook"

private func status(_ number: Int, _ headers: [HTTPHeader] = []) -> (HTTPResult, Duration) {
    (.answered(status: number, headers: headers, body: []), .milliseconds(20))
}
private let down: (HTTPResult, Duration) = (.notSent("Connection refused"), .milliseconds(5))

@Suite struct CallbackTests {
    @Test func everyEventIsToldOnceAndInOrder() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        try world.submit(200)
        try world.pass(.seconds(60))
        let events = try world.events()
        #expect(events.count == 600)
        #expect(world.taken(url).map(\.sequence).sorted() == events.map(\.sequence))
        #expect(world.keptOrder(url))
        let subscription = try world.subscription(id)
        #expect(subscription.cursor == events.last?.sequence)
        #expect(subscription.lastDeliveredAt != nil && subscription.breaker == nil)
        #expect(try world.deliveries(id).allSatisfy { $0.status == .delivered && $0.attempts == 1 })
        #expect(try world.oldestNeeded() == subscription.cursor + 1)
    }

    /// Down for three days, with restarts at any moment: afterwards everything arrives, in the order of each message,
    /// by the ids it had from the first try on.
    @Test func anEndpointDownForThreeDaysGetsEverything() throws {
        let world = try CallbackWorld()
        var dice = Dice(seed: 1)
        let id = try world.subscribe(url)
        let back = world.start + .seconds(3 * 86_400)
        world.answer = { _, _, now in
            if now >= back { return status(200) }
            return [down, status(500), status(502)][Int(now.milliseconds / 1000 % 3)]
        }
        while world.now + .milliseconds(1) < back {
            try world.submit(Int.random(in: 0...4, using: &dice))
            let left = back.milliseconds - world.now.milliseconds - 1
            try world.pass(.milliseconds(min(Int64.random(in: 60_000...7_200_000, using: &dice), left)))
            if Bool.random(using: &dice) { try world.restart() }
        }
        let calls = world.seen.count
        #expect(calls > 400 && calls < 1200, "\(calls) calls while it was down")
        #expect(world.taken(url).isEmpty)
        #expect(try world.subscription(id).settings.isActive)
        let needed = try #require(try world.oldestNeeded())
        #expect(needed == (try world.events()).first?.sequence)
        try world.pass(.seconds(86_400))
        let events = try world.events()
        #expect(events.count > 200)
        #expect(Set(world.taken(url).map(\.sequence)) == Set(events.map(\.sequence)))
        #expect(world.keptOrder(url))
        let codec = try QueueReader(path: world.path).codec
        for event in events {
            let ids = Set(world.seen.filter { $0.sequence == event.sequence }.map(\.id))
            #expect(ids == [codec.text(event: event.sequence, at: event.at)])
        }
        #expect(try world.deliveries(id, .failed).isEmpty && world.deliveries(id, .waiting).isEmpty)
        #expect(try world.subscription(id).cursor == events.last?.sequence)
    }

    @Test func anEndpointThatNeverComesBackEndsTheSubscriptionAndCanGoOn() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        world.answer = { _, _, _ in down }
        try world.submit(20)
        try world.pass(.seconds(74 * 3600))
        #expect(try world.subscription(id).settings.isActive)
        try world.pass(.seconds(24 * 3600))
        let ended = try world.subscription(id)
        #expect(!ended.settings.isActive)
        #expect(ended.reason?.contains("nothing was accepted since") ?? false)
        #expect(try !world.deliveries(id, .failed).isEmpty)
        #expect(
            world.log.contains { $0.kind == .eventGivenUp } && world.log.contains { $0.kind == .subscriptionDisabled })
        #expect(try world.oldestNeeded() == nil)
        let calls = world.seen.count
        try world.pass(.seconds(86_400))
        #expect(world.seen.count == calls)
        // Whoever mends it gets the rest, and by replay what was given up.
        world.answer = { _, _, _ in status(204) }
        try world.change(id, url: url)
        try world.pass(.seconds(60))
        let failed = try world.deliveries(id, .failed).map(\.event)
        #expect(world.taken(url).count == 60 - failed.count)
        let reply = try world.replay(id, ReplayBody.read(try JSONParser().parse(#"{"failed":true}"#.utf8)))
        guard case .eventsReplayed(let replayed) = reply else { throw Missing() }
        #expect(replayed == Queue.Replayed(count: Int64(failed.count), next: nil))
        try world.pass(.seconds(60))
        #expect(Set(world.taken(url).map(\.sequence)).count == 60)
        #expect(try world.deliveries(id, .failed).isEmpty)
    }

    @Test func goneEndsASubscriptionAtOnce() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        world.answer = { _, sequence, _ in sequence == 5 ? status(410) : status(200) }
        try world.submit(10)
        try world.pass(.seconds(30))
        let ended = try world.subscription(id)
        #expect(!ended.settings.isActive && ended.reason?.contains("410") ?? false)
        try world.submit(5)
        let calls = world.seen.count
        try world.pass(.seconds(86_400))
        #expect(world.seen.count == calls)
        world.answer = { _, _, _ in status(200) }
        try world.change(id, url: other)
        try world.pass(.seconds(60))
        let both = Set((world.taken(url) + world.taken(other)).map(\.sequence))
        #expect(both == Set(try world.events().map(\.sequence)))
    }

    @Test func redirectsAreFailuresThatSaySo() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        world.answer = { _, _, _ in status(301, [HTTPHeader("location", other)]) }
        try world.submit(1)
        try world.pass(.seconds(1))
        let delivery = try #require(try world.deliveries(id).last)
        #expect(delivery.status == .waiting && delivery.httpStatus == 301)
        #expect(delivery.error?.contains("redirects are not followed") ?? false)
        #expect(world.seen.allSatisfy { $0.url == url })
    }

    @Test func aSlowEndpointDelaysNobodyElse() throws {
        let world = try CallbackWorld()
        _ = try world.subscribe(url)
        _ = try world.subscribe(other)
        world.answer = { called, _, _ in
            called == url ? (.broken("Timeout was reached"), .seconds(10)) : status(200)
        }
        try world.submit(100)
        try world.pass(.seconds(2))
        #expect(world.taken(other).count == 300)
        #expect(world.seen.count { $0.url == url } == CallbackQueue.windowMax)
        try world.pass(.seconds(60))
        // Held by then: one call at a time.
        #expect(world.seen.count { $0.url == url } < 20)
    }

    @Test func manySlowEndpointsLeaveTheOthersTheirShare() throws {
        let world = try CallbackWorld()
        for number in 0..<40 { _ = try world.subscribe("https://slow\(number).example/") }
        _ = try world.subscribe(url)
        world.answer = { called, _, _ in called == url ? status(200) : status(200).0.taking(.seconds(9)) }
        try world.submit(40)
        try world.pass(.seconds(3))
        #expect(world.taken(url).count == 120)
    }

    @Test func anEventNobodyCanDigestHoldsBackItsMessageAlone() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        world.answer = { _, sequence, _ in sequence == 1 ? status(500) : status(200) }
        try world.submit(5)
        try world.pass(.seconds(3600))
        let first = try #require(try world.events().first?.message?.id)
        let ofFirst = try world.events().filter { $0.message?.id == first }.map(\.sequence)
        #expect(ofFirst.count == 3)
        #expect(world.taken(url).allSatisfy { !ofFirst.contains($0.sequence) })
        #expect(world.taken(url).count == 12)
        // The others are stored as waiting: the cursor has gone past them.
        #expect(try world.subscription(id).cursor == world.events().last?.sequence)
        #expect(try world.deliveries(id, .waiting).map(\.event).sorted() == ofFirst)
        // Alone on a quiet line it holds the endpoint back; still the next message gets through before its time.
        try world.pass(.seconds(3 * 3600))
        try world.submit(1)
        try world.pass(.seconds(1300))
        #expect(world.taken(url).count == 15)
        for _ in 0..<5 {
            try world.submit(1)
            try world.pass(.seconds(86_400))
        }
        #expect(try world.deliveries(id, .failed).map(\.event) == [1])
        #expect(Set(world.taken(url).map(\.sequence)) == Set(try world.events().map(\.sequence).dropFirst()))
        #expect(try world.subscription(id).settings.isActive)
    }

    @Test func whatAnEndpointAsksForIsHonouredWithinBounds() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        world.answer = { _, _, _ in status(429, [HTTPHeader("retry-after", "120")]) }
        try world.submit(3)
        try world.pass(.seconds(100))
        #expect(world.seen.count <= CallbackQueue.windowMax)
        world.answer = { _, _, _ in status(503, [HTTPHeader("retry-after", "99999999")]) }
        try world.pass(.seconds(60))
        let until = try #require(try world.subscription(id).breaker?.until)
        #expect(until > world.now + .seconds(3000) && until <= world.now + .seconds(3600))
        world.answer = { _, _, _ in status(200) }
        try world.pass(.seconds(7200))
        #expect(Set(world.taken(url).map(\.sequence)).count == 9)
    }

    @Test func aSubscriptionHearsWhatItAskedForFromWhereItBegan() throws {
        let world = try CallbackWorld()
        try world.submit(3)
        try world.pass(.seconds(1))
        let id = try world.subscribe(url)
        let early = try world.subscribe(other, after: 0)
        let lines = try world.subscribe("https://example.org/", events: ["line.updated"])
        try world.pass(.seconds(1))
        #expect(world.taken(url).isEmpty && world.taken(other).count == 9)
        let line = try #require(try QueueReader(path: world.path).lines(account: 1).first)
        let health = LineHealth(
            status: .online, canSend: .available, quality: .green, tier: .tier1K, messagesPerSecond: 80, reasons: [],
            readAt: world.now)
        for _ in 0..<2 {
            world.tellWriter(.lineNews(LineNews(subject: Refresher.Subject(line), health: .read(health))))
            try world.submit(2)
            try world.pass(.seconds(2))
        }
        #expect(world.taken("https://example.org/").count == 1)
        #expect(try world.deliveries(lines).count == 1 && world.deliveries(early).count == 22)
        #expect(try world.deliveries(id).count == 13)
    }

    @Test func aReplayTellsAgainByTheSameIDs() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        try world.submit(10)
        try world.pass(.seconds(10))
        func replay(_ body: String) throws -> WriterReply {
            try world.replay(id, ReplayBody.read(try JSONParser().parse(body.utf8)))
        }
        guard case .eventsReplayed(let range) = try replay(#"{"from":4,"to":9}"#),
            case .eventsReplayed(let one) = try replay(#"{"event":2}"#)
        else { throw Missing() }
        #expect(range == Queue.Replayed(count: 6, next: nil) && one.count == 1)
        try world.pass(.seconds(10))
        for sequence in [2, 4, 5, 6, 7, 8, 9] as [Int64] {
            let calls = world.taken(url).filter { $0.sequence == sequence }
            #expect(calls.count == 2 && Set(calls.map(\.id)).count == 1)
        }
        #expect(world.taken(url).count == 37)
        guard case .wrong(let error) = try replay(#"{"event":999}"#) else { throw Missing() }
        #expect(error.field == "event")
    }

    @Test func moreThanMemoryHoldsIsReplayed() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        try world.submit(800)
        try world.pass(.seconds(60))
        #expect(world.taken(url).count == 2400)
        guard
            case .eventsReplayed(let all) = try world.replay(
                id, .read(try JSONParser().parse(#"{"from":1}"#.utf8)))
        else { throw Missing() }
        #expect(all == Queue.Replayed(count: 2400, next: nil))
        try world.restart()
        try world.submit(10)
        try world.pass(.seconds(120))
        // What was under way at the kill went twice.
        let taken = world.taken(url)
        #expect((4830...4830 + CallbackQueue.windowMax).contains(taken.count))
        #expect(Set(taken.map(\.sequence)).count == 2430)
        #expect(world.keptOrder(url))
    }

    @Test func beyondFiveHundredThatWaitTheLogIsReadNoFurther() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        // Two of three fail: the endpoint is never held.
        world.answer = { _, sequence, _ in sequence % 3 == 0 ? status(200) : status(422) }
        try world.submit(2000)
        try world.pass(.seconds(60))
        let waiting = try world.deliveries(id, .waiting).count
        #expect(waiting >= CallbackQueue.waitingMax && waiting < CallbackQueue.waitingMax + CallbackQueue.freshMax * 2)
        let cursor = try world.subscription(id).cursor
        #expect(cursor < 2000)
        try world.pass(.seconds(200))
        #expect(try world.subscription(id).cursor == cursor)
    }

    @Test func whatMayNotBeCalledIsNotCalled() throws {
        let world = try CallbackWorld()
        world.allowsHTTP = true
        let id = try world.subscribe("http://10.0.0.1/hook")
        try world.submit(1)
        try world.pass(.seconds(1))
        #expect(world.seen.count == 3)
        // As after a start without the setting.
        world.allowsHTTP = false
        try world.submit(1)
        try world.pass(.seconds(1))
        #expect(world.seen.count == 3)
        #expect(try world.subscription(id).reason?.contains("must be https") ?? false)
    }

    /// Its secret goes right after it, and whoever calls may not know yet.
    @Test func ofARemovedSubscriptionNoSecretIsMissed() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        world.answer = { _, _, _ in status(200).0.taking(.seconds(5)) }
        try world.submit(1)
        try world.pass(.seconds(1))
        world.hidesChanges = true
        guard case .unsubscribed = try world.ask(.unsubscribe(world.exchange, id)) else { throw Missing() }
        world.secrets = []
        try world.submit(3)
        try world.pass(.seconds(100))
        #expect(world.seen.count == 1)
        #expect(!world.log.contains { $0.kind == .secretMissing })
    }

    /// A 2xx is one though its body stalls or is cut.
    @Test func ofAnAnswerTheHeadSuffices() throws {
        let signing = try #require(CallbackSigning("whsec_" + Base64.text([UInt8](repeating: 1, count: 24)), url: url))
        #expect(
            signing.request(id: "1", CallbackWords(body: []), now: Timestamp(milliseconds: 0)).headSuffices)
    }

    @Test func withoutASecretNothingIsCalled() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        let secrets = world.secrets
        world.secrets = []
        try world.submit(1)
        try world.pass(.seconds(200))
        #expect(world.seen.isEmpty)
        #expect(world.log.contains { $0.kind == .secretMissing })
        #expect(try world.subscription(id).breaker != nil, "it shows")
        world.secrets = secrets
        // As with an endpoint that took nothing: with the next try.
        try world.pass(.seconds(900))
        #expect(world.taken(url).count == 3)
    }

    @Test func aTestSaysWhatCameBack() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        let good = try #require(try world.test(id)?["data"])
        #expect(good["delivered"]?.bool == true && good["httpStatus"]?.integer == 200)
        #expect(good["milliseconds"]?.integer == 20)
        world.answer = { _, _, _ in down }
        let bad = try #require(try world.test(id)?["data"])
        #expect(bad["delivered"]?.bool == false && bad["error"]?.string == "Connection refused")
        #expect(try world.test(99)?["error"]?["code"]?.string == "NOT_FOUND")
        #expect(try world.deliveries(id).isEmpty && world.events().isEmpty)
    }

    @Test func aRemovedSubscriptionIsForgotten() throws {
        let world = try CallbackWorld()
        let id = try world.subscribe(url)
        try world.submit(600)
        try world.pass(.seconds(30))
        guard case .unsubscribed = try world.ask(.unsubscribe(world.exchange, id)) else { throw Missing() }
        try world.submit(1)
        try world.pass(.seconds(30))
        #expect(world.seen.count == 1800)
        #expect(try world.reader().subscriptions().isEmpty)
        #expect(try world.deliveries(id).isEmpty)
        guard case .noSubscription = try world.ask(.unsubscribe(world.exchange, id)) else { throw Missing() }
    }
}

extension HTTPResult {
    fileprivate func taking(_ latency: Duration) -> (HTTPResult, Duration) { (self, latency) }
}

private struct Missing: Error {}
