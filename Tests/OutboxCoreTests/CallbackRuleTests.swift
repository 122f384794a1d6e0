import OutboxCore
import Testing

@Suite struct CallbackRuleTests {
    let start = Timestamp(milliseconds: 1_800_000_000_000)

    @Test(arguments: 0..<200 as Range<UInt64>) func theScheduleLastsThreeDaysAndMore(_ seed: UInt64) {
        var dice = Dice(seed: seed)
        var sum = Duration.zero
        var last = Duration.zero
        for tries in 1..<CallbackSchedule.triesMax {
            guard let wait = CallbackSchedule.wait(afterTries: tries, chance: &dice) else {
                Issue.record("no wait after \(tries) tries")
                return
            }
            #expect(wait * 10 > last * 9 && wait <= .seconds(86_400))
            (sum, last) = (sum + wait, wait)
        }
        #expect(sum >= .seconds(3 * 86_400))
        #expect(CallbackSchedule.wait(afterTries: CallbackSchedule.triesMax, chance: &dice) == nil)
    }

    @Test func theBreakerOpensProbesMoreAndMoreSeldomAndCloses() throws {
        var dice = Dice(seed: 1)
        var breaker = CallbackBreaker()
        for _ in 1..<CallbackBreaker.failuresMax {
            breaker.failed("no", askedFor: nil, wasProbe: false, now: start, chance: &dice)
            #expect(!breaker.isOpen)
        }
        breaker.failed("no", askedFor: nil, wasProbe: false, now: start, chance: &dice)
        let first = try #require(breaker.opensAt)
        #expect(first > start + .seconds(3) && first <= start + .seconds(5))
        // Those that were under way do not make it wait longer.
        breaker.failed("no", askedFor: nil, wasProbe: false, now: start + .seconds(1), chance: &dice)
        #expect(breaker.opensAt == first)
        var now = first
        var waits: [Int64] = []
        for _ in 0..<12 {
            #expect(!breaker.holds(now: now) && breaker.holds(now: now - .milliseconds(1)))
            breaker.failed("no", askedFor: nil, wasProbe: true, now: now, chance: &dice)
            let next = try #require(breaker.opensAt)
            waits.append(next.milliseconds - now.milliseconds)
            now = next
        }
        #expect(waits[0] <= 10_000 && waits[11] > 480_000 && waits.max() ?? 0 <= 600_000)
        #expect(breaker.state?.since == start)
        // A clock set back by a year does not hold it for a year.
        #expect(!breaker.holds(now: start - .seconds(31_536_000)))
        breaker.succeeded()
        #expect(!breaker.isOpen && breaker.state == nil)
    }

