import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import TestKit
import Testing

@testable import OutboxService

/// Access tokens that end or are refused, and templates that were made, on the writer's turn.
@Suite struct TokenTests {
    private func line(_ desk: Desk, _ name: String = "main") throws -> Line {
        try #require(desk.queue.line(named: name, account: Account.defaultID))
    }

    private func healthy(_ desk: Desk) -> Reading<LineHealth> {
        .read(
            LineHealth(
                status: .online, canSend: .available, quality: .green, tier: nil, messagesPerSecond: nil, reasons: [],
                readAt: desk.now))
    }

    private func news(
        _ desk: Desk, _ health: Reading<LineHealth>? = nil, endsIn days: Double? = nil, valid: Bool = true
    ) throws -> WriterInput {
        let end = days.map { desk.now.milliseconds / 1000 + Int64($0 * 86_400) } ?? 0
        let error = valid ? "" : #","error":{"message":"revoked"}"#
        let body = #"{"data":{"is_valid":\#(valid),"expires_at":\#(end)\#(error)}}"#
        let facts = tokenFacts(
            of: .answered(status: 200, headers: [], body: Array(body.utf8)), parser: JSONParser())
        var news = LineNews(subject: Refresher.Subject(try line(desk)), health: health ?? healthy(desk))
        news.token = facts
        return .lineNews(news)
    }

    private let refused = Reading<LineHealth>.failed(Failure(code: "190", message: "it was revoked"))

    @Test func aTokenThatEndsIsSaidOnceAWeekAndOnceADayBefore() throws {
        let desk = try Desk()
        var kinds: [LogKind] = []
        for days in [30.0, 8, 7, 6, 2, 1, 0.5, 0] {
            kinds += desk.turn(try news(desk, endsIn: days)).log.map(\.kind).filter {
                $0 == .tokenExpires || $0 == .tokenRefused
            }
        }
        #expect(kinds == [.tokenExpires, .tokenExpires, .tokenRefused])
        #expect(desk.queue.token(try line(desk).id)?.state == .expired)
    }

