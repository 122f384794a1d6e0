import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// Which of the two sockets a request came in by.
enum Door: Int {
    case api = 0
    case webhook = 1
}

/// The daemon's word on the sockets: knows every route, asks the writer or the reader, and puts what they say into
/// answers. Lives on the server's thread; holds nothing that a restart could lose.
final class Frontend: HTTPHandler {
    enum Mail: Sendable {
        case replies([(Exchange, WriterReply)])
        case answers([(Exchange, HTTPResponse)])
        case streams([StreamOrder])
        case ping(UInt64)
        /// Answer what is there, take nothing new.
        case drain
    }

    struct Limits {
        var singleBytesMax = 256 << 10
        var bulkBytesMax = 16 << 20
        /// Meta's own limit is 3 MB.
        var webhookBytesMax = 4 << 20
        /// Messages of a bulk that share a transaction, so that one-time codes get in between.
        var sliceMessages = 500
        var bulkMessagesMax = 10_000
        var ndjsonLineBytesMax = 256 << 10
        /// Open connections of one user: without a role, with one, and on the webhook socket.
        var strangerConnectionsMax = 16
        var callerConnectionsMax = 512
        var webhookConnectionsMax = 256
    }
    let limits = Limits()

    let parser = JSONParser()
    let parts: Parts
    let codec: IDCodec
    let words: ReplyWords
    private let startedAt: Timestamp
    private let mailbox: Mailbox<Mail>
    unowned let server: HTTPServer
    var bulks: [Exchange: BulkJob] = [:]
    /// Of Meta's calls, since the start, by app.
    var refusedWebhooks: [String: Int] = [:]
    /// Dry runs whose estimate is awaited.
    private var dryRuns: [Exchange: Draft] = [:]
    /// Lines whose change the writer has.
    var linesChanging: [Exchange: LineChange] = [:]

    /// Subscriptions the writer is asked about.
    var secretsChanging: [Exchange: SecretChange] = [:]

    /// A line whose change the writer has, and the token to go back to if nothing comes of it.
    struct LineChange {
        var line: String
        var secret: String?
        var tokenBefore: String?
    }

    /// What it works with; all of it is shared with other threads.
    struct Parts: Sendable {
        var writer: WriterInbox
        var reader: ReaderThread
        var events: EventsThread
        var caller: Caller
        var secrets: Secrets
        var journal: Journal
        var idKey: [UInt8]
        var clock: LimitClock
        var access: Access
        /// A sign of life.
        var pong: @Sendable (UInt64) -> Void
        var reload: @Sendable () throws -> Void
    }

    init(server: HTTPServer, mailbox: Mailbox<Mail>, _ parts: Parts) {
        self.server = server
        self.mailbox = mailbox
        self.parts = parts
        codec = IDCodec(key: parts.idKey)
        words = ReplyWords(codec: codec, clock: parts.clock)
        startedAt = Self.now
    }

    var writer: WriterInbox { parts.writer }
    var events: EventsThread { parts.events }
    var secrets: Secrets { parts.secrets }
    var journal: Journal { parts.journal }

    static var now: Timestamp { Timestamp(milliseconds: wallClockMilliseconds()) }
    var now: Timestamp { Self.now }

    // MARK: Requests

    func plan(_ head: RequestHead, peer: Peer, listener: Int, _ exchange: Exchange) -> BodyPlan {
        if listener == Door.webhook.rawValue { return .collect(bytesMax: limits.webhookBytesMax) }
        do throws(APIError) {
            let route = try route(head)
            try authorize(route, peer)
            if !route.takesParameters { try refuseParameters(head) }
            switch route {
            case .submitBulk where isNDJSON(head):
                var job = BulkJob(stream: true, limits: limits)
                job.keyed = try idempotencyKey(head, peer, .stream).map { KeyedBulk($0) }
                bulks[exchange] = job
                return .stream
            case .submitBulk: return .collect(bytesMax: limits.bulkBytesMax)
            default: return .collect(bytesMax: limits.singleBytesMax)
            }
        } catch {
            return .refuse(.error(error))
        }
    }

