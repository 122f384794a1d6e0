import OutboxCore
import OutboxJSON
import OutboxMeta
import OutboxStore
import TestKit
import Testing

@testable import OutboxService

/// What the log tells of lines, templates, accounts and people.
@Suite struct NewsEventTests {
    private final class Office {
        let folder = TemporaryFolder()
        let queue: Queue
        let step: WriterStep<Dice>
        var now = Timestamp(milliseconds: 1_800_000_000_000)

        init() throws {
            let reading = LimitClock.Reading(boot: "office", tick: 1, wall: now, isSynchronised: true)
            queue = try Queue(path: folder.file("outboxd.db"), reading: reading)
            step = try WriterStep(queue: queue, slotsMax: 4, chance: Dice(seed: 1), shown: { $0 })
            let moment = now
            _ = queue.together(1) { [queue] _ in
                for (name, number) in [("a", "106"), ("b", "107")] {
                    var settings = LineSettings(name: name, phoneNumberID: number, wabaID: "waba", credential: "c")
                    settings.pool = "both"
                    _ = try queue.put(settings, account: Account.defaultID, now: moment)
                }
            }
        }

        /// The events that came of it: name, line, data.
        func events(_ inputs: WriterInput...) throws -> [(event: String, line: String?, data: JSONValue)] {
            let before = queue.lastEvent
            var inputs = inputs
            // What a webhook tells is applied a turn after it was stored.
            for _ in 0..<2 {
                _ = step.turn(inputs, now: now, tick: 1)
                inputs = []
            }
            now = now + .seconds(1)
            let log = try LogReader(QueueReader(path: folder.file("outboxd.db")))
            return try log.events(after: before, limit: 100, account: Account.defaultID).map {
                ($0.kind.publicName ?? "", $0.line, try JSONParser().parse($0.detail ?? []))
            }
        }

        func health(_ line: String, _ change: (inout LineHealth) -> Void = { _ in }, templates: [Template]? = nil)
            throws
            -> WriterInput
        {
            var health = LineHealth(
                status: .online, canSend: .available, quality: .green, tier: .tier1K, messagesPerSecond: 80,
                reasons: [], readAt: now)
            change(&health)
            let subject = Refresher.Subject(try #require(queue.line(named: line, account: Account.defaultID)))
            return .lineNews(LineNews(subject: subject, health: .read(health), templates: templates))
        }

        func webhook(_ news: AccountNews...) -> WriterInput {
            .webhook(nil, ReceivedWebhook(app: "default", body: Array("{}".utf8), statuses: [], news: news))
        }
    }

    private func template(_ name: String, _ status: Template.Status) -> Template {
        Template(
            id: "1", name: name, language: "en_US", category: .utility, status: status, parameterFormat: .positional,
            needs: [], raw: Array("{}".utf8))
    }

    @Test func aLineTellsOfChangesAndNotOfRefreshes() throws {
        let office = try Office()
        let first = try office.events(try office.health("a"))
        // The tier is the pool's: its other line has one from now on, too.
        #expect(first.map(\.line) == ["a", "b"] && first.allSatisfy { $0.event == "line.updated" })
        #expect(first[0].data["status"]?.string == "ONLINE" && first[0].data["line"]?.string == "a")
        #expect(first.allSatisfy { $0.data["messagingLimitTier"]?.string == "TIER_1K" })
        #expect(try office.events(try office.health("a")).isEmpty)
        let red = try office.events(try office.health("a") { $0.quality = .red })
        #expect(red.count == 1 && red[0].data["qualityRating"]?.string == "RED")
        let stopped = try office.events(
            try office.health("a") {
                $0.quality = .red
                $0.canSend = .blocked
                $0.reasons = ["payment"]
            })
        #expect(stopped.count == 1 && stopped[0].data["stopped"]?.string?.contains("BLOCKED") ?? false)
        let tier = try office.events(office.webhook(.capability(wabaID: "waba", tier: .tier10K)))
        #expect(tier.map(\.line) == ["a", "b"] && tier[1].data["messagingLimitTier"]?.string == "TIER_10K")
        #expect(try office.events(office.webhook(.capability(wabaID: "waba", tier: .tier10K))).isEmpty)
    }

    @Test func templatesTellOfChanges() throws {
        let office = try Office()
        _ = try office.events(
            try office.health("a", templates: [template("one", .approved), template("two", .pending)]))
        let paused = office.webhook(
            .template(wabaID: "waba", name: "one", language: "en_US", status: .paused, reason: "quality"))
        let told = try office.events(paused)
        #expect(told.count == 1 && told[0].event == "template.updated" && told[0].line == "a")
        #expect(told[0].data["status"]?.string == "PAUSED" && told[0].data["reason"]?.string == "quality")
        #expect(try office.events(paused).isEmpty)
        let quality = try office.events(
            office.webhook(.templateChanged(wabaID: "waba", name: "one", language: "en_US", quality: .yellow)))
        #expect(quality.count == 1 && quality[0].data["reason"]?.string == "its quality is YELLOW")
        #expect(quality[0].data["status"]?.string == "PAUSED")
        let list = try office.events(
            try office.health("a", templates: [template("one", .paused), template("three", .approved)]))
        #expect(list.map { $0.data["name"]?.string } == ["three", "two"])
        #expect(list.map { $0.data["status"]?.string } == ["APPROVED", "DELETED"])
    }

    @Test func accountsAndPeopleTellWhatMetaTells() throws {
        let office = try Office()
        let banned = try office.events(
            office.webhook(
                .account(
                    wabaID: "waba", phoneNumber: nil, event: "DISABLED_UPDATE", restricted: false, reinstated: false,
                    banned: true)))
        #expect(banned.count == 1 && banned[0].event == "account.updated" && banned[0].line == nil)
        #expect(banned[0].data["banned"]?.bool == true)
        #expect(banned[0].data["lines"]?.elements.compactMap(\.string) == ["a", "b"])
        let stranger = AccountNews.account(
            wabaID: "other", phoneNumber: nil, event: "X", restricted: false, reinstated: false, banned: false)
        #expect(try office.events(office.webhook(stranger)).isEmpty)
        let person = try office.events(
            office.webhook(
                .preference(phoneNumberID: "107", person: "14155550100", userID: nil, stopsMarketing: true, at: nil)))
        #expect(person.count == 1 && person[0].event == "contact.updated" && person[0].line == "b")
        #expect(person[0].data["marketing"]?.string == "stopped" && person[0].data["from"]?.string == "14155550100")
    }
}
