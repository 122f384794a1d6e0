import OutboxCore
import OutboxStore
import TestKit
import Testing

@Suite struct UnknownTests {
    @Test func whatAnEndedProcessHeldIsUnknown() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        try bench.reopen()
        #expect(try bench.run { try $0.recoverClaimed(now: bench.now) } == 1)
        #expect(try bench.run { try $0.recoverClaimed(now: bench.now) } == 0)
        let message = try bench.message(id)
        #expect(message.state == .processing && message.outcomeUnknown)
        try bench.tick(.seconds(86_400))
        #expect(try bench.claim().isEmpty)
        #expect(try bench.report(.sent, attempt) == .moved(id, .sent))
        #expect(try bench.message(id).outcomeUnknown == false)
    }

    @Test func theResendPolicySendsAgainAfterTheGrace() throws {
        let bench = try Bench(policy: .resend)
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        #expect(try bench.record(.unknown(down), attempt) == .unknown)
        #expect(bench.queue.nextWake() == bench.now + .seconds(60))
        try bench.tick(.seconds(59))
        #expect(try bench.claim().isEmpty)
        try bench.tick(.seconds(1))
        try bench.tick(.zero)
        #expect(try bench.claim().map(\.number) == [2])
        #expect(try bench.events(id) == [.accepted, .claimed, .outcomeUnknown, .retrying, .due, .claimed])
    }

    @Test func theFailPolicyFailsAndALateStatusCorrectsIt() throws {
        let bench = try Bench(policy: .fail)
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        try bench.record(.unknown(down), attempt)
        try bench.tick(.seconds(60))
        #expect(try bench.message(id).failure?.code == "OUTCOME_UNKNOWN")
        #expect(try bench.report(.sent, attempt) == .moved(id, .sent))
        #expect(try bench.message(id).failure == nil)
    }

    @Test func aStatusBeforeTheGraceIsOverSettlesIt() throws {
        let bench = try Bench(policy: .resend)
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        try bench.record(.unknown(down), attempt)
        #expect(try bench.report(.delivered, attempt) == .moved(id, .delivered))
        try bench.tick(.seconds(3600))
        #expect(try bench.claim().isEmpty)
        #expect(bench.queue.nextWake() == nil)
    }

    @Test func aChangedPolicyCountsForWhatIsUnknownAlready() throws {
        let bench = try Bench(policy: .hold)
        try bench.submit()
        let attempt = try #require(try bench.claim().first)
        try bench.record(.unknown(down), attempt)
        #expect(bench.queue.nextWake() == nil)
        var settings = try #require(bench.queue.line(named: "main", account: 1)).settings
        settings.unknownPolicy = .resend
        try bench.run { _ = try $0.put(settings, account: 1, now: bench.now) }
        try bench.tick(.seconds(60))
        try bench.tick(.zero)
        #expect(try bench.claim().map(\.number) == [2])
    }
}

