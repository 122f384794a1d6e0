import OutboxCore
import OutboxStore
import Testing

@testable import OutboxService

/// What the journal tells of a message's way.
@Suite struct TellingTests {
    private func field(_ line: LogLine, _ field: LogLine.Field) -> String? {
        line.fields.first { $0.0 == field }?.1
    }

    @Test func aMessagesStoryIsToldOnceAStepAndSummedUpAtItsEnd() throws {
        let desk = try Desk()
        let submitted = desk.turn(.submit(desk.exchange, try desk.draft("14155550001")))
        #expect(submitted.log.map(\.kind) == [.messageAccepted, .messageClaimed])
        let attempt = try #require(submitted.attempts.first)
        desk.now = desk.now + .milliseconds(1500)
        let sent = desk.turn(
            .outcome(AttemptOutcome(attempt: attempt, outcome: .accepted(wamid: "w", person: nil))))
        #expect(sent.log.map(\.kind) == [.messageSent])
        #expect(sent.log.first.flatMap { field($0, .attempt) } == "1")
        var webhook = ReceivedWebhook(app: "default", body: Array("{}".utf8), statuses: [])
        for (report, after) in [(Report.delivered, 2), (.read, 9), (.delivered, 10)] {
            webhook.statuses.append(
                StatusReport(
                    phoneNumberID: "106", wamid: "w", opaque: attempt.opaque, report: report,
                    at: desk.now + .seconds(after), failure: nil))
        }
        var told = desk.turn(.webhook(nil, webhook)).log
        told += desk.turn().log
        #expect(told.map(\.kind) == [.messageDelivered, .messageRead, .messageNoted])
        let end = try #require(told.first { $0.kind == .messageRead })
        #expect(end.text.hasPrefix("message read: 1 attempt; accepted 2027-01-15T08:00:00.000Z, sent after 1.5 s"))
        #expect(end.text.hasSuffix("delivered after 3.5 s, read after 10.5 s"))
        #expect(field(end, .message) != nil && field(end, .line) == "main")
    }

    @Test func whoAskedAndWhatItWaitsOnAreFields() throws {
        let desk = try Desk()
        var draft = try desk.draft("14155550001")
        draft.sendAt = desk.now + .seconds(3600)
        let later = desk.turn(.submit(desk.exchange, draft))
        let accepted = try #require(later.log.first)
        #expect(field(accepted, .gate) == "due_time")
        guard case .submitted(.done(let submitted)) = later.replies.first?.1 else {
            Issue.record("it was not submitted")
            return
        }
        let cancelled = desk.turn(.asked(Asker(account: 1, who: "ann"), .cancel(desk.exchange, submitted.id))).log
        #expect(cancelled.map(\.kind) == [.messageCancelled])
        #expect(cancelled.first.flatMap { field($0, .actor) } == "ann")
        let paused = desk.turn(
            .asked(Asker(account: 1, who: "ann"), .putRetention(desk.exchange, .read, RetentionRule()))
        ).log
        #expect(paused.first.flatMap { field($0, .actor) } == "ann")
        let unasked = desk.turn(.submit(desk.exchange, try desk.draft("14155550002"))).log
        #expect(unasked.allSatisfy { field($0, .actor) == nil })
    }

    @Test func whatNobodyAskedForIsToldToo() throws {
        let desk = try Desk(slots: 0)
        var draft = try desk.draft("14155550001")
        draft.expiresAt = desk.now + .seconds(60)
        _ = desk.turn(.submit(desk.exchange, draft))
        desk.now = desk.now + .seconds(61)
        let expired = try #require(desk.turn().log.first)
        #expect(expired.kind == .messageFailed && expired.level == .warning)
        #expect(field(expired, .code) == "EXPIRED" && expired.text.contains("0 attempts; accepted "))
    }

    @Test func aLostAnswerNamesItsGate() throws {
        let desk = try Desk()
        let attempt = try #require(desk.turn(.submit(desk.exchange, try desk.draft("14155550001"))).attempts.first)
        let lost = desk.turn(
            .outcome(
                AttemptOutcome(attempt: attempt, outcome: .unknown(Failure(code: "TIMEOUT", message: "no answer")))))
        let line = try #require(lost.log.first { $0.kind == .outcomeUnknown })
        #expect(field(line, .gate) == "outcome_unknown" && field(line, .code) == "TIMEOUT")
    }
}
