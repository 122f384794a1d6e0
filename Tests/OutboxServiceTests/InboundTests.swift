import Foundation
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import TestKit
import Testing

@testable import OutboxService

/// The writer with one line, fed with webhooks.
private final class Intake {
    let folder = TemporaryFolder()
    let queue: Queue
    let step: WriterStep<Dice>
    var now = Timestamp(milliseconds: 1_800_000_000_000)
    private let parser = JSONParser()

    init(numbers: [String] = ["106"]) throws {
        queue = try Queue(
            path: folder.file("outboxd.db"),
            reading: LimitClock.Reading(boot: "intake", tick: 1, wall: now, isSynchronised: true))
        step = try WriterStep(queue: queue, slotsMax: 8, chance: Dice(seed: 5), shown: { $0 })
        for (index, number) in numbers.enumerated() {
            var settings = LineSettings(
                name: index == 0 ? "main" : "line-\(number)", phoneNumberID: number, wabaID: nil, credential: "c",
                messagesPerSecond: 1000)
            settings.closedWindow = .leave
            _ = queue.together(1) { _ in _ = try queue.put(settings, account: Account.defaultID, now: now) }
        }
    }

    var reader: QueueReader { get throws { try QueueReader(path: folder.file("outboxd.db")) } }

    /// Takes one in and applies it. Answers what could not be read or stored.
    @discardableResult
    func take(_ webhook: String) throws -> String? {
        let received = ReceivedWebhook.reading(app: "default", body: Array(webhook.utf8), parser: parser)
        if let problem = received.problem { return problem }
        turn([.webhook(nil, received)])
        var turns = 0
        while !step.toApply.isEmpty, turns < 10 {
            turn([])
            turns += 1
        }
        #expect(step.toApply.isEmpty)
        return try reader.troubles().webhooks == 0 ? nil : "stored with a problem"
    }

    private func turn(_ inputs: [WriterInput]) {
        let outputs = step.turn(inputs, now: now, tick: UInt64(now.milliseconds) * 1_000_000)
        for line in outputs.log where line.level == .error { Issue.record("\(line.text)") }
        now = now + .milliseconds(5)
    }

    func contacts() throws -> [Correspondent] {
        try reader.contacts(ContactFilter(), account: Account.defaultID).items
    }

    func conversations() throws -> [Conversation] {
        try reader.conversations(ConversationFilter(), account: Account.defaultID).items
    }

    func messages(_ conversation: Conversation) throws -> [StoredInbound] {
        try reader.messages(of: conversation, before: nil, limit: 100, account: Account.defaultID).items.compactMap {
            if case .received(let message) = $0 { message } else { nil }
        }
    }

    func events(_ kind: EventKind = .received) throws -> [JSONValue] {
        try LogReader(reader).events(after: 0, limit: 1000, account: Account.defaultID)
            .filter { $0.kind == kind }.map { try JSONParser().parse($0.detail ?? []) }
    }

    func count(_ what: WebhookCount) throws -> Int64 { try reader.webhookTotals().counts[what] ?? 0 }
}

@Suite struct InboundTests {
    private typealias Samples = WebhookSamples