    @Test func whatAnAnswerMeans() {
        func meaning(_ status: Int, _ retryAfter: String? = nil) -> CallbackOutcome {
            .answered(status: status, retryAfter: retryAfter, now: start)
        }
        #expect(meaning(200) == .accepted(status: 200) && meaning(299) == .accepted(status: 299))
        #expect(meaning(410) == .gone)
        for status in [100, 300, 301, 304, 307, 400, 401, 404, 429, 500, 503] {
            guard case .failed(Int64(status), _, nil) = meaning(status) else {
                Issue.record("\(status)")
                continue
            }
        }
        #expect(meaning(503, "30") == .failed(status: 503, error: "HTTP 503", askedFor: .seconds(30)))
        #expect(meaning(500, "30") == .failed(status: 500, error: "HTTP 500", askedFor: nil))
        #expect(meaning(429, "soon") == .failed(status: 429, error: "HTTP 429", askedFor: nil))
        #expect(meaning(429, "-5") == .failed(status: 429, error: "HTTP 429", askedFor: nil))
        // 2027-01-15T08:00:00Z is the start.
        #expect(
            meaning(429, "Fri, 15 Jan 2027 08:01:00 GMT")
                == .failed(status: 429, error: "HTTP 429", askedFor: .seconds(60)))
        #expect(
            meaning(429, "Wed, 21 Oct 2015 07:28:00 GMT") == .failed(status: 429, error: "HTTP 429", askedFor: .zero))
    }

    @Test(arguments: [
        "https://example.com", "https://example.com:8443/a/b?c=d&e=%20", "https://10.0.0.1/",
        "https://[2001:db8::1]:8/",
        "http://localhost/x", "http://LOCALHOST:8080/x", "http://127.0.0.1:80/", "http://127.255.0.9/",
        "http://[::1]/x",
    ]) func addressesThatMayBeCalled(_ url: String) {
        #expect(CallbackAddress.problem(url, allowsHTTP: false) == nil)
    }

    /// Nothing that libcurl would read as another machine passes for this one, and nothing else than http.
    @Test(arguments: [
        "", "https://", "https:///x", "ftp://example.com/", "file:///etc/passwd", "unix:/run/x", "HTTPS://example.com/",
        "http+unix://%2Frun%2Fx/", "gopher://127.0.0.1/", "javascript:1", "//example.com/",
        "https://user@example.com/", "https://user:pw@example.com/", "http://127.0.0.1@example.com/",
        "http://localhost:80@example.com/", "http://example.com#@127.0.0.1/", "http://127.0.0.1#.example.com/",
        "http://127.0.0.1\\.example.com/", "http://127.0.0.1\t.example.com/", "http://127.0.0.1 .example.com/",
        "http://127.0.0.1%2eexample.com/", "http://example.com/", "http://127.0.0.1.example.com/",
        "http://localhost.example.com/", "http://0127.0.0.1/", "http://127.0.0.01/", "http://127.1/",
        "http://2130706433/", "http://0x7f.0.0.1/", "http://0x7f000001/", "http://127.0.0.256/", "http://127.0.0.1./",
        "http://[::ffff:127.0.0.1]/", "http://[::2]/", "http://[::1/", "http://[::1]evil/", "http://[0:0:0:0:0:0:0:2]/",
        "http://128.0.0.1/", "http://10.0.0.1/", "http://0.0.0.0/", "https://example.com:0/",
        "https://example.com:70000/",
        "https://example.com:/", "https://example.com:8a/", "https://exa mple.com/", "https://ex\u{e4}mple.com/",
        "https://example..com/", "https://1.2.3/", "https://127.0.0.1:+80/",
    ]) func addressesThatMayNot(_ url: String) {
        #expect(CallbackAddress.problem(url, allowsHTTP: false) != nil)
        if !url.hasPrefix("http://") { #expect(CallbackAddress.problem(url, allowsHTTP: true) != nil) }
    }

    @Test func otherMachinesByHTTPWhereTheOperatorAllowsIt() {
        #expect(CallbackAddress.problem("http://example.com/", allowsHTTP: true) == nil)
        #expect(CallbackAddress.problem("http://u:p@example.com/", allowsHTTP: true) != nil)
        #expect(CallbackAddress.isLocal("http://127.0.0.1:8/x") && !CallbackAddress.isLocal("http://example.com/"))
        #expect(CallbackAddress.host("https://example.com:8/secret/path") == "example.com:8")
    }

    @Test func anyTextMaySignWhereTheFormatHasItSo() throws {
        let key = "whsec_your_secret_key"
        #expect(CallbackSecret(text: key) == nil)
        let plain = try #require(CallbackSecret(plain: key))
        #expect(plain.text == key && plain.bytes == Array(key.utf8) && !plain.isStandard)
        let standard = try #require(CallbackSecret(text: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        #expect(CallbackSecret.all(in: "\(plain.line)\n\(standard.line)\n") == [plain, standard])
        // What is neither is no secret: a damaged file signs nothing.
        #expect(CallbackSecret.all(in: "\(key)\ntext:short\n") == [])
        for wrong in [
            "fifteen letters", "", String(repeating: "x", count: 257), "a line\nand another one",
            "a zero\u{0} in its middle",
        ] { #expect(CallbackSecret(plain: wrong) == nil, "\(wrong)") }
        for text in [String(repeating: "ü", count: 256), " spaces at both ends ", "\u{301}text:\u{2028}and the rest"] {
            let secret = try #require(CallbackSecret(plain: text))
            #expect(CallbackSecret.all(in: "\(secret.line)\n") == [secret])
        }
    }

    @Test func aFormatHasEventsOfItsOwn() {
        func mask(_ format: CallbackFormat, _ events: [String]?) -> [EventKind] {
            let mask = SubscriptionSettings(url: "", events: events, format: format).kindsMask
            return EventKind.allCases.filter { mask >> $0.rawValue & 1 == 1 }
        }
        #expect(mask(.organization, ["message.sent"]) == [.sent])
        #expect(mask(.organization, ["message.status_updated"]) == [.delivered, .read, .failed])
        #expect(mask(.organization, ["message.received", "message.read"]) == [.read, .received])
        #expect(mask(.organization, nil) == [.sent, .delivered, .read, .failed, .received])
        #expect(mask(.outboxd, ["message.status_updated"]).contains(.accepted))
        #expect(!mask(.outboxd, nil).contains(.operatorChange) && mask(.outboxd, nil).contains(.lineUpdated))
        #expect(mask(.outboxd, ["message.sent"]) == [])
        #expect(CallbackFormat.organization.names(of: .read) == ["message.status_updated", "message.read"])
    }

    @Test func secretsAreReadAsTheyAreWritten() throws {
        for size in 0...80 {
            let bytes = (0..<size).map { UInt8(truncatingIfNeeded: $0 * 37 + size) }
            #expect(Base64.bytes(Base64.text(bytes)) == bytes)
            let secret = CallbackSecret(bytes: bytes)
            #expect((secret != nil) == (24...64).contains(size))
            if let secret { #expect(CallbackSecret(text: secret.text) == secret) }
        }
        #expect(Base64.text(Array("foob".utf8)) == "Zm9vYg==")
        for wrong in [
            "", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLa-_", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw ",
        ] { #expect(CallbackSecret(text: wrong) == nil, "\(wrong)") }
        let known = try #require(CallbackSecret(text: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        #expect(known.bytes.count == 24)
        #expect(CallbackSecret.all(in: "\(known.text)\n\n\(known.text)\n") == [known, known])
    }

    // MARK: The queue

    private func queue(_ messages: Int64?..., eventsPerCall: Int = 1) -> CallbackQueue {
        var queue = CallbackQueue(cursor: 0, breaker: nil, eventsPerCall: eventsPerCall)
        let fresh = messages.enumerated().map { index, message in
            Delivery(event: Int64(index) + 1, message: message.map(MessageID.init(rawValue:)))
        }
        queue.take(fresh: fresh, readTo: Int64(messages.count))
        return queue
    }

    private func told(_ queue: inout CallbackQueue, room: Int = 100, _ now: Timestamp) -> [[Int64]] {
        queue.start(room: room, now: now).map { $0.map(\.event) }
    }

    private func refused(_ status: Int64) -> CallbackOutcome {
        .failed(status: status, error: "HTTP \(status)", askedFor: nil)
    }

    @Test func eventsOfAMessageWaitForEachOtherAndOthersDoNot() throws {
        var dice = Dice(seed: 1)
        var queue = queue(7, 7, 8, nil, nil)
        #expect(told(&queue, start) == [[1], [3], [4], [5]])
        #expect(told(&queue, start).isEmpty)
        let ended = queue.ended([3], .accepted(status: 200), now: start, chance: &dice)
        #expect(ended.deliveries.map(\.status) == [.delivered] && ended.changes.isEmpty)
        #expect(queue.cursor == 0)
        _ = queue.ended([1], refused(500), now: start, chance: &dice)
        // The second one is stored as waiting too, and lets the cursor past.
        #expect(queue.park().map(\.event) == [2] && queue.park().isEmpty)
        #expect(queue.cursor == 3)
        #expect(told(&queue, start).isEmpty)
        let wake = try #require(queue.nextWake(now: start))
        #expect(told(&queue, wake) == [[1]])
        _ = queue.ended([1], .accepted(status: 200), now: wake, chance: &dice)
        #expect(told(&queue, wake) == [[2]])
        for event in [2, 4, 5] as [Int64] { _ = queue.ended([event], .accepted(status: 200), now: wake, chance: &dice) }
        #expect(queue.isEmpty && queue.cursor == 5 && queue.underWay == 0)
    }

    @Test func theWindowIsNeverExceeded() {
        var queue = CallbackQueue(cursor: 0, breaker: nil)
        queue.take(fresh: (1...60).map { Delivery(event: $0, message: nil) }, readTo: 60)
        #expect(queue.start(room: 3, now: start).count == 3)
        #expect(queue.start(room: 100, now: start).count == CallbackQueue.windowMax - 3)
        #expect(queue.start(room: 100, now: start).isEmpty && queue.nextWake(now: start) == nil)
    }

    @Test func eventsGoTogetherAndFullCallsDoNotWait() throws {
        var dice = Dice(seed: 2)
        var queue = queue(7, 7, 8, eventsPerCall: 3)
        // Those of one message too, in their order.
        #expect(told(&queue, start) == [[1, 2, 3]])
        func add(_ messages: Int64?...) {
            for message in messages {
                let event = queue.readTo + 1
                queue.take(
                    fresh: [Delivery(event: event, message: message.map(MessageID.init(rawValue:)))], readTo: event)
            }
        }
        // Not full: it waits for the one under way. Full: it does not, but what goes in one call is in no other.
        add(9, nil)
        #expect(told(&queue, start).isEmpty)
        add(8, 10, 10, 10, 11, 12)
        #expect(told(&queue, start) == [[4, 5, 7]] && queue.underWay == 2)
        let first = queue.ended([1, 2, 3], .accepted(status: 200), now: start, chance: &dice)
        #expect(first.deliveries.map(\.event) == [1, 2, 3] && queue.cursor == 3)
        #expect(told(&queue, start) == [[6, 10, 11]])
        _ = queue.ended([4, 5, 7], .accepted(status: 204), now: start, chance: &dice)
        #expect(queue.underWay == 1 && queue.cursor == 5)
    }

    @Test func whatWasNotTakenGoesAlone() throws {
        var dice = Dice(seed: 5)
        var queue = queue(7, 7, 8, 9, nil, eventsPerCall: 4)
        #expect(told(&queue, start) == [[1, 2, 3, 4]])
        let ended = queue.ended([1, 2, 3, 4], refused(422), now: start, chance: &dice)
        #expect(ended.deliveries.allSatisfy { $0.attempts == 1 && $0.status == .waiting } && ended.changes.isEmpty)
        // One call that failed, not four.
        #expect(queue.breaker.state?.failures == 1)
        #expect(told(&queue, start) == [[5]])
        _ = queue.ended([5], .accepted(status: 200), now: start, chance: &dice)
        let later = start + .seconds(60)
        queue.take(
            fresh: [Delivery(event: 6, message: MessageID(rawValue: 8)), Delivery(event: 7, message: nil)], readTo: 7)
        // The second of message 7 after its first, the new one of message 8 after the one that failed.
        #expect(told(&queue, later) == [[7], [1], [3], [4]])
        _ = queue.ended([1], .accepted(status: 200), now: later, chance: &dice)
        _ = queue.ended([3], refused(422), now: later, chance: &dice)
        #expect(told(&queue, later) == [[2]])
    }

    @Test func whatIsToldAgainKeepsItsPlaceBeforeWhatFailed() throws {
        var dice = Dice(seed: 7)
        var queue = CallbackQueue(cursor: 9, breaker: nil, eventsPerCall: 4)
        let message = MessageID(rawValue: 7)
        queue.take(
            stored: [
                Delivery(event: 1, message: message), Delivery(event: 2, message: message, attempts: 1),
                Delivery(event: 3, message: nil, attempts: 1),
            ], hasMore: false)
        #expect(told(&queue, start) == [[1], [3]])
        _ = queue.ended([1], .accepted(status: 200), now: start, chance: &dice)
        #expect(told(&queue, start) == [[2]])
    }

    @Test func aCallIsOverWhenNothingOfItIsOpen() throws {
        var dice = Dice(seed: 6)
        var queue = queue(nil, nil, nil, nil, eventsPerCall: 4)
        #expect(told(&queue, start) == [[1, 2, 3, 4]])
        #expect(queue.pruned(1, now: start)?.status == .failed)
        queue.abandoned([3, 4])
        #expect(queue.underWay == 1)
        let ended = queue.ended([1, 2, 3], .accepted(status: 200), now: start, chance: &dice)
        #expect(ended.deliveries.map(\.event) == [2] && queue.underWay == 0 && queue.cursor == 2)
        #expect(told(&queue, start) == [[3, 4]])
        queue.abandoned([3, 4])
        #expect(queue.underWay == 0)
    }

    /// However often the endpoint is probed, an event loses only the tries that were due.
    @Test func probesUseUpNoTries() throws {
        var dice = Dice(seed: 3)
        var queue = queue(1)
        var now = start
        var calls = 0
        var last = try #require(queue.start(room: 1, now: now).first?.first)
        while now < start + .seconds(3 * 86_400) {
            calls += 1
            now = now + .seconds(1)
            let ended = queue.ended(
                [last.event], .failed(status: nil, error: "down", askedFor: nil), now: now, chance: &dice)
            #expect(ended.deliveries.map(\.status) == [.waiting])
            now = try #require(queue.nextWake(now: now))
            last = try #require(queue.start(room: 1, now: now).first?.first)
        }
        #expect(calls > 400 && last.attempts >= 8 && last.attempts < CallbackSchedule.triesMax)
    }

    @Test func anEventIsGivenUpAfterItsTriesAlone() throws {
        var dice = Dice(seed: 4)
        var queue = queue(1, nil)
        var now = start
        var tries = 0
        // The other event's kind is always taken: the endpoint is there.
        while true {
            for event in told(&queue, room: 8, now).joined() {
                let outcome = event == 1 ? refused(422) : .accepted(status: 200)
                let ended = queue.ended([event], outcome, now: now, chance: &dice)
                if event == 1 { tries += 1 }
                if ended.deliveries.first?.status == .failed {
                    #expect(tries == Int(CallbackSchedule.triesMax) && now > start + .seconds(3 * 86_400))
                    #expect(ended.changes.map(\.change) == [.gaveUp])
                    return
                }
            }
            queue.take(fresh: [Delivery(event: queue.readTo + 1, message: nil)], readTo: queue.readTo + 1)
            _ = queue.park()
            now = now + .seconds(600)
            try #require(now < start + .seconds(10 * 86_400))
        }
    }
}
