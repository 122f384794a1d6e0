import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// Questions about what is stored.
enum Question: Sendable {
    case message(MessageID)
    case list(ListFilter)
    case inbound(MessageID)
    case conversations(ConversationFilter, page: Int?)
    case conversation(MessageID)
    case conversationMessages(MessageID, PagePlace)
    case lineMessages(String, PagePlace)
    case contacts(ContactFilter)
    case contact(MessageID)
    case lines
    case line(String)
    case status(ProcessFacts)
    case why(MessageID)
    case lineWhy(String)
    case queue
    case analytics(AnalyticsReport, AnalyticsQuery)
    case health(String)
    case templates(String, TemplateQuery)
    case template(String, TemplateName)
    case preview(String, TemplateName, PreviewBody)
    /// One, or all.
    case pools(String?)
    case pauses
    case retention
    case cursors
    case cursor(String)
    case subscriptions
    case subscription(Int64)
    case deliveries(Int64, DeliveryQuery)
    case marketing(MarketingQuestion)
    case metrics(WriterMeasures, ProcessMeasures)
    case media(before: MessageID?, limit: Int)
}

/// What takes a look at the store first, and is answered by whoever is asked then.
enum Errand: Sendable {
    case markRead(MessageID, typing: Bool)
    case markWhatsAppRead(wamid: String, typing: Bool)
    /// A message of ours: that cannot be.
    case markSentRead(MessageID)
    case catchUp(line: String, since: Timestamp)
    case syncTemplates(line: String)
    case makeTemplate(line: String, JSONValue)
    case editTemplate(line: String, TemplateName, JSONValue)
    /// In all languages, or in one.
    case removeTemplate(line: String, name: String, language: String?)
    case register(line: String, pin: String)
    case subscribe(line: String)
}

/// Who asks Meta.
struct Askers: Sendable {
    var calls: GraphCalls
    var catchUp: CatchUp
    var refresher: Refresher
    /// Tells the log what an operator did.
    var changed: @Sendable (Asker, OperatorChange) -> Void
}

/// What `GET /v1/status` tells besides the queue.
struct ProcessFacts: Sendable {
    var startedAt: Timestamp
    var connections: Int
    /// Of Meta's calls, by app.
    var refusedWebhooks: [String: Int]
}

/// Answers questions from a connection of its own, so that no question waits for a write, nor a write for it.
final class ReaderThread: Sendable {
    private enum Mail: Sendable {
        case question(Exchange, Question, account: Int64)
        case errand(Exchange, Errand, Asker)
        case end
    }

    private let mailbox: Mailbox<Mail>
    private let thread: Thread

    init(
        path: String, clock: LimitClock, deadline: Duration, journal: Journal, rates: Rates, askers: Askers,
        answers: @escaping @Sendable ([(Exchange, HTTPResponse)]) -> Void
    ) throws {
        let bell = Bell()
        let mailbox = Mailbox<Mail>(bell: bell)
        self.mailbox = mailbox
        let answerer = Handover(
            try Answerer(reader: QueueReader(path: path), path: path, clock: clock, deadline: deadline, rates: rates))
        thread = Thread("reader") { Self.run(answerer.value, askers, bell, mailbox, journal, answers) }
    }

    /// About what the account has; only what is about the process is told of others.
    func ask(_ exchange: Exchange, _ question: Question, account: Int64) {
        mailbox.post(.question(exchange, question, account: account))
    }

    func send(_ exchange: Exchange, _ errand: Errand, for asker: Asker) {
        mailbox.post(.errand(exchange, errand, asker))
    }

    func finish() {
        mailbox.post(.end)
        thread.join()
    }

    private static func run(
        _ answerer: Answerer, _ askers: Askers, _ bell: Bell, _ mailbox: Mailbox<Mail>, _ journal: Journal,
        _ answers: ([(Exchange, HTTPResponse)]) -> Void
    ) {
        while true {
            for mail in mailbox.take() {
                switch mail {
                case .end: return
                case .question(let exchange, let question, let account):
                    if let response = answer(journal, { try answerer.of(account).answer(question) }) {
                        answers([(exchange, response)])
                    }
                case .errand(let exchange, let errand, let asker):
                    let refusal = answer(journal) {
                        try answerer.of(asker.account).run(errand, exchange, asker, askers)
                    }
                    if let refusal { answers([(exchange, refusal)]) }
                }
            }
            _ = bell.wait()
            bell.clear()
        }
    }

