import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Each route: whom it asks, and what with.
extension Frontend {
    func handle(
        _ route: Route, _ request: HTTPRequest, _ exchange: Exchange, _ guest: Guest
    ) throws(APIError) {
        let asker = try asker(guest, route, request.head)
        let account = guest.account
        switch route {
        case .submit: try submit(request, exchange, guest)
        case .submitBulk: try submitBulk(request, exchange, guest)
        case .list: try list(request.head, exchange, account)
        case .message(let text): parts.reader.ask(exchange, try anyMessage(text), account: account)
        case .markRead(let text): parts.reader.send(exchange, try markRead(text, request.body), for: asker)
        case .catchUp(let line): parts.reader.send(exchange, try catchUp(line, request.body), for: asker)
        case .conversations: parts.reader.ask(exchange, try conversations(request.head), account: account)
        case .conversation(let text):
            parts.reader.ask(exchange, .conversation(try conversationID(text)), account: account)
        case .conversationMessages(let text):
            parts.reader.ask(exchange, try conversationMessages(text, request.head), account: account)
        case .contacts: parts.reader.ask(exchange, try contacts(request.head), account: account)
        case .contact(let text): parts.reader.ask(exchange, .contact(try contactID(text)), account: account)
        case .retry(let text): post(asker, .retry(exchange, try id(text)))
        case .cancel(let text): post(asker, .cancel(exchange, try id(text)))
        case .move(let text):
            let body = try MoveBody.read(try parse(request.body))
            post(asker, .move(exchange, try id(text), body, who: guest.words))
        case .erase: post(asker, .erase(exchange, try ErasureBody.read(try parse(request.body))))
        case .hosted(let call): try handle(call, request, exchange, guest)
        case .queue: parts.reader.ask(exchange, .queue, account: account)
        case .analytics(let report):
            let query = try AnalyticsQuery.read(try parameters(request.head), by: report.divisions, now: now)
            parts.reader.ask(exchange, .analytics(report, query), account: account)
        case .mediaList: try listMedia(request.head, exchange, guest)
        case .uploadMedia: preconditionFailure("a file comes in pieces")
        case .media(let id): getMedia(id, request, exchange, guest)
        case .deleteMedia(let id): post(asker, .removeMedia(exchange, try mediaID(id)))
        case .resolve(let text):
            post(
                asker, .resolve(exchange, try id(text), try ResolveBody.read(try parse(request.body)), who: guest.words)
            )
        case .lines: parts.reader.ask(exchange, .lines, account: account)
        case .line(let name): parts.reader.ask(exchange, .line(name), account: account)
        case .putLine(let name): try putLine(asker, name, request.body, exchange)
        case .deleteLine(let name):
            try beginChange(of: name, account, exchange)
            post(asker, .removeLine(exchange, name: name))
        case .why(let text): parts.reader.ask(exchange, .why(try id(text)), account: account)
        case .lineWhy(let name): parts.reader.ask(exchange, .lineWhy(name), account: account)
        case .lineHealth(let name):
            // What is stored is answered; if it is old, Meta is asked for the next one.
            post(asker, .lookedAt(line: name, anew: try asksAnew(request.head)))
            parts.reader.ask(exchange, .health(name), account: account)
        case .lineMessages(let name): parts.reader.ask(exchange, try lineMessages(name, request.head), account: account)
        case .lineTemplates, .makeTemplate, .syncTemplates, .removeTemplates, .template, .editTemplate, .removeTemplate,
            .previewTemplate:
            try handleTemplates(route, request, exchange, asker)
        case .registerLine, .subscribeLine, .verifyLine, .onboardingNumbers, .onboardingExchange:
            try handleOnboarding(route, request, exchange, asker)
        case .pools: parts.reader.ask(exchange, .pools(nil), account: account)
        case .pool(let name): parts.reader.ask(exchange, .pools(name), account: account)
        case .putPool(let name):
            post(asker, .putPool(exchange, name: name, try PoolBody.read(try parse(request.body), name: name)))
        case .pauses: parts.reader.ask(exchange, .pauses, account: account)
        case .pause: post(asker, .pause(exchange, try pauseBody(request.body), who: guest.words))
        case .resume(let text):
            guard let id = Int64(text) else { throw APIError(.notFound, "there is no such pause") }
            post(asker, .resume(exchange, id: id, who: guest.words))
        case .retention: parts.reader.ask(exchange, .retention, account: account)
        case .putRetention(let name):
            guard let kind = RetentionKind(name: name) else {
                let names = RetentionKind.allCases.map(\.name).joined(separator: ", ")
                throw APIError(.notFound, "nothing of that name is kept for a while; there are \(names)")
            }
            post(asker, .putRetention(exchange, kind, try RetentionRule.read(try parse(request.body))))
        case .events: try readLog(request, exchange, guest)
        case .cursors: parts.reader.ask(exchange, .cursors, account: account)
        case .cursor(let name): parts.reader.ask(exchange, .cursor(name), account: account)
        case .putCursor(let name): try putCursor(asker, name, request.body, exchange)
        case .deleteCursor(let name): post(asker, .removeCursor(exchange, name: name))
        case .subscriptions: parts.reader.ask(exchange, .subscriptions, account: account)
        case .subscribe: try subscribe(asker, request.body, exchange)
        case .subscription(let text):
            parts.reader.ask(exchange, .subscription(try subscriptionID(text)), account: account)
        case .putSubscription(let text): try putSubscription(asker, try subscriptionID(text), request.body, exchange)
        case .deleteSubscription(let text): post(asker, .unsubscribe(exchange, try subscriptionID(text)))
        case .deliveries(let text):
            guard let parameters = request.head.query else {
                throw APIError(.malformed, "the query holds a broken % escape")
            }
            let query = try DeliveryQuery.read(parameters)
            parts.reader.ask(exchange, .deliveries(try subscriptionID(text), query), account: account)
        case .rotateSecret(let text): try rotateSecret(asker, try subscriptionID(text), request.body, exchange)
        case .deleteOldSecret(let text): deleteOldSecret(asker, try subscriptionID(text), exchange)
        case .replay(let text):
            post(
                asker, .replay(exchange, try subscriptionID(text), try ReplayBody.read(try parse(request.body))))
        case .testCallback(let text): parts.caller.test(exchange, try subscriptionID(text), account: account)
        case .campaigns, .createCampaign, .campaign, .campaignRecipients, .addRecipients, .campaignForecast,
            .campaignReport, .launchCampaign, .pauseCampaign, .resumeCampaign, .cancelCampaign, .optOuts, .optOut,
            .putOptOut, .deleteOptOut, .marketingCaps, .putMarketingCap, .deleteMarketingCap:
            try handleMarketing(route, request, exchange, account, asker)
        case .status: parts.reader.ask(exchange, .status(facts), account: account)
        case .metrics: parts.writer.post(.measure(exchange))
        case .openAPI:
            server.respond(
                exchange, HTTPResponse(status: 200, headers: [HTTPResponse.jsonType], body: Documents.openAPI))
        case .llms: respond(exchange, .text(200, Documents.llms))
        case .accounts: respond(exchange, listAccounts(guest))
        case .addAccount: post(asker, .addAccount(exchange, try AccountBody.read(try parse(request.body))))
        case .putAccount(let name):
            post(asker, .setAccount(exchange, try AccountBody.read(try parse(request.body), name: name)))
        case .keys: respond(exchange, listKeys(guest))
        case .addKey: try addKey(asker, request.body, exchange)
        case .rotateKey(let text): try rotateKey(asker, try keyID(text), request.body, exchange)
        case .deleteKey(let text): try removeKey(asker, try keyID(text), exchange)
        case .reload:
            try reload(by: guest.words)
            post(asker, .changed(OperatorChange(action: "settings.reloaded")))
            respond(exchange, .json(200) { $0.object("data") { $0.field("status", "reloaded") } })
        case .doctor: parts.backups.examine(exchange, facts)
        case .backup:
            backups.insert(exchange)
            parts.backups.start(exchange, by: guest.words)
        case .health: respond(exchange, .json(200) { $0.field("status", "ok") })
        }
    }