    private func route(_ head: RequestHead) throws(APIError) -> Route {
        var path: [String] = []
        for part in head.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst() {
            guard let decoded = percentDecoded(part) else { throw APIError(.malformed, "the path is not UTF-8") }
            path.append(decoded)
        }
        return try Route.of(method: head.method, path: path)
    }

    /// A parameter that is passed over would be a wish that is not heard.
    private func refuseParameters(_ head: RequestHead) throws(APIError) {
        guard let parameters = head.query else { throw APIError(.malformed, "the query holds a broken % escape") }
        guard !parameters.isEmpty else { return }
        throw .validation(
            parameters.prefix(10).map {
                FieldError($0.name, "is no parameter of this call; its fields stand in the body")
            })
    }

    private func authorize(_ route: Route, _ peer: Peer) throws(APIError) {
        let role = parts.access.role(of: peer)
        guard role < route.role else { return }
        if case .local(let pid, let uid, _, _) = peer {
            journal.write(
                LogLine(
                    .notice, .callerRefused,
                    "a caller was refused: it has the role \(role.name), \(route.role.name) is needed",
                    [(.peer, "uid=\(uid) pid=\(pid)")]))
        }
        throw APIError(
            .forbidden,
            "this needs the role \(route.role.name); you have \(role.name). "
                + "Members of the sending group may send; root and the service's own user may do everything")
    }

    private func isNDJSON(_ head: RequestHead) -> Bool {
        (head["content-type"] ?? "").lowercased().hasPrefix("application/x-ndjson")
    }

    func received(_ request: HTTPRequest, _ exchange: Exchange) {
        if request.listener == Door.webhook.rawValue { return receivedWebhook(request, exchange) }
        do throws(APIError) {
            try handle(try route(request.head), request, exchange)
        } catch {
            server.respond(exchange, .error(error))
        }
    }

