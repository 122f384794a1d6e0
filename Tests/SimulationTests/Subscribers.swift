import OutboxCore
import OutboxHTTP
import OutboxStore
import OutboxSystem
import TestKit

@testable import OutboxAPI
@testable import OutboxService

/// Operators of subscriptions, readers of the log, and people who write.
extension Simulation {
    /// What an answer is awaited to.
    enum Request {
        case subscribe(Int, secret: String)
        case change(Int, wish: Int)
        case unsubscribe(Int)
        case rotate(Int, CallbackSecret)
        case endOld(Int)
        case replay(Int, ClosedRange<Int64>, failed: [Int64]?, at: Int64)
        case markRead
        case moveCursor
    }

    private static var subscribersMax: Int { 2 }
    private static let names = [
        ["message.status_updated"], ["message.received"], ["message.received", "contact.updated"],
        ["message.outcome_unknown", "message.duplicate", "message.no_receipt"],
        ["message.status_updated", "message.received"],
    ]

    private func ask(_ request: Request, _ input: (Exchange) -> WriterInput) {
        guard isRunning else { return }
        let exchange = exchange()
        requests[exchange] = request
        post(input(exchange))
    }

    private func someone(where isRight: (Told.Subscriber) -> Bool = { $0.isLive }) -> Int? {
        told.subscribers.indices.filter { isRight(told.subscribers[$0]) }.randomElement(using: &dice)
    }

    func actOnSubscriptions() throws {
        switch random(0...13) {
        case 0...2: try subscribe()
        case 3: if let number = someone() { change(number) }
        case 4: if let number = someone() { change(number, isActive: false) }
        case 5: if let number = someone() { unsubscribe(number) }
        case 6: rotate()
        case 7: endOld()
        case 8...10: try replay()
        case 11: test()
        case 12: endpoints.goAway(Int(random(0...3)), until: time + random(600_000...400_000_000))
        default: endpoints.goAway(Int(random(0...3)), until: time + random(10_000...600_000))
        }
    }

    private func drawnSecret() throws -> CallbackSecret {
        var bytes: [UInt8] = []
        for _ in 0..<32 { bytes.append(UInt8(random(0...255))) }
        guard let secret = CallbackSecret(bytes: bytes) else { throw Impossible() }
        return secret
    }

    private func wish(isActive: Bool = true) -> Told.Wish {
        Told.Wish(
            askedAt: time, line: happens(0.3) ? Self.lines.randomElement(using: &dice) : nil,
            events: happens(0.6) ? Self.names.randomElement(using: &dice) : nil, isActive: isActive)
    }

    private func settings(_ number: Int, _ wish: Told.Wish) -> SubscriptionSettings {
        let host = Int(random(0...Int64(SimulatedEndpoints.hosts - 1)))
        return SubscriptionSettings(
            url: Self.address(number, host: host), line: wish.line, events: wish.events, isActive: wish.isActive,
            eventsPerCall: happens(0.4) ? Int(random(2...Int64(CallbackQueue.eventsPerCallMax))) : 1)
    }

    func subscribe(_ given: Told.Wish? = nil) throws {
        guard isRunning, told.subscribers.count(where: \.isLive) < Self.subscribersMax else { return }
        let wish = given ?? wish()
        let secret = try drawnSecret()
        let number = told.added(wish, secret)
        let (name, _) = try secrets.make(secret)
        ask(.subscribe(number, secret: name)) {
            .subscribe($0, SubscriptionBody(settings: settings(number, wish), secret: secret), secret: name)
        }
    }

    private func change(_ number: Int, isActive: Bool = true) {
        guard isRunning, let id = told.subscribers[number].id else { return }
        let wish = wish(isActive: isActive)
        let place = told.asked(number, wish)
        ask(.change(number, wish: place)) { .changeSubscription($0, id, settings(number, wish)) }
    }

    private func unsubscribe(_ number: Int) {
        guard isRunning, let id = told.subscribers[number].id else { return }
        told.removing(number, at: time)
        ask(.unsubscribe(number)) { .unsubscribe($0, id) }
    }

    /// The new secret is given to the endpoint first, so that a lost answer does no harm.
    private func rotate() {
        guard let number = someone(where: { $0.isLive && $0.secrets.count == 1 }), isRunning,
            let id = told.subscribers[number].id, let secret = try? drawnSecret()
        else { return }
        told.knows(number, secret)
        ask(.rotate(number, secret)) { .findSubscription($0, id) }
    }

    private func endOld() {
        guard let number = someone(where: { $0.isLive && $0.secrets.count > 1 }),
            let id = told.subscribers[number].id
        else { return }
        ask(.endOld(number)) { .findSubscription($0, id) }
    }

    /// Often twice: operators click again.
    private func replay() throws {
        guard let number = someone(), isRunning, let id = told.subscribers[number].id else { return }
        let events = told.subscribers[number].takenAt.keys
        guard let last = events.max(), let first = events.min() else { return }
        var failed: [Int64]?
        var range = first...Int64.max
        switch random(0...3) {
        case 0:
            failed = try CallbackReader(QueueReader(path: path))
                .deliveries(id, status: .failed, before: .max, limit: 100_000).map(\.delivery.event)
        case 1:
            let event = random(first...last)
            range = event...event
        case 2:
            let from = random(max(first, last - 500)...last)
            range = from...from + random(0...300)
        default: range = max(first, last - random(0...200))...Int64.max
        }
        let body = ReplayBody(range: range, failedOnly: failed != nil, isOne: range.count == 1)
        agenda.add(.replay(number, body, failed: failed), at: time)
        if happens(0.6) { agenda.add(.replay(number, body, failed: failed), at: time + random(10...2000)) }
    }