    private var facts: ProcessFacts {
        ProcessFacts(startedAt: startedAt, connections: server.connectionCount, refusedWebhooks: refusedWebhooks)
    }

    /// The writer told what it counts; the rest is looked up by the reader.
    func tell(_ measures: WriterMeasures, _ exchange: Exchange) {
        let process = ProcessMeasures(facts: facts, callbacks: parts.caller.standing, followers: events.followers)
        parts.reader.ask(exchange, .metrics(measures, process), account: Account.defaultID)
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

    private func reload(by who: String) throws(APIError) {
        do {
            try parts.reload(who)
        } catch {
            journal.write(LogLine(.error, .reloadFailed, "nothing was reloaded: \(error)", [(.actor, who)]))
            throw APIError(.conflict, "nothing was changed: \(error)")
        }
    }

    private func submit(_ request: HTTPRequest, _ exchange: Exchange, _ guest: Guest) throws(APIError) {
        let asker = Asker(account: guest.account)
        let value = try parse(request.body)
        let key = try idempotencyKey(request.head, guest, .single, body: request.body)
        switch MessageBody.read(value, now: now) {
        case .wrong(let errors):
            guard let key, value["dryRun"]?.bool != true else { throw .validation(errors) }
            // It may have been right when it came first: its `sendAt` passes.
            post(asker, .recall(exchange, key, otherwise: .validation(errors)))
        case .complete(let message) where message.dryRun:
            draftsToTell[exchange] = message.draft
            post(asker, .estimate(exchange, [message.draft]))
        case .complete(let message):
            if !message.draft.isChecked { draftsToTell[exchange] = message.draft }
            post(asker, .submit(exchange, message.draft, key))
        }
    }

    private func list(_ head: RequestHead, _ exchange: Exchange, _ account: Int64) throws(APIError) {
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
        parts.reader.ask(exchange, .list(filter), account: account)
    }
}
