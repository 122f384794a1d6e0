import OutboxCore
import OutboxStore
import TestKit
import Testing

@Suite struct QueueTests {
    @Test func aMessageGoesAllTheWay() throws {
        let bench = try Bench()
        let id = try bench.submit()
        #expect(try bench.message(id).state == .queued)
        let attempt = try #require(try bench.claim().first)
        #expect(attempt.message == id && attempt.number == 1 && attempt.to == "14155552671")
        #expect(attempt.phoneNumberID == "106" && attempt.content == Array(#"{"body":"hi"}"#.utf8))
        #expect(try bench.message(id).state == .processing)
        #expect(try bench.claim().isEmpty)
        #expect(try bench.record(.accepted(wamid: "wamid.1"), attempt) == .moved(.sent))
        #expect(try bench.report(.delivered, attempt) == .moved(id, .delivered))
        #expect(try bench.report(.read, attempt) == .moved(id, .read))
        let message = try bench.message(id)
        #expect(message.state == .read && message.wamid == "wamid.1" && message.attempts == 1)
        #expect(message.metadata == Array(#"{"order":1}"#.utf8))
        #expect(message.sentAt != nil && message.deliveredAt != nil && message.readAt != nil && message.failure == nil)
        #expect(try bench.events(id) == [.accepted, .claimed, .sent, .delivered, .read])
        #expect(try bench.count(.read) == 1)
        #expect(try bench.count(.queued) == 0)
    }

    @Test func aScheduledMessageWaitsForItsTime() throws {
        let bench = try Bench()
        let id = try bench.submit(sendAt: bench.now + .seconds(60))
        #expect(try bench.message(id).state == .scheduled)
        #expect(bench.queue.nextWake() == bench.now + .seconds(60))
        try bench.tick(.milliseconds(59_999))
        #expect(try bench.claim().isEmpty)
        try bench.tick(.milliseconds(1))
        #expect(try bench.message(id).state == .queued)
        #expect(try bench.claim().map(\.message) == [id])
        #expect(bench.queue.nextWake() == nil)
    }

    @Test func anExpiredMessageFailsAndNeverLeaves() throws {
        let bench = try Bench()
        let id = try bench.submit(expiresAt: bench.now + .seconds(10))
        #expect(bench.queue.nextWake() == bench.now + .seconds(10))
        try bench.tick(.seconds(10))
        let message = try bench.message(id)
        #expect(message.state == .failed && message.failure?.code == "EXPIRED")
        #expect(try bench.claim().isEmpty)
        let again = try bench.run { try $0.retry(id, account: 1, now: bench.now) }
        #expect(again == .expired(bench.now))
    }

    @Test func manyThatExpiredTogetherDoNotLeave() throws {
        let bench = try Bench()
        for index in 0..<600 { try bench.submit("1415555\(1000 + index)", expiresAt: bench.now + .seconds(10)) }
        bench.now = bench.now + .seconds(10)
        // One turn of the writer: a slice of what expired, then the claim.
        let more = try bench.run { try $0.clockMoved(bench.now) }
        #expect(more)
        #expect(try bench.claim(64).isEmpty)
        try bench.tick(.zero)
        #expect(try bench.count(.failed) == 600)
    }

    @Test func aRefusalForNowIsTriedAgainAndInTheEndGivenUp() throws {
        let bench = try Bench()
        let id = try bench.submit()
        for number in 1...10 as ClosedRange<Int64> {
            let attempt = try #require(try bench.claim().first)
            #expect(attempt.number == number)
            let recorded = try bench.record(.refused(down, .forNow(askedFor: nil)), attempt)
            #expect(recorded == .moved(number < 10 ? .retrying : .failed))
            try bench.tick(.seconds(601))
        }
        let message = try bench.message(id)
        #expect(message.state == .failed && message.failure == down && message.attempts == 10)
    }

    @Test func aThrottledAttemptDoesNotCount() throws {
        let bench = try Bench()
        try bench.submit()
        for _ in 1...30 {
            let attempt = try #require(try bench.claim().first)
            #expect(try bench.record(.refused(down, .throttled(askedFor: .seconds(5))), attempt) == .moved(.retrying))
            try bench.tick(.milliseconds(4_999))
            #expect(try bench.claim().isEmpty)
            try bench.tick(.seconds(601))
        }
    }