    @Test func aRefusedTokenHoldsTheLineAndNoMessageFails() throws {
        let desk = try Desk()
        let held = desk.turn(try news(desk, refused))
        #expect(held.log.map(\.kind).contains(.tokenRefused) && held.log.map(\.kind).contains(.lineHeld))
        try desk.submit(3)
        #expect(desk.turn().attempts.isEmpty)
        // Time goes on: one message tries, is refused, and waits again.
        desk.now = desk.now + .seconds(61)
        let tries = desk.turn().attempts
        #expect(tries.count == 1)
        let outcome = Outcome.refused(Failure(code: "190", message: "no"), .lineLater(askedFor: nil))
        let after = desk.turn(.outcome(AttemptOutcome(attempt: try #require(tries.first), outcome: outcome)))
        #expect(after.attempts.isEmpty && !after.refresh.isEmpty, "whether it is the token is asked at once")
        // A new token counts at once.
        let settings = try line(desk).settings
        _ = desk.turn(.putLine(desk.exchange, settings))
        #expect(desk.turn().attempts.count == 3)
        #expect(desk.queue.token(try line(desk).id) == nil, "nothing is known of the new one")
    }

    @Test func aTokenThatIsTakenAgainLetsTheLineGo() throws {
        let desk = try Desk()
        _ = desk.turn(try news(desk, refused))
        try desk.submit(2)
        #expect(desk.turn().attempts.isEmpty)
        let good = desk.turn(try news(desk))
        #expect(good.log.map(\.kind).contains(.lineReleased))
        #expect((good.attempts + desk.turn().attempts).count == 2)
    }

    @Test func aRefusalByTheDebuggerCountsAndSilenceChangesNothing() throws {
        let desk = try Desk()
        _ = desk.turn(try news(desk, valid: false))
        let id = try line(desk).id
        #expect(desk.queue.token(id)?.state == .refused && desk.queue.token(id)?.reason == "revoked")
        let silent = LineNews(
            subject: Refresher.Subject(try line(desk)), health: .failed(Failure(code: "NO_ANSWER", message: "x")))
        _ = desk.turn(.lineNews(silent))
        #expect(desk.queue.token(id)?.state == .refused)
        // The number was told with it: it is taken, whatever the debugger says of itself.
        var read = LineNews(subject: Refresher.Subject(try line(desk)), health: healthy(desk))
        read.token = .failed(Failure(code: "100", message: "x"))
        _ = desk.turn(.lineNews(read))
        #expect(desk.queue.token(id)?.state == .valid)
    }

    @Test func whatIsKnownOfATokenSurvivesARestart() throws {
        let desk = try Desk()
        _ = desk.turn(try news(desk, endsIn: 3))
        let before = desk.queue.token(try line(desk).id)
        try desk.restart()
        #expect(desk.queue.token(try line(desk).id) == before && before?.state == .expiring)
        let reader = try QueueReader(path: desk.folder.file("outboxd.db"))
        #expect(try reader.token(try line(desk).id) == before)
        let answer = try Answerer(
            reader: reader, path: desk.folder.file("outboxd.db"), clock: desk.queue.clock, deadline: .seconds(31)
        ).health("main")
        #expect(try JSONParser().parse(answer.body)["data"]?["token"]?["expiresAt"]?.string != nil)
    }

    // MARK: Templates

    private func template(_ name: String, _ status: Template.Status = .pending) throws -> Template {
        let raw = #"{"id":"7","name":"\#(name)","language":"en_US","status":"\#(status.name)","category":"UTILITY"}"#
        return try #require(OutboxMeta.template(from: try JSONParser().parse(raw.utf8)))
    }

    private func list(_ desk: Desk, _ name: String, _ templates: [Template]) throws {
        var news = LineNews(subject: Refresher.Subject(try line(desk, name)), health: healthy(desk))
        news.templates = templates
        _ = desk.turn(.lineNews(news))
    }

    @Test func aMadeTemplateIsOfAllLinesOfItsAccount() throws {
        let desk = try Desk()
        desk.put("main", number: "106") { $0.wabaID = "900" }
        desk.put("other", number: "107") { $0.wabaID = "900" }
        for name in ["main", "other"] { try list(desk, name, [try template("old", .approved)]) }
        let made = desk.turn(.templateChanged(desk.exchange, try line(desk), .made(try template("new"))))
        guard case .template(let answered, _, isNew: true)? = made.replies.first?.1 else {
            Issue.record("\(made.replies)")
            return
        }
        #expect(answered.name == "new" && made.refresh.count == 2, "the lists are read again")
        let name = TemplateName(name: "new", language: "en_US")
        for line in ["main", "other"] {
            #expect(desk.queue.standing(of: name, line: try self.line(desk, line).id)?.status == .pending)
        }
        let gone = desk.turn(
            .templateChanged(desk.exchange, try line(desk), .removed(name: "new", language: nil)))
        guard case .templatesRemoved(_, "new", ["en_US"])? = gone.replies.first?.1 else {
            Issue.record("\(gone.replies)")
            return
        }
        #expect(desk.queue.standing(of: name, line: try line(desk, "other").id) == nil)
    }

    @Test func aListThatWasNeverReadIsNotBegunByOneTemplate() throws {
        let desk = try Desk()
        _ = desk.turn(.templateChanged(desk.exchange, try line(desk), .made(try template("new"))))
        #expect(!desk.queue.knowsTemplates(of: try line(desk).id))
        try desk.restart()
        #expect(!desk.queue.knowsTemplates(of: try line(desk).id), "others would count as missing")
    }

    @Test func aSyncTellsWhatChanged() throws {
        let desk = try Desk()
        try list(desk, "main", [try template("a", .approved), try template("b", .pending)])
        var news = LineNews(subject: Refresher.Subject(try line(desk)), health: healthy(desk))
        news.templates = [try template("b", .approved), try template("c", .pending)]
        news.exchange = desk.exchange
        guard case .templatesSynced(let sync)? = desk.turn(.lineNews(news)).replies.first?.1 else {
            Issue.record("no answer")
            return
        }
        #expect(sync.total == 2 && sync.wasKnown && sync.changes.map(\.name.name) == ["a", "b", "c"])
        #expect(sync.changes.map { $0.now?.status } == [nil, .approved, .pending])
        #expect(sync.changes.map { $0.before?.status } == [.approved, .pending, nil])
        news.health = .failed(Failure(code: "NO_ANSWER", message: "x"))
        guard case .refused(let error)? = desk.turn(.lineNews(news)).replies.first?.1 else {
            Issue.record("no refusal")
            return
        }
        #expect(error.code == .metaUnreachable)
    }
}
