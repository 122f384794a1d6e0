import Glibc
import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// Which of the sockets a request came in by.
enum Door: Int {
    case api = 0
    case webhook = 1
    /// For whoever scrapes the metrics over TCP: nothing else is there.
    case metrics = 2
    /// For callers with keys, over TCP.
    case keyed = 3
    /// For people with links: their pages, and nothing else.
    case pages = 4
}

/// The daemon's word on the sockets: knows every route, asks the writer or the reader, and puts what they say into
/// answers. Lives on the server's thread; holds nothing that a restart could lose.
final class Frontend: HTTPHandler {
    enum Mail: Sendable {
        case replies([(Exchange, WriterReply)])
        case answers([(Exchange, HTTPResponse)])
        case streams([StreamOrder])
        /// The body of a file may go on.
        case resume(Exchange)
        case ping(UInt64)
        /// Roles or keys are others than before.
        case accessChanged
        /// A line to make or change with a token that was had for a code, or why there is none.
        case exchanged(Exchange, Result<LineBody, APIError>)
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
        /// Of all users without a role together: one person may be many users.
        var strangersConnectionsMax = 256
        var callerConnectionsMax = 512
        var webhookConnectionsMax = 256
        var pageConnectionsMax = 256
    }
    let limits = Limits()

    let parser = JSONParser()
    let parts: Parts
    let codec: IDCodec
    let words: ReplyWords
    let startedAt: Timestamp
    let mailbox: Mailbox<Mail>
    unowned let server: HTTPServer
    var bulks: [Exchange: BulkJob] = [:]
    var recipientUploads: [Exchange: CampaignUpload] = [:]
    let zones = ZoneFiles()
    /// Of Meta's calls, since the start, by app.
    var refusedWebhooks: [String: Int] = [:]
    /// Of the apps whose webhooks come, with the secrets they were made of.
    var webhookKeys: [String: (secret: String, key: HMACSHA256)] = [:]
    private var refusals = Seldom()
    /// Dry runs whose estimate is awaited, and messages whose content was not checked.
    var draftsToTell: [Exchange: Draft] = [:]
    /// Lines whose change the writer has.
    var linesChanging: [Exchange: LineChange] = [:]

    /// The route of the head that came last, and who asks: mostly its body is there already.
    private var planned: (exchange: Exchange, route: Route, guest: Guest)?
    /// Keys whose hash the writer has.
    var keysMade: [Exchange: String] = [:]
    var rates = RateLimits()
    /// Calls of hosted systems' APIs that go on when the answer to one of ours is there.
    var translations: [Exchange: Translating] = [:]

    /// Links for people without keys.
    var links: LinkDirectory
    /// Tokens of links whose hash the writer has, and keys made with them.
    var linksMade: [Exchange: String] = [:]
    var linkKeysMade: [Exchange: String] = [:]
    /// Onboarding links by which a number is being connected.
    var connecting: [MessageID: ConnectingNumber] = [:]
    /// Shared inbox links that are being changed.
    var linksChanging: Set<MessageID> = []
    /// Bytes handed in by links lately.
    var linkBytes: [MessageID: (bytes: Int, since: UInt64)] = [:]
    var pageRates = RateLimits()

    /// Subscriptions the writer is asked about.
    var secretsChanging: [Exchange: SecretChange] = [:]

    /// Who awaits a token for a code.
    var exchanging: [Exchange: Asker] = [:]

    /// Who reads or follows the log.
    var followers: [Exchange: Visitor] = [:]

    /// Somebody whose call goes on for as long as it likes.
    struct Visitor {
        var guest: Guest
        var peer: Peer
    }

    /// Copies of the database that are made or handed over.
    var backups: Set<Exchange> = []

    /// Files that are handed in, or whose row the writer has.
    var uploads: [Exchange: Visitor] = [:]
    /// Of them, those whose body is there whole.
    var uploadsEnded: Set<Exchange> = []
    /// Files that are handed out.
    var downloads: Set<Exchange> = []

    /// A line whose change the writer has, and the token to go back to if nothing comes of it.
    struct LineChange {
        var line: String
        var account: Int64
        var secret: String?
        var tokenBefore: String?
    }

    /// What it works with; all of it is shared with other threads.
    struct Parts: Sendable {
        var writer: WriterInbox
        var reader: ReaderThread
        var events: EventsThread
        var caller: Caller
        var backups: BackupThread
        var onboarding: Onboarding
        var media: MediaStore
        var secrets: Secrets
        var subscriptionSecrets: SubscriptionSecrets
        var journal: Journal
        var idKey: [UInt8]
        var clock: LimitClock
        var door: Doorkeeper
        /// A listener is open whose callers have keys.
        var needsKeys: Bool
        /// Calls a minute of one caller; 0: any number.
        var limits: Lock<Int>
        var pages: PageSettings
        /// As they were at the start.
        var links: LinkDirectory
        /// A sign of life.
        var pong: @Sendable (UInt64) -> Void
        var reload: @Sendable (_ who: String) throws -> Void
    }

    init(server: HTTPServer, mailbox: Mailbox<Mail>, _ parts: Parts) {
        self.server = server
        self.mailbox = mailbox
        self.parts = parts
        codec = IDCodec(key: parts.idKey)
        links = parts.links
        words = ReplyWords(codec: codec, clock: parts.clock)
        startedAt = Self.now
    }

    var events: EventsThread { parts.events }
    var secrets: Secrets { parts.secrets }
    var journal: Journal { parts.journal }

    static var now: Timestamp { Timestamp(milliseconds: wallClockMilliseconds()) }
    var now: Timestamp { Self.now }

