import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import Testing

@testable import OutboxService

/// A bot answers what people write: its replies are queued once, whatever is killed when.
@Suite struct BotReplyTests {
    private static let bot = "https://bot.example/"

    private func line(_ world: CallbackWorld, _ change: (inout LineSettings) -> Void) throws -> WriterReply {
        var settings = LineSettings(
            name: "main", phoneNumberID: "106", wabaID: "waba", credential: "c", messagesPerSecond: 10_000)
        change(&settings)
        return try world.ask(.putLine(world.exchange, settings))
    }

    /// A world whose line has a bot that answers this to what is received; anything else it takes without a word.
    private func world(answering body: String, seed: UInt64 = 1) throws -> (CallbackWorld, bot: Int64) {
        let world = try CallbackWorld(seed: seed)
        let bot = try world.subscribe(Self.bot, events: ["message.received"])
        guard case .line = try line(world, { $0.bot = bot }) else { throw Unlinked() }
        world.answer = { _, _, _ in
            (.answered(status: 200, headers: [], body: Array(body.utf8)), .milliseconds(20))
        }
        return (world, bot)
    }

    private struct Unlinked: Error {}

    private func receive(
        _ world: CallbackWorld, _ id: String = "1", _ names: String = #""from":"14155550100""#, type: String = "text",
        members: String = #""text":{"body":"Hi"}"#, at: Timestamp? = nil
    ) throws {
        let seconds = (at ?? world.now).milliseconds / 1000
        let message =
            #"{\#(names),"id":"wamid.\#(id)","timestamp":"\#(seconds)","type":"\#(type)",\#(members)}"#
        let webhook = WebhookSamples.webhook(messages: message)
        world.tellWriter(
            .webhook(nil, ReceivedWebhook.reading(app: "default", body: Array(webhook.utf8), parser: JSONParser())))
    }

    private func messages(_ world: CallbackWorld) throws -> [StoredMessage] {
        try QueueReader(path: world.path).list(ListFilter(), account: Account.defaultID).messages
    }