    /// What `body` answers, or why it could not.
    private static func answer(_ journal: Journal, _ body: () throws -> HTTPResponse?) -> HTTPResponse? {
        do {
            return try body()
        } catch let error as APIError {
            return .error(error)
        } catch {
            journal.write(LogLine(.error, .readFailed, "a question could not be answered: \(error)"))
            return .error(APIError(.internalError, "the database could not be read; the journal says why"))
        }
    }
}

/// Turns questions into answers.
struct Answerer {
    let reader: QueueReader
    /// Of the database.
    let path: String
    let clock: LimitClock
    /// How long a POST may take.
    let deadline: Duration
    let parser = JSONParser()
    let callbacks: CallbackReader
    /// Nil: nobody tells prices.
    let rates: Rates?
    /// Whose questions it answers.
    private(set) var account = Account.defaultID

    init(reader: QueueReader, path: String, clock: LimitClock, deadline: Duration, rates: Rates? = nil) throws {
        self.rates = rates
        let zones = ZoneFiles()
        reader.zoneRules = { zones.rules($0) }
        self.reader = reader
        self.path = path
        callbacks = try CallbackReader(reader)
        self.clock = clock
        self.deadline = deadline
    }

    func of(_ account: Int64) -> Answerer {
        var answerer = self
        answerer.account = account
        return answerer
    }

    /// Answers or throws when nobody else will answer.
    func run(_ errand: Errand, _ exchange: Exchange, _ asker: Asker, _ askers: Askers) throws -> HTTPResponse? {
        switch errand {
        case .markRead(let id, let typing): try markRead(id, typing: typing, exchange, asker, askers.calls)
        case .markWhatsAppRead(let wamid, let typing):
            guard let id = try reader.inbound(wamid: wamid, account: account) else {
                throw APIError(.notFound, "there is no such message")
            }
            try markRead(id, typing: typing, exchange, asker, askers.calls)
        case .markSentRead(let id):
            guard try reader.message(id, account: account) != nil else {
                throw APIError(.notFound, "there is no such message")
            }
            throw APIError(.conflict, "only messages that were received are marked as read")
        case .catchUp(let name, let since):
            askers.catchUp.start(exchange, try line(name), since: since)
            askers.changed(asker, OperatorChange(action: "line.catch_up", line: name))
        case .syncTemplates(let name): try sync(name, exchange, askers)
        case .makeTemplate(let name, let draft): try makeTemplate(name, draft, exchange, asker, askers)
        case .editTemplate(let name, let template, let change):
            return try editTemplate(name, template, change, exchange, asker, askers)
        case .removeTemplate(let line, let name, let language):
            try removeTemplate(line, name, language: language, exchange, asker, askers)
        case .register(let name, let pin): try register(name, pin: pin, exchange, asker, askers)
        case .subscribe(let name): try subscribe(name, exchange, asker, askers)
        }
        return nil
    }

    func answer(_ question: Question) throws -> HTTPResponse {
        switch question {
        case .message(let id): return try message(id)
        case .list(let filter): return try list(filter)
        case .inbound(let id): return try inbound(id)
        case .conversations(let filter, let page): return try conversations(filter, page: page)
        case .conversation(let id): return try conversation(id)
        case .conversationMessages(let id, let place): return try conversationMessages(id, place)
        case .lineMessages(let name, let place): return try lineMessages(name, place)
        case .contacts(let filter): return try contacts(filter)
        case .contact(let id): return try contact(id)
        case .lines:
            let lines = try reader.lines(account: account)
            return .json(200) { json in json.array("data") { for line in lines { line.write(to: &$0) } } }
        case .line(let name):
            guard let line = try reader.lines(account: account).first(where: { $0.name == name }) else {
                throw APIError(.notFound, "there is no line \(name)")
            }
            return .json(200) { line.write(to: &$0, name: "data") }
        case .status(let facts): return try status(facts)
        case .why(let id): return try why(id)
        case .lineWhy(let name): return try why(line: name)
        case .queue: return try queueShape()
        case .analytics(let report, let query): return try analytics(report, query)
        case .health(let name): return try health(name)
        case .templates(let name, let query): return try templates(name, query)
        case .template(let line, let name): return try oneTemplate(line, name)
        case .preview(let line, let name, let body): return try preview(line, name, body.components)
        case .pools(let name): return try pools(name)
        case .pauses: return try pauses()
        case .retention: return try retention()
        case .subscriptions: return try subscriptions()
        case .subscription(let id): return try subscription(id)
        case .deliveries(let id, let query): return try deliveries(id, query)
        case .marketing(let question): return try answer(question)
        case .metrics(let writer, let process): return try metrics(writer, process)
        case .media(let before, let limit): return try media(before: before, limit: limit)
        case .cursors: return try cursors()
        case .cursor(let name):
            guard let cursor = try reader.cursor(name, account: account) else {
                throw APIError(.notFound, "there is no cursor \(name)")
            }
            let end = try reader.logEnd()
            return .json(200) { cursor.write(to: &$0, name: "data", logEnd: end) }
        }
    }