    // MARK: Requests

    func plan(_ head: RequestHead, peer: Peer, listener: Int, _ exchange: Exchange) -> BodyPlan {
        if listener == Door.webhook.rawValue { return .collect(bytesMax: limits.webhookBytesMax) }
        if listener == Door.pages.rawValue { return planPage(head, peer, exchange) }
        var known: Route?
        do throws(APIError) {
            let route = try route(head)
            known = route
            let standing = try standing(for: route, head, peer, listener, exchange)
            let guest = standing.guest
            planned = (exchange, route, guest)
            try count(standing, route, exchange)
            if !route.takesParameters, head.target.utf8.contains(UInt8(ascii: "?")) { try refuseParameters(head) }
            switch route {
            case .hosted(.callMissed(.uploadMedia)):
                return try planCallMissedUpload(head, guest, peer, listener, exchange)
            case .hosted(let call):
                let most = call.isBulk ? limits.bulkBytesMax : limits.singleBytesMax
                // Here it is said in its own words.
                if case .length(let length) = head.body, length > most {
                    throw APIError(.tooLarge, "the body is longer than the \(most) bytes allowed here")
                }
                return .collect(bytesMax: most)
            case .submitBulk where isNDJSON(head):
                var job = BulkJob(Asker(account: guest.account), stream: true, limits: limits)
                job.visitor = Visitor(guest: guest, peer: peer)
                job.keyed = try idempotencyKey(head, guest, .stream).map { KeyedBulk($0) }
                bulks[exchange] = job
                return .stream(hasLeastRate: false)
            case .addRecipients(let text) where isNDJSON(head):
                var upload = CampaignUpload(
                    try asker(guest, route, head), campaign: try campaignID(text), stream: true, limits: limits)
                upload.visitor = Visitor(guest: guest, peer: peer)
                recipientUploads[exchange] = upload
                return .stream(hasLeastRate: false)
            case .submitBulk, .addRecipients: return .collect(bytesMax: limits.bulkBytesMax)
            case .uploadMedia: return try planUpload(head, guest, peer, exchange)
            default: return .collect(bytesMax: limits.singleBytesMax)
            }
        } catch {
            return .refuse(refusal(error, known ?? HostedCall.near(head.path).map { .hosted($0) }))
        }
    }

    private func route(_ head: RequestHead) throws(APIError) -> Route {
        // The road nearly all take.
        if head.target == "/v1/messages", head.method == "POST" { return .submit }
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

    private func standing(
        for route: Route, _ head: RequestHead, _ peer: Peer, _ listener: Int, _ exchange: Exchange
    ) throws(APIError) -> Standing {
        guard listener == Door.metrics.rawValue else { return try admit(route, head, peer, exchange) }
        guard route == .metrics else { throw APIError(.notFound, "there is nothing here but /metrics") }
        return Standing(.anybody, parts.door.plan(of: .anybody), version: 0)
    }

    /// For lines that whoever can reach a socket can cause.
    func writeSeldom(_ line: LogLine) {
        if let line = refusals.line(line, tick: steadyNanoseconds()) { journal.write(line) }
    }

    private func isNDJSON(_ head: RequestHead) -> Bool {
        (head["content-type"] ?? "").lowercased().hasPrefix("application/x-ndjson")
    }

    func received(_ request: HTTPRequest, _ exchange: Exchange) {
        if request.listener == Door.webhook.rawValue { return receivedWebhook(request, exchange) }
        if request.listener == Door.pages.rawValue { return receivedPage(request, exchange) }
        var known: Route?
        do throws(APIError) {
            if let planned, planned.exchange == exchange {
                known = planned.route
                return try handle(planned.route, request, exchange, planned.guest)
            }
            let route = try route(request.head)
            known = route
            let standing = try standing(for: route, request.head, request.peer, request.listener, exchange)
            try handle(route, request, exchange, standing.guest)
        } catch {
            server.respond(exchange, refusal(error, known))
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

    // MARK: Streams

    func received(piece: [UInt8], _ exchange: Exchange) {
        if uploads[exchange] != nil {
            parts.media.take(piece, exchange)
        } else if recipientUploads[exchange] != nil {
            uploadPiece(piece, exchange)
        } else {
            streamPiece(piece, exchange)
        }
    }

    func ended(_ exchange: Exchange) {
        if uploads[exchange] != nil {
            uploadsEnded.insert(exchange)
            parts.media.ended(exchange)
        } else if recipientUploads[exchange] != nil {
            uploadEnded(exchange)
        } else {
            streamEnded(exchange)
        }
    }

    func dropped(_ exchange: Exchange) {
        if uploads.removeValue(forKey: exchange) != nil {
            parts.media.dropped(exchange)
            translations[exchange] = nil
        }
        bulks[exchange] = nil
        recipientUploads[exchange] = nil
    }

    /// So that no user of the machine can keep the others out.
    func connectionsMax(for peer: Peer, listener: Int) -> Int {
        switch Door(rawValue: listener) {
        case .webhook: return limits.webhookConnectionsMax
        case .keyed: return limits.callerConnectionsMax
        case .pages: return limits.pageConnectionsMax
        default: break
        }
        switch parts.door.role(of: peer) {
        case .none: return limits.strangerConnectionsMax
        case .read, .send: return limits.callerConnectionsMax
        case .admin: return .max
        }
    }

    func strangersMax(for peer: Peer, listener: Int) -> Int? {
        guard listener == Door.api.rawValue, parts.door.role(of: peer) == .none else { return nil }
        return limits.strangersConnectionsMax
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
}