    @Test func aReplyGoesToTheSenderAndQuotesTheMessage() throws {
        let (world, bot) = try world(answering: #" {"ok":true,"reply":{"message":"Hello","metadata":{"by":"bot"}}}"#)
        try receive(world)
        try world.pass(.seconds(5))
        let message = try #require(try messages(world).first)
        #expect(try messages(world).count == 1 && message.to == "14155550100" && message.line == "main")
        let content = String(decoding: message.content, as: UTF8.self)
        #expect(content == #"{"body":"Hello"},"context":{"message_id":"wamid.1"}"#)
        #expect(message.metadata == Array(#"{"by":"bot"}"#.utf8) && message.state == .sent)
        #expect(try world.deliveries(bot).map(\.status) == [.delivered])
        #expect(try world.deliveries(bot).first?.error == nil && world.subscription(bot).replyError == nil)
    }

    @Test func aReplyMaySayThatItQuotesNothing() throws {
        let (world, _) = try world(answering: #"{"reply":{"message":"Hello","replyTo":null}}"#)
        try receive(world)
        try world.pass(.seconds(5))
        #expect(try messages(world).map { String(decoding: $0.content, as: UTF8.self) } == [#"{"body":"Hello"}"#])
    }

    @Test(arguments: Array(0..<12))
    func aKillAtAnyMomentLeavesOneReply(_ moment: Int) throws {
        let (world, bot) = try world(answering: #"{"reply":{"message":"Hello"}}"#, seed: UInt64(moment + 1))
        try receive(world)
        // The call takes 20 ms: before it, in it, at its end, and behind it.
        for _ in 0..<3 {
            try world.pass(.milliseconds(moment * 2))
            try world.restart()
        }
        try world.pass(.seconds(60))
        try world.restart()
        try world.pass(.seconds(60))
        let count = try messages(world).count
        // What was killed before its webhook was on the disk comes again from Meta, and is none of this.
        #expect(try world.events().contains { $0.kind == .received } == (count == 1))
        #expect(count <= 1 && (moment == 0 || count == 1))
        #expect(try world.deliveries(bot, .delivered).count == count)
    }

    @Test func aKillBetweenTheAnswerAndItsRecordLeavesOneReply() throws {
        let (world, bot) = try world(answering: #"{"reply":{"message":"Hello"}}"#)
        world.losesReports = true
        try receive(world)
        for _ in 0..<3 {
            try world.pass(.seconds(1))
            #expect(try messages(world).isEmpty && world.deliveries(bot).isEmpty)
            try world.restart()
        }
        world.losesReports = false
        try world.pass(.seconds(5))
        #expect(world.taken(Self.bot).count == 4 && Set(world.taken(Self.bot).map(\.id)).count == 1)
        #expect(try messages(world).count == 1)
        try world.restart()
        try world.pass(.seconds(60))
        #expect(try messages(world).count == 1 && world.taken(Self.bot).count == 4)
    }

    /// As of a subscription that is asked again while its report is on the way, or of two bots in turn.
    @Test func whatWasAnsweredIsAnsweredNoMoreWhoeverReports() throws {
        let (world, bot) = try world(answering: #"{"reply":{"message":"Hello"}}"#)
        try receive(world)
        try world.pass(.seconds(5))
        let second = try world.subscribe("https://second.example/", events: ["message.received"], after: 0)
        _ = try line(world) { $0.bot = second }
        try world.pass(.seconds(60))
        #expect(try world.deliveries(bot).map(\.status) == [.delivered])
        #expect(try world.deliveries(second).map(\.status) == [.delivered])
        #expect(try messages(world).count == 1)
    }

    @Test func anEventToldAgainIsAnsweredNoMore() throws {
        let (world, bot) = try world(answering: #"{"reply":{"message":"Hello"}}"#)
        try receive(world)
        try world.pass(.seconds(5))
        let event = try #require(try world.deliveries(bot).first?.event)
        _ = try world.replay(bot, ReplayBody.read(try JSONParser().parse(#"{"event":\#(event)}"#.utf8)))
        try world.pass(.seconds(60))
        #expect(world.taken(Self.bot).count == 2)
        #expect(try messages(world).count == 1)
    }

    @Test(arguments: [
        (#"{"reply":{"message":7}}"#, "reply.message: must be a string"),
        (#"{"reply":{"message":"x","to":"14155550101"}}"#, "reply.to: is not known here"),
        (#"{"reply":{"message":"x","line":"main"}}"#, "reply.line: is not known here"),
        (#"{"reply":"Hello"}"#, "reply: must be an object"),
        (#"{"reply":{"message":"x"}"#, "reply: the answer begins like JSON"),
        (#"{"reply":{"message":"x","replyTo":"00000000-0000-7000-8000-000000000000"}}"#, "reply.replyTo: there is no"),
        ("{" + String(repeating: " ", count: 70_000) + "}", "reply: the answer is longer than 65536 bytes"),
    ])
    func aBadReplyIsToldAndLosesNoDelivery(_ answer: String, _ problem: String) throws {
        let (world, bot) = try world(answering: answer)
        try receive(world)
        try world.pass(.seconds(5))
        #expect(try messages(world).isEmpty)
        let delivery = try #require(try world.deliveries(bot).first)
        #expect(delivery.status == .delivered && delivery.error?.hasPrefix(problem) == true, "\(delivery)")
        #expect(try world.subscription(bot).replyError == delivery.error)
        #expect(try world.subscription(bot).breaker == nil && world.seen.count == 1)

        // The next good one takes the word back.
        world.answer = { _, _, _ in
            (.answered(status: 200, headers: [], body: Array(#"{"reply":{"message":"x"}}"#.utf8)), .milliseconds(1))
        }
        try receive(world, "2")
        try world.pass(.seconds(5))
        #expect(try messages(world).count == 1 && world.subscription(bot).replyError == nil)
    }

    @Test(arguments: ["", "ok", "{}", "[1]", #"{"reply":null}"#, #"{"status":"ok"}"#])
    func anAnswerWithoutAReplyIsNone(_ answer: String) throws {
        let (world, bot) = try world(answering: answer)
        try receive(world)
        try world.pass(.seconds(5))
        #expect(try messages(world).isEmpty && world.deliveries(bot).map(\.error) == [nil])
    }

    @Test func aGroupIsNotAnswered() throws {
        let (world, bot) = try world(answering: #"{"reply":{"message":"Hello"}}"#)
        try receive(world, "1", #""from":"14155550100","group_id":"G7""#)
        try world.pass(.seconds(5))
        #expect(try messages(world).isEmpty)
        #expect(try world.deliveries(bot).first?.error?.contains("in a group") == true)
    }

    @Test func whoeverIsNotTheLinesBotIsNotHeard() throws {
        let (world, _) = try world(answering: #"{"reply":{"message":"Hello"}}"#)
        let other = try world.subscribe("https://other.example/", events: ["message.received"])
        // Switched off, and with another one in its place while a call is under way.
        _ = try line(world) {
            $0.autoReply.isEnabled = false
            $0.bot = other
        }
        try receive(world)
        try world.pass(.seconds(5))
        _ = try line(world) { $0.bot = other }
        world.answer = { url, _, _ in
            let body = url == Self.bot ? #"{"reply":{"message":"old"}}"# : #"{"reply":{"message":"new"}}"#
            return (.answered(status: 200, headers: [], body: Array(body.utf8)), .milliseconds(20))
        }
        try receive(world, "2")
        try world.pass(.seconds(5))
        #expect(
            try messages(world).map { String(decoding: $0.content.prefix(14), as: UTF8.self) } == [#"{"body":"new"}"#])
        // Removed, it is no line's bot any more.
        _ = try world.ask(.unsubscribe(world.exchange, other))
        let reader = try QueueReader(path: world.path)
        #expect(try reader.lines(account: Account.defaultID).map(\.settings.bot) == [nil])
        try world.restart()
        try receive(world, "3")
        try world.pass(.seconds(5))
        #expect(try messages(world).count == 1)
    }

    @Test func aBotHasToBeToldOfWhatItsLineReceives() throws {
        let world = try CallbackWorld()
        let deaf = try world.subscribe("https://a.example/", events: ["line.updated"])
        for bot in [deaf, 99] {
            guard case .wrong(let error) = try line(world, { $0.bot = bot }) else {
                Issue.record("taken")
                return
            }
            #expect(error.field == "bot")
        }
    }

    // MARK: A line's own text

    private func textWorld() throws -> CallbackWorld {
        let world = try CallbackWorld()
        guard case .line = try line(world, { $0.autoReply.text = "We are \"closed\"" }) else { throw Unlinked() }
        return world
    }

    @Test func theLinesTextGoesOnceADay() throws {
        let world = try textWorld()
        try receive(world)
        try world.pass(.seconds(5))
        try receive(world, "2")
        try world.pass(.seconds(5))
        let first = try #require(try messages(world).first)
        #expect(try messages(world).count == 1 && first.to == "14155550100" && first.state == .sent)
        #expect(String(decoding: first.content, as: UTF8.self) == #"{"body":"We are \"closed\""}"#)
        // To somebody else at once, to the same person after a day.
        try receive(world, "3", #""from_user_id":"US.77""#)
        try world.pass(.seconds(5))
        #expect(try messages(world).map(\.to) == ["US.77", "14155550100"])
        try world.pass(.seconds(86_000))
        try receive(world, "4")
        try world.pass(.seconds(400))
        #expect(try messages(world).count == 2)
        try receive(world, "5")
        try world.pass(.seconds(5))
        #expect(try messages(world).count == 3)
    }

    @Test func theLinesTextGoesOnceThroughKills() throws {
        let world = try textWorld()
        for number in 1...4 {
            try receive(world, "\(number)")
            try world.pass(.milliseconds(number))
            try world.restart()
        }
        try world.pass(.seconds(60))
        // Meta says it again.
        try receive(world, "1")
        try world.pass(.seconds(5))
        #expect(try messages(world).count == 1)
    }

    @Test func theLinesTextIsNoAnswerToEverything() throws {
        let world = try textWorld()
        for (index, type) in ["reaction", "system", "unsupported"].enumerated() {
            try receive(world, "k\(index)", type: type, members: #""\#(type)":{}"#)
        }
        try receive(world, "group", #""from":"14155550101","group_id":"G7""#)
        _ = try line(world) {
            $0.autoReply.text = "closed"
            $0.optOutKeywords = OptOutKeywords(stop: ["STOP"], start: [])
        }
        try receive(world, "stop", #""from":"14155550104""#, members: #""text":{"body":"stop"}"#)
        try receive(world, "old", #""from":"14155550102""#, at: world.now - .seconds(3601))
        try world.pass(.seconds(5))
        #expect(try messages(world).isEmpty)
        try receive(world, "image", type: "image", members: #""image":{"id":"1"}"#, at: world.now - .seconds(3000))
        try world.pass(.seconds(5))
        #expect(try messages(world).count == 1)
        _ = try line(world) {
            $0.autoReply.text = "x"
            $0.autoReply.isEnabled = false
        }
        try receive(world, "off", #""from":"14155550103""#)
        try world.pass(.seconds(5))
        #expect(try messages(world).count == 1)
    }

    @Test func aBotSpeaksInsteadOfTheText() throws {
        let (world, bot) = try world(answering: #"{"reply":{"message":"Hello"}}"#)
        _ = try line(world) {
            $0.autoReply.text = "closed"
            $0.bot = bot
        }
        try receive(world)
        try world.pass(.seconds(5))
        #expect(
            try messages(world).map { String(decoding: $0.content.prefix(16), as: UTF8.self) } == [#"{"body":"Hello"}"#]
        )
    }
}