@Suite struct ReportTests {
    @Test func aStatusThatOvertakesTheAnswerIsNotLost() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        #expect(try bench.report(.delivered, attempt) == .moved(id, .delivered))
        #expect(try bench.record(.accepted(wamid: "wamid.1"), attempt) == .noted)
        let message = try bench.message(id)
        #expect(message.state == .delivered && message.wamid == "wamid.1" && message.sentAt != nil)
    }

    @Test func aStatusOfAnUnknownWamidWaitsForItsMessage() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        #expect(try bench.report(.delivered, attempt, opaque: false) == .parked)
        #expect(try bench.report(.read, attempt, opaque: false) == .parked)
        try bench.reopen()
        #expect(try bench.record(.accepted(wamid: "wamid.1"), attempt) == .moved(.sent))
        #expect(try bench.message(id).state == .read)
        #expect(try bench.events(id) == [.accepted, .claimed, .sent, .delivered, .read])
    }

    @Test func parkedStatusesAreForgottenInTheEnd() throws {
        let bench = try Bench()
        try bench.submit()
        let attempt = try #require(try bench.claim().first)
        #expect(try bench.report(.delivered, attempt, opaque: false) == .parked)
        bench.now = bench.now + Queue.earlyStatusKept + .seconds(1)
        #expect(try bench.report(.delivered, attempt, wamid: "wamid.other", opaque: false) == .parked)
        #expect(try bench.record(.accepted(wamid: "wamid.1"), attempt) == .moved(.sent))
        #expect(try bench.count(.sent) == 1)
    }

    @Test func withoutTheOpaqueIdTheWamidServes() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1"), attempt)
        #expect(try bench.report(.failed, attempt, opaque: false) == .moved(id, .failed))
        let message = try bench.message(id)
        #expect(message.failure?.code == "131026")
        // Both may come; delivered wins.
        #expect(try bench.report(.delivered, attempt, opaque: false) == .moved(id, .delivered))
        #expect(try bench.report(.failed, attempt, opaque: false) == .noted(id))
    }

    @Test func aStatusCountsThoughItsLineHasAnotherNumberNow() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        let status = StatusReport(
            phoneNumberID: "999", wamid: "wamid.1", opaque: attempt.opaque, report: .read, at: bench.now, failure: nil)
        #expect(try bench.run { try $0.apply(status, now: bench.now) } == .moved(id, .read))
    }

    @Test func aParkedStatusCountsWhenAnotherStatusMakesItsWamidKnown() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        #expect(try bench.report(.failed, attempt, opaque: false) == .parked)
        #expect(try bench.report(.sent, attempt) == .moved(id, .sent))
        #expect(try bench.message(id).state == .failed)
        #expect(try bench.record(.accepted(wamid: "wamid.1"), attempt) == .noted)
        #expect(try bench.message(id).failure?.code == "131026")
    }

    @Test func aParkedStatusCountsWhenTheAnswerCameSecond() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let attempt = try #require(try bench.claim().first)
        #expect(try bench.report(.sent, attempt, wamid: "wamid.other") == .moved(id, .sent))
        #expect(try bench.report(.delivered, attempt, wamid: "wamid.1", opaque: false) == .parked)
        // One attempt is one copy, under whatever ids.
        #expect(try bench.record(.accepted(wamid: "wamid.1"), attempt) == .noted)
        #expect(try bench.message(id).state == .delivered)
    }

    @Test func anOldWamidDoesNotSpeakForARetriedMessage() throws {
        let bench = try Bench()
        let id = try bench.submit()
        let first = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1"), first)
        #expect(try bench.report(.failed, first) == .moved(id, .failed))
        #expect(try bench.run { try $0.retry(id, account: 1, now: bench.now) } == .done(.queued))
        #expect(try bench.message(id).wamid == nil)
        let second = try #require(try bench.claim().first)
        // Meta repeats what it said of the first, and leaves the opaque id out.
        #expect(try bench.report(.failed, first, opaque: false) == .parked)
        #expect(try bench.record(.accepted(wamid: "wamid.2"), second) == .moved(.sent))
        #expect(try bench.report(.delivered, second, wamid: "wamid.2", opaque: false) == .moved(id, .delivered))
    }

    @Test func aForgedOpaqueIdFindsNothing() throws {
        let bench = try Bench()
        let attempt = try #require(
            try {
                try bench.submit()
                return try bench.claim().first
            }())
        for opaque in ["", ".1", "x.1", attempt.opaque + "9x", String(attempt.opaque.dropLast(2)) + ".0"] {
            let status = StatusReport(
                phoneNumberID: "106", wamid: "w", opaque: opaque, report: .read, at: bench.now, failure: nil)
            #expect(try bench.run { try $0.apply(status, now: bench.now) } == .parked)
        }
    }

    @Test func statusesWithoutAMessageAreBoundedAndCounted() throws {
        let bench = try Bench()
        bench.queue.earlyStatusesMax = 10
        func park(_ wamid: String) throws {
            let status = StatusReport(
                phoneNumberID: "106", wamid: wamid, opaque: nil, report: .sent, at: bench.now, failure: nil)
            #expect(try bench.run { try $0.apply(status, now: bench.now) } == .parked)
        }
        func totals() throws -> WebhookTotals { try QueueReader(path: bench.path).webhookTotals() }
        for number in 0..<10 { try park("wamid.\(number)") }
        #expect(try totals().waiting == 10 && totals().counts[.droppedStatuses] == nil)
        try park("wamid.10")
        #expect(try totals().waiting == 10 && totals().counts[.droppedStatuses] == 1)
        // Those that waited longest have gone, and nobody waits for ever.
        try bench.tick(.seconds(6 * 86_400))
        #expect(try totals().waiting == 10)
        try bench.reopen()
        try bench.tick(.seconds(2 * 86_400))
        #expect(try totals().waiting == 0 && totals().counts[.droppedStatuses] == 11)
    }

    @Test func webhooksStayUntilTheyAreApplied() throws {
        let bench = try Bench()
        let first = try bench.run { try $0.storeWebhook(app: "default", body: [1, 2], now: bench.now) }
        let second = try bench.run { try $0.storeWebhook(app: "default", body: [3], now: bench.now) }
        try bench.reopen()
        #expect(try bench.queue.unappliedWebhooks(after: 0, limit: 10).map(\.id) == [first, second])
        #expect(try bench.queue.unappliedWebhooks(after: first, limit: 10).map(\.body) == [[3]])
        try bench.run { try $0.removeWebhook(first) }
        try bench.run { try $0.keepWebhook(second, problem: "broken") }
        #expect(try bench.queue.unappliedWebhooks(after: 0, limit: 10).isEmpty)
        #expect(try QueueReader(path: bench.path).troubles().webhooks == 1)
    }
}
