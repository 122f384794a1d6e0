import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Each route: whom it asks, and what with.
extension Frontend {
    func handle(_ route: Route, _ request: HTTPRequest, _ exchange: Exchange) throws(APIError) {
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
        case .retry(let text): ask(.retry(exchange, try id(text)), request)
        case .cancel(let text): ask(.cancel(exchange, try id(text)), request)
        case .move(let text):
            let who = who(request.peer)
            ask(.move(exchange, try id(text), try MoveBody.read(try parse(request.body)), who: who), request)
        case .queue: parts.reader.ask(exchange, .queue)
        case .resolve(let text):
            let who = who(request.peer)
            ask(.resolve(exchange, try id(text), try ResolveBody.read(try parse(request.body)), who: who), request)
        case .lines: parts.reader.ask(exchange, .lines)
        case .line(let name): parts.reader.ask(exchange, .line(name))
        case .putLine(let name): try putLine(name, request, exchange)
        case .deleteLine(let name):
            try beginChange(of: name, exchange)
            ask(.removeLine(exchange, name: name), request)
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
            ask(.putPool(exchange, name: name, try PoolBody.read(try parse(request.body), name: name)), request)
        case .pauses: parts.reader.ask(exchange, .pauses)
        case .pause: ask(.pause(exchange, try pauseBody(request.body), who: who(request.peer)), request)
        case .resume(let text):
            guard let id = Int64(text) else { throw APIError(.notFound, "there is no such pause") }
            ask(.resume(exchange, id: id, who: who(request.peer)), request)
        case .retention: parts.reader.ask(exchange, .retention)
        case .putRetention(let name):
            guard let kind = RetentionKind(name: name) else {
                let names = RetentionKind.allCases.map(\.name).joined(separator: ", ")
                throw APIError(.notFound, "nothing of that name is kept for a while; there are \(names)")
            }
            ask(.putRetention(exchange, kind, try RetentionRule.read(try parse(request.body))), request)
        case .events: try readLog(request, exchange)
        case .cursors: parts.reader.ask(exchange, .cursors)
        case .cursor(let name): parts.reader.ask(exchange, .cursor(name))
        case .putCursor(let name): try putCursor(name, request.body, exchange)
        case .deleteCursor(let name): writer.post(.removeCursor(exchange, name: name))
        case .subscriptions: parts.reader.ask(exchange, .subscriptions)
        case .subscribe: try subscribe(request, exchange)
        case .subscription(let text): parts.reader.ask(exchange, .subscription(try subscriptionID(text)))
        case .putSubscription(let text): try putSubscription(try subscriptionID(text), request, exchange)
        case .deleteSubscription(let text): ask(.unsubscribe(exchange, try subscriptionID(text)), request)
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
        case .status: parts.reader.ask(exchange, .status(facts))
        case .metrics: writer.post(.measure(exchange))
        case .openAPI:
            server.respond(
                exchange, HTTPResponse(status: 200, headers: [HTTPResponse.jsonType], body: Documents.openAPI))
        case .llms: server.respond(exchange, .text(200, Documents.llms))
        case .reload:
            try reload(by: who(request.peer))
            server.respond(exchange, .json(200) { $0.object("data") { $0.field("status", "reloaded") } })
        case .doctor: parts.backups.examine(exchange, facts)
        case .backup:
            backups.insert(exchange)
            parts.backups.start(exchange, by: who(request.peer))
        case .health: server.respond(exchange, .json(200) { $0.field("status", "ok") })
        }
    }

    private var facts: ProcessFacts {
        ProcessFacts(startedAt: startedAt, connections: server.connectionCount, refusedWebhooks: refusedWebhooks)
    }

    /// The writer told what it counts; the rest is looked up by the reader.
    func tell(_ measures: WriterMeasures, _ exchange: Exchange) {
        let process = ProcessMeasures(facts: facts, callbacks: parts.caller.standing, followers: events.followers)
        parts.reader.ask(exchange, .metrics(measures, process))
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

    /// Has the writer do what a caller asked for; the journal names the caller.
    func ask(_ input: WriterInput, _ request: HTTPRequest) { writer.post(.asked(input, by: who(request.peer))) }

    /// The caller, as the kernel knows it: the user's name, or its number.
    func who(_ peer: Peer) -> String {
        guard case .local(_, let uid, _, _) = peer else { return "unknown" }
        return getpwuid(uid).map { String(cString: $0.pointee.pw_name) } ?? "uid \(uid)"
    }

    private func reload(by who: String) throws(APIError) {
        do {
            try parts.reload(who)
        } catch {
            journal.write(LogLine(.error, .reloadFailed, "nothing was reloaded: \(error)", [(.actor, who)]))
            throw APIError(.conflict, "nothing was changed: \(error)")
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
}