    private func cursors() throws -> HTTPResponse {
        let cursors = try reader.cursors(account: account)
        let end = try reader.logEnd()
        return .json(200) { json in
            json.array("data") { for cursor in cursors { cursor.write(to: &$0, logEnd: end) } }
            json.object("meta") { $0.field("logEnd", end) }
        }
    }

    private func message(_ id: MessageID) throws -> HTTPResponse {
        guard let message = try reader.message(id, account: account) else {
            throw APIError(.notFound, "there is no such message")
        }
        let timeline = try reader.timeline(of: message)
        let copies = try reader.copies(of: id)
        return .json(200) { write(message, to: &$0, name: "data", timeline: timeline, copies: copies) }
    }

    func write(
        _ message: StoredMessage, to json: inout JSONWriter, name: String? = nil, timeline: [StoredEvent]? = nil,
        copies: [StoredCopy]? = nil
    ) {
        message.write(
            to: &json, name: name, id: reader.codec.text(message.id),
            batchID: message.batch.map { reader.codec.text($0, .batch) }, timeline: timeline, copies: copies,
            parser: parser)
    }

    private func list(_ filter: ListFilter) throws -> HTTPResponse {
        let page = try reader.list(filter, account: account)
        return .page(
            limit: filter.limit, page: filter.before == nil ? filter.offset / filter.limit + 1 : nil,
            cursor: page.next.map { reader.codec.text($0) }
        ) {
            for message in page.messages { write(message, to: &$0) }
        }
    }

    private func status(_ facts: ProcessFacts) throws -> HTTPResponse {
        let counts = try reader.counts(account: account)
        let troubles = try reader.troubles()
        let webhooks = try reader.webhookTotals()
        let tokens = try tokensToTell()
        let total = MessageState.allCases.map { state in
            (state, counts.filter { $0.state == state }.map(\.count).reduce(0, +))
        }
        var callbacks = JSONWriter()
        try writeCallbacks(to: &callbacks)
        return .json(200) { json in
            json.object("data") {
                $0.field("version", outboxVersion)
                $0.field("startedAt", facts.startedAt.rfc3339)
                if account == Account.defaultID { $0.field("connections", facts.connections) }
                $0.object("messages") { for (state, count) in total { $0.field(state.name, count) } }
                // What is counted for all accounts together is the default one's to know.
                if account == Account.defaultID { write(troubles, facts, webhooks, to: &$0) }
                $0.field("callbacks", raw: callbacks.bytes)
                $0.array("tokens") {
                    for (line, token) in tokens {
                        $0.object {
                            $0.field("line", line)
                            $0.field("state", token.state.name)
                            $0.field("expiresAt", token.expiresAt?.rfc3339)
                        }
                    }
                }
                $0.array("lines") {
                    for name in Set(counts.map(\.line)).sorted() {
                        $0.object {
                            $0.field("line", name)
                            for entry in counts where entry.line == name { $0.field(entry.state.name, entry.count) }
                        }
                    }
                }
            }
        }
    }

    private func write(
        _ troubles: Troubles, _ facts: ProcessFacts, _ webhooks: WebhookTotals, to json: inout JSONWriter
    ) {
        json.field("unknownOutcomes", troubles.unknown)
        json.field("noReceipt", troubles.silent)
        json.field("duplicates", troubles.duplicates)
        json.field("unreadWebhooks", troubles.webhooks)
        json.object("refusedWebhooks") {
            for (app, count) in facts.refusedWebhooks.sorted(by: { $0.key < $1.key }) { $0.field(app, count) }
        }
        webhooks.write(to: &json, unread: troubles.webhooks)
    }
}