    private func handle(_ route: Route, _ request: HTTPRequest, _ exchange: Exchange) throws(APIError) {
        switch route {
        case .submit: try submit(request, exchange)
        case .submitBulk: try submitBulk(request, exchange)
        case .list: try list(request.head, exchange)
        case .message(let text): parts.reader.ask(exchange, try anyMessage(text))
        case .markRead(let text): parts.reader.send(exchange, try markRead(text, request.body))
        case .catchUp(let line): parts.reader.send(exchange, try catchUp(line, request.body))
        case .conversations: parts.reader.ask(exchange, try conversations(request.head))
        case .conversation(let text): parts.reader.ask(exchange, .conversation(try conversationID(text)))
        case .conversationMessages(let text):
            parts.reader.ask(exchange, try conversationMessages(text, request.head))
        case .contacts: parts.reader.ask(exchange, try contacts(request.head))
        case .contact(let text): parts.reader.ask(exchange, .contact(try contactID(text)))
        case .retry(let text): writer.post(.retry(exchange, try id(text)))
        case .cancel(let text): writer.post(.cancel(exchange, try id(text)))
        case .resolve(let text):
            writer.post(
                .resolve(exchange, try id(text), try ResolveBody.read(try parse(request.body)), who: who(request.peer)))
        case .lines: parts.reader.ask(exchange, .lines)
        case .line(let name): parts.reader.ask(exchange, .line(name))
        case .putLine(let name): try putLine(name, request.body, exchange)
        case .deleteLine(let name):
            try beginChange(of: name, exchange)
            writer.post(.removeLine(exchange, name: name))
        case .why(let text): parts.reader.ask(exchange, .why(try id(text)))
        case .lineWhy(let name): parts.reader.ask(exchange, .lineWhy(name))
        case .lineHealth(let name):
            // What is stored is answered; if it is old, Meta is asked for the next one.
            writer.post(.lookedAt(line: name))
            parts.reader.ask(exchange, .health(name))
        case .lineTemplates(let name): parts.reader.ask(exchange, .templates(name))
        case .pools: parts.reader.ask(exchange, .pools(nil))
        case .pool(let name): parts.reader.ask(exchange, .pools(name))
        case .putPool(let name):
            writer.post(.putPool(exchange, name: name, try PoolBody.read(try parse(request.body), name: name)))
        case .pauses: parts.reader.ask(exchange, .pauses)
        case .pause: writer.post(.pause(exchange, try pauseBody(request.body), who: who(request.peer)))
        case .resume(let text):
            guard let id = Int64(text) else { throw APIError(.notFound, "there is no such pause") }
            writer.post(.resume(exchange, id: id, who: who(request.peer)))
        case .retention: parts.reader.ask(exchange, .retention)
        case .putRetention(let name):
            guard let kind = RetentionKind(name: name) else {
                let names = RetentionKind.allCases.map(\.name).joined(separator: ", ")
                throw APIError(.notFound, "nothing of that name is kept for a while; there are \(names)")
            }
            writer.post(.putRetention(exchange, kind, try RetentionRule.read(try parse(request.body))))
        case .events: try readLog(request, exchange)
        case .cursors: parts.reader.ask(exchange, .cursors)
        case .cursor(let name): parts.reader.ask(exchange, .cursor(name))
        case .putCursor(let name): try putCursor(name, request.body, exchange)
        case .deleteCursor(let name): writer.post(.removeCursor(exchange, name: name))
        case .subscriptions: parts.reader.ask(exchange, .subscriptions)
        case .subscribe: try subscribe(request.body, exchange)
        case .subscription(let text): parts.reader.ask(exchange, .subscription(try subscriptionID(text)))
        case .putSubscription(let text): try putSubscription(try subscriptionID(text), request.body, exchange)
        case .deleteSubscription(let text): writer.post(.unsubscribe(exchange, try subscriptionID(text)))
        case .deliveries(let text):
            guard let parameters = request.head.query else {
                throw APIError(.malformed, "the query holds a broken % escape")
            }
            let query = try DeliveryQuery.read(parameters)
            parts.reader.ask(exchange, .deliveries(try subscriptionID(text), query))
        case .rotateSecret(let text): try rotateSecret(try subscriptionID(text), request.body, exchange)
        case .deleteOldSecret(let text): deleteOldSecret(try subscriptionID(text), exchange)
        case .replay(let text):
            writer.post(
                .replay(exchange, try subscriptionID(text), try ReplayBody.read(try parse(request.body))))
        case .testCallback(let text): parts.caller.test(exchange, try subscriptionID(text))
        case .status:
            parts.reader.ask(
                exchange,
                .status(
                    ProcessFacts(
                        startedAt: startedAt, connections: server.connectionCount, refusedWebhooks: refusedWebhooks)))
        case .reload:
            try reload()
            server.respond(exchange, .json(200) { $0.object("data") { $0.field("status", "reloaded") } })
        case .health: server.respond(exchange, .json(200) { $0.field("status", "ok") })
        }
    }

    private func pauseBody(_ bytes: [UInt8]) throws(APIError) -> PauseBody {
        var body = try PauseBody.read(try parse(bytes), now: now)
        guard body.scope == .batch, let text = body.target else { return body }
        guard let batch = codec.id(text, .batch) else {
            throw .validation([FieldError("batchId", "there is no such batch")])
        }
        body.target = String(batch.rawValue)
        return body
    }

    /// The caller, as the kernel knows it: the user's name, or its number.
    private func who(_ peer: Peer) -> String {
        guard case .local(_, let uid, _, _) = peer else { return "unknown" }
        return getpwuid(uid).map { String(cString: $0.pointee.pw_name) } ?? "uid \(uid)"
    }

    private func reload() throws(APIError) {
        do {
            try parts.reload()
        } catch {
            throw APIError(.conflict, "nothing was changed: \(error)")
        }
    }

    func id(_ text: String) throws(APIError) -> MessageID {
        guard let id = codec.id(text) else { throw APIError(.notFound, "there is no such message") }
        return id
    }

    func messageID(_ text: String) -> MessageID? { codec.id(text) }

    func parse(_ body: some Collection<UInt8>) throws(APIError) -> JSONValue {
        do throws(JSONError) {
            return try parser.parse(body)
        } catch {
            throw APIError(.malformed, "the body is \(error.description)", status: 400)
        }
    }

