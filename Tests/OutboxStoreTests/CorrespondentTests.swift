import OutboxCore
import OutboxStore
import Testing

/// People under several names, and what is asked about them.
@Suite struct CorrespondentTests {
    private func receive(_ bench: Bench, from: String, wamid: String) throws -> StoredInbound {
        let line = try #require(bench.queue.line(named: "main", account: 1)).id
        let message = InboundMessage(
            phoneNumberID: "106", from: from, at: bench.now, wamid: wamid, kind: "text",
            payload: InboundMessage.Payload(body: Array(#"{"type":"text"}"#.utf8)))
        return try #require(try bench.run { try $0.keep(message, line: line, now: bench.now) })
    }

    private func conversations(_ bench: Bench) throws -> [Conversation] {
        try QueueReader(path: bench.path).conversations(ConversationFilter(), account: 1).items
    }

    private func entries(_ bench: Bench, _ conversation: Conversation) throws -> [MessageID] {
        try QueueReader(path: bench.path).messages(of: conversation, before: nil, limit: 50, account: 1).items.map(\.id)
    }

    @Test func whatWasSentToAnotherNameOfAPersonStandsInTheConversation() throws {
        let bench = try Bench()
        // Meta knows the Brazilian number without its ninth digit.
        let first = try bench.submit("5511987654321")
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1", person: "551187654321"), attempt)
        let answer = try receive(bench, from: "551187654321", wamid: "wamid.in")
        let second = try bench.submit("5511987654321")
        let conversation = try #require(try conversations(bench).first)
        #expect(try entries(bench, conversation) == [second, answer.id, first])
    }

    private func receive(
        _ bench: Bench, from: String?, userID: String?, username: String?, wamid: String
    ) throws -> MessageID {
        let line = try #require(bench.queue.line(named: "main", account: 1)).id
        var payload = InboundMessage.Payload(body: Array("{}".utf8))
        payload.username = username
        let message = InboundMessage(
            phoneNumberID: "106", from: from, userID: userID, at: bench.now, wamid: wamid, kind: "text",
            payload: payload)
        return try #require(try bench.run { try $0.keep(message, line: line, now: bench.now) }).correspondent.id
    }

    @Test func aUsernameIsPassedOnAndMakesNobodySomebodyElse() throws {
        let bench = try Bench()
        let ann = try receive(bench, from: "14155550100", userID: "US.100", username: "bob", wamid: "w1")
        let ben = try receive(bench, from: "447700900123", userID: "GB.777", username: "bob", wamid: "w2")
        #expect(ann != ben)
        // Who comes under the name alone is who used it last.
        #expect(try receive(bench, from: nil, userID: nil, username: "bob", wamid: "w3") == ben)
        #expect(try receive(bench, from: "14155550100", userID: nil, username: nil, wamid: "w4") == ann)
        // Somebody known by a name alone is who brings a number along with it.
        let carl = try receive(bench, from: nil, userID: nil, username: "carl", wamid: "w5")
        #expect(try receive(bench, from: "4915112345678", userID: nil, username: "carl", wamid: "w6") == carl)
    }

    @Test func twoWhoTurnOutToBeOneAreOne() throws {
        let bench = try Bench()
        let one = try receive(bench, from: "5511987654321", wamid: "wamid.a")
        let other = try receive(bench, from: "551187654321", wamid: "wamid.b")
        #expect(one.correspondent.id != other.correspondent.id)
        try bench.run { try $0.markRead(other.id, account: 1) }
        // Meta's answer to a message says so.
        try bench.submit("5511987654321")
        let attempt = try #require(try bench.claim().first)
        try bench.record(.accepted(wamid: "wamid.1", person: "551187654321"), attempt)

        let reader = try QueueReader(path: bench.path)
        let conversation = try #require(try conversations(bench).first)
        #expect(try conversations(bench).count == 1 && conversation.received == 2)
        #expect(conversation.readUpTo == other.id)
        #expect(conversation.correspondent.id == one.correspondent.id)
        #expect(try reader.contact(other.correspondent.id, account: 1)?.id == one.correspondent.id)
        #expect(try reader.conversation(other.conversation, account: 1)?.id == one.conversation)
        #expect(try entries(bench, conversation) == [attempt.message, other.id, one.id])
        #expect(try reader.contacts(ContactFilter(), account: 1).items.count == 1)
        #expect(try receive(bench, from: "551187654321", wamid: "wamid.c").conversation == one.conversation)
        // A third name leads to both others.
        try bench.run { try $0.learn("BR.1", is: "5511987654321", account: 1, now: bench.now) }
        #expect(try reader.addresses(of: one.correspondent.id) == ["551187654321", "5511987654321", "BR.1"])
    }

    @Test func aNameThatStoodForSomebodyStandsForWhomTheyStandFor() throws {
        let bench = try Bench()
        try bench.run { try $0.learn("US.1", is: "14155550100", account: 1, now: bench.now) }
        try bench.run { try $0.learn("14155550100", is: "14155550199", account: 1, now: bench.now) }
        // Written to by the new number; the user id alone opens the same window.
        try bench.inbound("US.1")
        let stored = try receive(bench, from: "14155550199", wamid: "wamid.1")
        let conversation = try #require(
            try QueueReader(path: bench.path).conversation(stored.conversation, account: 1))
        #expect(conversation.windowUntil != nil)
        // And back again: whoever is told last is whom all stand for.
        try bench.run { try $0.learn("14155550199", is: "14155550100", account: 1, now: bench.now) }
        #expect(try conversations(bench).first?.windowUntil != nil)
        #expect(try receive(bench, from: "14155550100", wamid: "wamid.2").conversation == stored.conversation)
    }

    @Test func conversationsComePageByPage() throws {
        let bench = try Bench()
        for number in 0..<7 {
            bench.now = bench.now + .seconds(1)
            _ = try receive(bench, from: "1415555010\(number)", wamid: "wamid.\(number)")
        }
        bench.now = bench.now + .seconds(1)
        _ = try receive(bench, from: "14155550103", wamid: "wamid.7")
        var phones: [String?] = []
        var filter = ConversationFilter()
        filter.limit = 3
        var contacts: [String?] = []
        var contactFilter = ContactFilter()
        contactFilter.limit = 3
        let reader = try QueueReader(path: bench.path)
        for _ in 0..<3 {
            let page = try reader.conversations(filter, account: 1)
            phones += page.items.map { $0.correspondent.phone.map { String($0.suffix(1)) } }
            filter.before = page.next
            let people = try reader.contacts(contactFilter, account: 1)
            contacts += people.items.map { $0.phone.map { String($0.suffix(1)) } }
            contactFilter.before = people.next
        }
        #expect(filter.before == nil && contactFilter.before == nil)
        #expect(phones == ["3", "6", "5", "4", "2", "1", "0"])
        #expect(contacts == ["6", "5", "4", "3", "2", "1", "0"])
        #expect(try reader.conversations(filter, account: 2).items.isEmpty)
    }

    // MARK: Catching up

    @Test func whatIsAskedAboutIsFoundPieceByPiece() throws {
        let bench = try Bench()
        var sent: [MessageID] = []
        for number in 0..<9 {
            bench.now = bench.now + .seconds(60)
            let id = try bench.submit("1415555010\(number)")
            let attempt = try #require(try bench.claim().first)
            try bench.record(.accepted(wamid: "wamid.\(number)"), attempt)
            // The last of each three is read already, the one before delivered.
            if number % 3 > 0 { _ = try bench.report(.delivered, attempt, wamid: "wamid.\(number)") }
            if number % 3 == 2 { _ = try bench.report(.read, attempt, wamid: "wamid.\(number)") }
            if number % 3 < 2, number >= 3 { sent.append(id) }
        }
        try bench.submit("14155550109")
        let line = try #require(bench.queue.line(named: "main", account: 1)).id
        let reader = try QueueReader(path: bench.path)
        var state = try reader.beginCatchUp(line, since: bench.now - .seconds(330), now: bench.now)
        #expect(state.total == 4)
        var found: [SentMessage] = []
        for _ in 0..<10 where state.place < state.last {
            let (messages, place) = try reader.toAsk(state, limit: 3)
            found += messages
            state.place = place
            // As far as it got, in the file.
            try bench.run { try $0.save(state, changed: 1) }
            #expect(try bench.queue.unfinishedCatchUps().first?.place == place)
        }
        #expect(found.map(\.id) == sent && found.map(\.state) == [.sent, .delivered, .sent, .delivered])
        #expect(found.map(\.wamid) == ["wamid.3", "wamid.4", "wamid.6", "wamid.7"])
        let first = try #require(found.first)
        // A status under that name speaks for the message.
        let status = StatusReport(
            phoneNumberID: "106", wamid: first.wamid, opaque: first.opaque, report: .read, at: bench.now, failure: nil)
        #expect(try bench.run { try $0.apply(status, now: bench.now) } == .moved(first.id, .read))
        let changed = try #require(try reader.catchUp(line)?.changed)
        state.finishedAt = bench.now
        try bench.run { try $0.save(state, changed: 1) }
        #expect(try bench.queue.unfinishedCatchUps().isEmpty && reader.catchUp(line)?.changed == changed + 1)
        #expect(try reader.beginCatchUp(line + 1, since: bench.now - .seconds(330), now: bench.now).total == 0)
    }

    @Test func theEndOfALifeIsWrittenDown() throws {
        let bench = try Bench()
        try bench.submit()
        #expect(try bench.queue.lastAlive() == bench.now)
        bench.now = bench.now + .seconds(7200)
        try bench.reopen()
        #expect(try bench.queue.lastAlive() == bench.now - .seconds(7200))
        bench.queue.set(tick: Bench.tick(bench.now), wall: bench.now, isSynchronised: true)
        try bench.queue.close()
        #expect(try bench.queue.lastAlive() == bench.now)
    }

    @Test func messagesToSomebodyAreFoundByTheirNumber() throws {
        let bench = try Bench()
        var mine: [MessageID] = []
        for number in 0..<20 {
            let id = try bench.submit(number % 4 == 0 ? "14155550100" : "14155550111")
            if number % 4 == 0 { mine.append(id) }
        }
        var filter = ListFilter()
        filter.to = Recipient("14155550100")
        filter.limit = 3
        let reader = try QueueReader(path: bench.path)
        let first = try reader.list(filter, account: 1)
        filter.before = first.next
        let rest = try reader.list(filter, account: 1)
        #expect((first.messages + rest.messages).map(\.id) == mine.reversed() && rest.next == nil)
        filter.before = nil
        filter.limit = 20
        filter.states = [.failed]
        #expect(try reader.list(filter, account: 1).messages.isEmpty)
        filter.states = [.queued]
        filter.line = "main"
        #expect(try reader.list(filter, account: 1).messages.count == 5)
    }
}