    @Test func everyKindIsKeptAsReceivedAndToldOnce() throws {
        let intake = try Intake()
        let messages = Samples.kinds.map { Samples.message($0.kind, type: $0.kind, members: $0.members) }
        let webhook = Samples.webhook(
            messages: messages.joined(separator: ","),
            contacts: #"{"wa_id":"14155550100","profile":{"name":"Ann"}}"#)
        #expect(try intake.take(webhook) == nil)
        #expect(try intake.take(webhook) == nil)

        let conversation = try #require(try intake.conversations().first)
        let kept = try intake.messages(conversation)
        #expect(kept.map(\.type) == Samples.kinds.map(\.kind).reversed())
        #expect(kept.map { String(decoding: $0.body, as: UTF8.self) } == messages.reversed())
        #expect(conversation.received == Int64(Samples.kinds.count))
        #expect(kept.last?.text == "Is it \"ready\"?\nThanks" && kept.first?.text == nil)
        let texts = Dictionary(uniqueKeysWithValues: kept.map { ($0.type, $0.text) })
        #expect(texts["image"] == "My order" && texts["button"] == "No more" && texts["interactive"] == "Tuesday")

        let events = try intake.events()
        #expect(events.map { $0["type"]?.string } == Samples.kinds.map(\.kind))
        for (event, kind) in zip(events, Samples.kinds) {
            #expect(event["content"] != nil && !event["content"]!.isNull || kind.kind == "unsupported", "\(kind)")
            #expect(event["contactPhone"]?.string == "14155550100" && event["contactName"]?.string == "Ann")
            #expect(event["whatsappMessageId"]?.string == "wamid.\(kind.kind)" && event["line"]?.string == "main")
            #expect(event["timestamp"]?.string == "2027-01-15T08:00:00.000Z")
        }
        #expect(Set(events.compactMap { $0["contactIdentifier"]?.string }).count == 1)
        #expect(Set(events.compactMap { $0["messageId"]?.string }).count == Samples.kinds.count)
        #expect(events[0]["context"]?["id"]?.string == "wamid.before")
        #expect(try intake.count(.messages) == 17 && intake.count(.repeatedMessages) == 17)
        #expect(try intake.count(.received) == 2)
        #expect(try intake.reader.webhookTotals().others.map(\.name) == ["messages.hologram"])
        #expect(try intake.reader.troubles().webhooks == 0)
    }

    @Test func whoeverIsNamedTwiceInOneWebhookIsOneContact() throws {
        let intake = try Intake()
        func take(_ id: String, _ names: String, contact: String = "{}") throws {
            #expect(
                try intake.take(Samples.webhook(messages: Samples.message(id, names), contacts: contact)) == nil)
        }
        try take("1", #""from":"14155550100""#)
        try take("2", #""from_user_id":"US.1""#)
        #expect(try intake.contacts().count == 2)
        let first = try #require(try intake.contacts().last)
        let second = try #require(try intake.contacts().first)
        #expect(second.phone == nil && second.userID == "US.1" && second.replyTo == "US.1")

        // Now Meta names both.
        try take("3", #""from":"14155550100","from_user_id":"US.1""#)
        let one = try #require(try intake.contacts().first)
        #expect(try intake.contacts().count == 1)
        #expect(one.id == first.id && one.userID == "US.1" && one.replyTo == "14155550100")
        #expect(try intake.reader.contact(second.id, account: Account.defaultID)?.id == first.id)
        let conversation = try #require(try intake.conversations().first)
        #expect(try intake.conversations().count == 1 && conversation.received == 3)
        #expect(try intake.messages(conversation).map(\.wamid) == ["wamid.3", "wamid.2", "wamid.1"])
        #expect(try intake.events(.contactUpdated).count == 1)

        // Then each name alone, and one more.
        try take("4", #""from_user_id":"US.1""#, contact: #"{"user_id":"US.1","profile":{"username":"ann"}}"#)
        try take("5", #""from":"""#, contact: #"{"profile":{"username":"ann","name":"Ann"}}"#)
        try take("6", #""from":"14155550100""#)
        let last = try #require(try intake.contacts().first)
        #expect(try intake.contacts().count == 1 && last.id == first.id)
        #expect(last.username == "ann" && last.name == "Ann" && last.phone == "14155550100")
        let identifiers = try intake.events().map { $0["contactIdentifier"]?.string }
        #expect(Set(identifiers).count == 2 && Set(identifiers.dropFirst(2)).count == 1)
        #expect(try intake.conversations().first?.received == 6)
        // Their window is the one of the number.
        #expect(try intake.conversations().first?.windowUntil != nil)
        #expect(try intake.reader.addresses(of: first.id) == ["14155550100", "@ann", "US.1"])
    }

    @Test func nobodyNamedIsSomebodyOfItsOwn() throws {
        let intake = try Intake()
        let messages = [Samples.message("1", #""x":1"#), Samples.message("2", #""x":1"#)].joined(separator: ",")
        #expect(try intake.take(Samples.webhook(messages: messages)) == nil)
        #expect(try intake.contacts().count == 2)
        #expect(try intake.events().allSatisfy { $0["contactReplyTo"]?.isNull == true })
    }

    @Test func aNumberOfNoLineIsCounted() throws {
        let intake = try Intake()
        #expect(try intake.take(Samples.webhook(messages: Samples.message("1"), number: "999")) == nil)
        #expect(try intake.contacts().isEmpty && intake.count(.foreignMessages) == 1)
    }

    @Test func aPersonOnTwoLinesIsOneContactWithTwoConversations() throws {
        let intake = try Intake(numbers: ["106", "107"])
        for number in ["106", "107"] {
            #expect(try intake.take(Samples.webhook(messages: Samples.message("1"), number: number)) == nil)
        }
        #expect(try intake.contacts().count == 1)
        #expect(try intake.conversations().map(\.line) == ["line-107", "main"])
        var filter = ConversationFilter()
        filter.line = "main"
        #expect(try intake.reader.conversations(filter, account: Account.defaultID).items.map(\.line) == ["main"])
    }

    @Test func aGroupIsToldAndOpensNoWindow() throws {
        let intake = try Intake()
        let message = Samples.message("1", #""from":"14155550100","group_id":"G7""#)
        #expect(try intake.take(Samples.webhook(messages: message)) == nil)
        #expect(try intake.events().first?["groupId"]?.string == "G7")
        #expect(try intake.conversations().first?.windowUntil == nil)
    }

    @Test func othersAreCountedWithinBounds() throws {
        let intake = try Intake()
        let changes = (0..<300).map { #"{"field":"field_\#($0)","value":{}}"# }.joined(separator: ",")
        #expect(try intake.take(#"{"entry":[{"id":"1","changes":[\#(changes)]}]}"#) == nil)
        let others = try intake.reader.webhookTotals().others
        #expect(others.count == 101 && others.map(\.count).reduce(0, +) == 300)
    }

    @Test func whateverStandsInAWebhookItIsStored() throws {
        let intake = try Intake()
        let messages = Samples.kinds.map { Samples.message($0.kind, type: $0.kind, members: $0.members) }
        let webhook = Samples.webhook(
            messages: messages.joined(separator: ","),
            contacts: #"{"wa_id":"14155550100","user_id":"US.1","profile":{"name":"Ann","username":"ann"}}"#)
        let all = try mutations(of: webhook)
        var dice = Dice(seed: 11)
        var unread = 0
        for _ in 0..<300 {
            guard let one = all.randomElement(using: &dice) else { continue }
            let text = String(decoding: one, as: UTF8.self)
            // Without an entry it is none; whatever has one can be stored.
            guard let problem = try intake.take(text) else { continue }
            #expect(problem == "it has no entry", "\(problem): \(text)")
            unread += 1
        }
        #expect(unread < 20)
        #expect(try intake.count(.messages) >= 17 && intake.events().count <= 1000)
    }

    /// Webhooks others have recorded or documented: every object with an `entry` in the JSON files of a folder.
    @Test(
        .enabled(
            if: ProcessInfo.processInfo.environment["OUTBOXD_META_SAMPLES"] != nil,
            "OUTBOXD_META_SAMPLES names no folder with webhooks: skipped"))
    func recordedWebhooksGoThrough() throws {
        let folder = try #require(ProcessInfo.processInfo.environment["OUTBOXD_META_SAMPLES"])
        var webhooks: [(file: String, value: JSONValue)] = []
        func collect(_ value: JSONValue, _ file: String) {
            if value["entry"]?.kind == .array { return webhooks.append((file, value)) }
            for member in value.members { collect(member.value, file) }
            for element in value.elements { collect(element, file) }
        }
        for file in try FileManager.default.contentsOfDirectory(atPath: folder).sorted() where file.hasSuffix(".json") {
            let data = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(file)"))
            collect(try JSONParser().parse(Array(data)), file)
        }
        #expect(!webhooks.isEmpty, "there is no webhook in \(folder)")
        var counts: [WebhookCount: Int64] = [:]
        var others: [String: Int64] = [:]
        var kinds: [String: Int] = [:]
        for (file, value) in webhooks {
            // Samples share their placeholders: each has a store of its own, and comes twice.
            let intake = try Intake(numbers: Set(phoneNumberIDs(value)).sorted())
            for _ in 0..<2 {
                let problem = try intake.take(String(decoding: value.raw, as: UTF8.self))
                #expect(problem == nil, "\(file): \(String(decoding: value.raw.prefix(300), as: UTF8.self))")
            }
            let totals = try intake.reader.webhookTotals()
            counts.merge(totals.counts, uniquingKeysWith: +)
            others.merge(totals.others.map { ($0.name, $0.count) }, uniquingKeysWith: +)
            for event in try intake.events() { kinds[event["type"]?.string ?? "", default: 0] += 1 }
            #expect(totals.counts[.foreignMessages] == nil)
        }
        print("\(webhooks.count) webhooks, each twice: \(counts)")
        print("kinds \(kinds)")
        print("others \(others)")
        #expect(counts[.messages] == Int64(kinds.values.reduce(0, +)))
        #expect(counts[.messages] == counts[.repeatedMessages])
    }

    private func phoneNumberIDs(_ value: JSONValue) -> [String] {
        value["entry"]?.elements.flatMap { entry in
            (entry["changes"]?.elements.map { $0 } ?? []).compactMap {
                $0["value"]?["metadata"]?["phone_number_id"]?.string
            }
        } ?? []
    }
}