    @Test func aRefusalForGoodFailsAndARetryStartsAfresh() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let first = try #require(try bench.claim().first)
        let failure = Failure(code: "131026", message: "Message undeliverable")
        #expect(try bench.record(.refused(failure, .forGood), first) == .moved(.failed))
        #expect(try bench.run { try $0.retry(id, account: 1, now: bench.now) } == .done(.queued))
        #expect(try bench.message(id).failure == nil)
        let second = try #require(try bench.claim().first)
        #expect(second.number == 2)
        // Meta repeats an old webhook: it no longer speaks for the message.
        #expect(try bench.report(.failed, first) == .noted(id))
        #expect(try bench.record(.accepted(wamid: "wamid.2"), second) == .moved(.sent))
    }

    @Test func lateAnswerOfAnOldAttemptIsNotRecorded() throws {
        let bench = try Bench(policy: .resend)
        let id = try bench.submit()
        let first = try #require(try bench.claim().first)
        #expect(try bench.record(.unknown(down), first) == .unknown)
        try bench.tick(.seconds(61))
        try bench.tick(.zero)
        let second = try #require(try bench.claim().first)
        #expect(second.number == 2)
        #expect(try bench.record(.refused(down, .forGood), first) == .noted)
        #expect(try bench.message(id).state == .processing)
        #expect(try bench.record(.accepted(wamid: "wamid.2"), second) == .moved(.sent))
        #expect(try bench.record(.accepted(wamid: "wamid.2"), second) == .noted)
        #expect(try bench.events(id).last == .noted)
    }

    @Test func anAttemptNobodyMadeIsRefused() throws {
        let bench = try Bench()
        let id = try bench.submit()
        var attempt = try #require(try bench.claim().first)
        attempt.number = 5
        #expect(try bench.record(.accepted(wamid: "x"), attempt) == .nothing)
        #expect(try bench.message(id).state == .processing)
    }

    @Test func cancelOnlyBeforeItLeft() throws {
        let bench = try Bench()
        let early = try bench.submit()
        #expect(try bench.run { try $0.cancel(early, account: 1, now: bench.now) } == .done(.cancelled))
        #expect(try bench.claim().isEmpty)
        let late = try bench.submit()
        _ = try bench.claim()
        #expect(try bench.run { try $0.cancel(late, account: 1, now: bench.now) } == .refused(.tooLate, .processing))
        #expect(try bench.run { try $0.retry(late, account: 1, now: bench.now) } == .refused(.notFailed, .processing))
    }

    @Test func anotherAccountsMessageIsNotFound() throws {
        let bench = try Bench()
        let id = try bench.submit()
        #expect(try bench.run { try $0.cancel(id, account: 2, now: bench.now) } == .notFound)
        #expect(try bench.run { try $0.retry(id, account: 2, now: bench.now) } == .notFound)
        #expect(try QueueReader(path: bench.path).message(id, account: 2) == nil)
        #expect(try QueueReader(path: bench.path).list(ListFilter(), account: 2).messages.isEmpty)
    }

    @Test func aHigherClassLeavesFirstAndNoneStarves() throws {
        let bench = try Bench()
        var order: [MessageID] = []
        for (index, priority) in [Priority.low, .normal, .high, .low, .normal, .high].enumerated() {
            var draft = try bench.draft("1415555000\(index)")
            draft.priority = priority
            guard
                case .done(let submitted) = try bench.run({
                    try $0.submit(draft, account: 1, batch: nil, now: bench.now)
                })
            else { throw Unexpected() }
            order.append(submitted.id)
        }
        // Each class's first, the higher before the lower; then by weight.
        #expect(try bench.claim(4).map(\.message) == [order[2], order[1], order[0], order[5]])
        #expect(try bench.claim(4).map(\.message) == [order[4], order[3]])
    }

    @Test func linesAreNamedOrTheOnlyOne() throws {
        let bench = try Bench()
        var draft = try bench.draft()
        draft.line = "none"
        #expect(try bench.queue.refusal(of: draft, account: 1, now: bench.now) == .noSuchLine("none"))
        #expect(try bench.queue.refusal(of: draft, account: 2, now: bench.now) == .noSuchLine("none"))
        draft.line = nil
        #expect(try bench.queue.refusal(of: draft, account: 2, now: bench.now) == .noLines)
        let second = LineSettings(name: "second", phoneNumberID: "107", wabaID: nil, credential: "c")
        try bench.run { _ = try $0.put(second, account: 1, now: bench.now) }
        #expect(try bench.queue.refusal(of: draft, account: 1, now: bench.now) == .lineNotNamed)
    }

    @Test func aBusyLineIsNotRemoved() throws {
        let bench = try Bench()
        let id = try bench.submit()
        #expect(try bench.run { try $0.removeLine(named: "main", account: 1, now: bench.now) } == .busy(1))
        _ = try bench.run { try $0.cancel(id, account: 1, now: bench.now) }
        #expect(try bench.run { try $0.removeLine(named: "main", account: 1, now: bench.now) } == .done)
        #expect(try bench.run { try $0.removeLine(named: "main", account: 1, now: bench.now) } == .notFound)
        #expect(try bench.message(id).line == "main")
        try bench.reopen()
        #expect(bench.queue.line(named: "main", account: 1) == nil)
    }

    @Test func aLineOfARemovedOnesNameIsCountedOnce() throws {
        let bench = try Bench()
        let settings = try #require(bench.queue.line(named: "main", account: 1)).settings
        for _ in 0..<2 {
            let id = try bench.submit()
            _ = try bench.run { try $0.cancel(id, account: 1, now: bench.now) }
            _ = try bench.run { try $0.removeLine(named: "main", account: 1, now: bench.now) }
            try bench.run { _ = try $0.put(settings, account: 1, now: bench.now) }
        }
        let counts = try QueueReader(path: bench.path).counts(account: 1)
        #expect(counts.map(\.line) == ["main"] && counts.map(\.count) == [2])
    }

    @Test func idsAreUUIDv7AndOnlyOurs() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let text = bench.queue.codec.text(id)
        let parts = text.split(separator: "-").map(\.count)
        #expect(parts == [8, 4, 4, 4, 12])
        #expect(Array(text)[14] == "7" && "89ab".contains(Array(text)[19]))
        #expect(bench.queue.codec.id(text) == id && bench.queue.codec.id(text.uppercased()) == id)
        #expect(bench.queue.codec.id(text, .batch) == nil)
        for index in text.indices where text[index] != "-" {
            var changed = text
            changed.replaceSubrange(index...index, with: text[index] == "0" ? "1" : "0")
            #expect(bench.queue.codec.id(changed) == nil)
        }
        for wrong in ["", "x", text + "0", String(text.dropLast()), text.replacing("-", with: "_")] {
            #expect(bench.queue.codec.id(wrong) == nil)
        }
        // The key lives in the file.
        try bench.reopen()
        #expect(bench.queue.codec.id(text) == id)
    }
}