    func replay(_ number: Int, _ body: ReplayBody, failed: [Int64]?) {
        guard isRunning, let id = told.subscribers[number].id else { return }
        told.askedAgain(number, body.range)
        ask(.replay(number, body.range, failed: failed, at: time)) { .replay($0, id, body) }
    }

    private func test() {
        guard let number = someone(), let id = told.subscribers[number].id else { return }
        tellCaller([.test(exchange(), id, account: 1)])
    }

    /// Looks at what there is: makes active again what is not, takes on or removes what nobody was told of.
    func lookAtSubscriptions(_ reader: QueueReader) throws {
        let callbacks = try CallbackReader(reader)
        for row in try told.look(callbacks, at: time, newest: 8) {
            let number = row.settings.url.split(separator: "/").last.flatMap { Int($0) }
            guard let number, told.subscribers.indices.contains(number), told.subscribers[number].id == nil else {
                history.problem("there is a subscription \(row.id) nobody asked for")
                continue
            }
            told.began(number, row.id, start: try reader.logEnd())
            if happens(0.3) { unsubscribe(number) }
        }
        for row in try callbacks.subscriptions(account: 1) where !row.settings.isActive {
            guard let number = told.subscribers.firstIndex(where: { $0.id == row.id && $0.isLive }) else { continue }
            if isEnding || happens(0.02) { change(number) }
        }
    }

    // MARK: Answers

    func answered(_ request: Request, _ reply: WriterReply) {
        switch (request, reply) {
        case (.subscribe(let number, _), .subscription(let made, true)):
            told.began(number, made.id, start: made.cursor)
        case (.subscribe(_, let secret), _): secrets.takeBack(secret, after: reply)
        case (.change(let number, let wish), .subscription): told.granted(number, wish, at: time)
        case (.unsubscribe(let number), .unsubscribed(let subscription)):
            secrets.remove(subscription.secret)
            told.removed(number, at: time)
        case (.rotate(_, let secret), .subscription(let subscription, _)):
            do { _ = try secrets.rotate(subscription, to: secret) } catch {
                history.problem("a secret was not rotated: \(error)")
            }
            callerGot([.secretsReloaded])
        case (.endOld(let number), .subscription(let subscription, _)):
            // There is none if the rotation was lost.
            if (try? secrets.endOld(subscription)) != nil { told.forgetsOld(number) }
        case (.replay(let number, let range, let failed, let at), .eventsReplayed(let replayed)):
            let last = replayed.next.map { $0 - 1 } ?? range.upperBound
            if last >= range.lowerBound {
                told.tellsAgain(number, range.lowerBound...last, failed: failed, askedAt: at) { [open] event in
                    (try? open?.log.event(event)) != nil
                }
            }
        case (.markRead, .markedRead(let id, _)): received.isMarked(id)
        case (.moveCursor, .cursor(.done(let cursor, _))): history.moved(cursor.name, to: cursor.position)
        case (.change(let number, _), .noSubscription), (.unsubscribe(let number), .noSubscription),
            (.rotate(let number, _), .noSubscription), (.endOld(let number), .noSubscription),
            (.replay(let number, _, _, _), .noSubscription):
            if told.subscribers[number].removalAskedAt == nil { history.problem("subscriber \(number) is unknown") }
        case (_, .storageFailed), (.replay, .wrong): break
        default: history.problem("\(request) was answered with \(reply)")
        }
    }

    // MARK: People, and readers

    /// Under their number, their user id, or both.
    func inbound() {
        let (person, number) = (person(), "10\(random(0...1))")
        meta.inbound(person, number, at: time)
        var list: [Received.Written] = []
        let way = random(0...9)
        for _ in 0...(happens(0.2) ? random(1...3) : 0) {
            let message = Received.Written(
                wamid: "wamid.in.\(inboundWritten)", phoneNumberID: number, digits: way == 9 ? nil : person,
                userID: way < 6 ? nil : "US.\(person)")
            inboundWritten += 1
            received.writes(message)
            list.append(message)
        }
        let word = SimulatedMeta.Word(
            body: SimulatedMeta.inboundBody(list, wall: Self.epoch + time), inbound: list.map(\.wamid))
        for _ in 0...(happens(0.15) ? 1 : 0) {
            agenda.add(.webhook(word, tries: 0), at: time + random(100...5000))
        }
    }

    /// Meta took the mark.
    func markRead() throws {
        guard let page = try open?.reader.conversations(ConversationFilter(), account: 1),
            let conversation = page.items.randomElement(using: &dice)
        else { return }
        ask(.markRead) { .markRead($0, conversation.lastReceived, typing: false) }
    }

    func moveCursor() {
        guard let end = step?.queue.lastEvent else { return }
        let name = happens(0.5) ? "one" : "two"
        ask(.moveCursor) {
            .moveCursor($0, name: name, CursorBody(after: end - min(end, random(0...100)), rewind: false))
        }
    }
}

private struct Impossible: Error {}