    private func submit(_ request: HTTPRequest, _ exchange: Exchange) throws(APIError) {
        let value = try parse(request.body)
        let key = try idempotencyKey(request.head, request.peer, .single, body: request.body)
        switch MessageBody.read(value, now: now) {
        case .wrong(let errors):
            guard let key, value["dryRun"]?.bool != true else { throw .validation(errors) }
            // It may have been right when it came first: its `sendAt` passes.
            writer.post(.recall(exchange, key, otherwise: .validation(errors)))
        case .complete(let message) where message.dryRun:
            dryRuns[exchange] = message.draft
            writer.post(.estimate(exchange, [message.draft]))
        case .complete(let message): writer.post(.submit(exchange, message.draft, key))
        }
    }

    private func list(_ head: RequestHead, _ exchange: Exchange) throws(APIError) {
        guard let parameters = head.query else { throw APIError(.malformed, "the query holds a broken % escape") }
        let query = try ListQuery.read(parameters)
        var filter = ListFilter()
        filter.states = query.states
        filter.gate = query.gate
        filter.line = query.line
        filter.to = query.to
        filter.since = query.since
        filter.until = query.until
        filter.limit = query.limit
        filter.offset = ((query.page ?? 1) - 1) * query.limit
        if let text = query.batchID {
            guard let batch = codec.id(text, .batch) else { throw APIError(.notFound, "there is no such batch") }
            filter.batch = batch
        }
        if let cursor = query.cursor {
            guard let before = codec.id(cursor) else {
                throw .validation([FieldError("cursor", "must be the meta.pagination.cursor of the page before")])
            }
            filter.before = before
        }
        parts.reader.ask(exchange, .list(filter))
    }

    // MARK: Streams

    func received(piece: [UInt8], _ exchange: Exchange) { streamPiece(piece, exchange) }
    func ended(_ exchange: Exchange) { streamEnded(exchange) }
    func dropped(_ exchange: Exchange) { bulks[exchange] = nil }

    /// So that no user of the machine can keep the others out.
    func connectionsMax(for peer: Peer, listener: Int) -> Int {
        if listener == Door.webhook.rawValue { return limits.webhookConnectionsMax }
        switch parts.access.role(of: peer) {
        case .none: return limits.strangerConnectionsMax
        case .read, .send: return limits.callerConnectionsMax
        case .admin: return .max
        }
    }

    func answer(to refusal: HTTPRefusal, listener: Int) -> HTTPResponse {
        let code: APIError.Code =
            switch refusal.status {
            case 413, 431: .tooLarge
            case 503: .unavailable
            default: .malformed
            }
        return .error(APIError(code, refusal.message, status: refusal.status))
    }

    func timeUp(nowNanoseconds: UInt64) -> UInt64? { nil }

    func batchText(_ batch: MessageID) -> String { codec.text(batch, .batch) }

    // MARK: What the other threads say

    func bellRang() {
        for mail in mailbox.take() {
            switch mail {
            case .replies(let replies): for (exchange, reply) in replies { deliver(reply, exchange) }
            case .answers(let answers): for (exchange, response) in answers { server.respond(exchange, response) }
            case .streams(let orders): for order in orders { carryOut(order) }
            case .ping(let number): parts.pong(number)
            case .drain: server.drain()
            }
        }
    }

    private func deliver(_ reply: WriterReply, _ exchange: Exchange) {
        if bulks[exchange] != nil { return bulkReply(reply, exchange) }
        if let change = secretsChanging.removeValue(forKey: exchange) {
            return server.respond(exchange, finish(change, reply))
        }
        if case .unsubscribed(let subscription) = reply { removeSecret(subscription.secret) }
        if let change = linesChanging.removeValue(forKey: exchange) { takeBack(change, unlessDone: reply) }
        if case .line(let line, _) = reply { forgetUnusedToken(of: line) }
        if case .lineRemoved(.done, let name) = reply { removeToken(ofLine: name) }
        server.respond(exchange, words.response(to: reply, draft: dryRuns.removeValue(forKey: exchange)))
    }
}
