import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxSystem

/// The stand-in itself: answers as Meta does, keeps the ledger, and misbehaves as told. Lives on the server's thread.
final class Sandbox: HTTPHandler {
    unowned let server: HTTPServer
    let settings: SandboxSettings
    let parser = JSONParser()
    let webhooks: WebhookSender
    var dice: Dice
    var rules: [FaultRule]
    var ledger = Ledger()
    var limits: Limits
    var numbers: PhoneNumberNodes
    var templates = TemplateList()
    let judge: ContentJudge
    var marks = ReadMarks()
    var history = History()
    var onboarding = SandboxOnboarding()
    var later = Agenda<Deed>()
    var shelf = MediaShelf()
    var uploads: [Exchange: SandboxUpload] = [:]
    /// Types of files a test hands in as a person's.
    var received: [Exchange: String] = [:]
    /// Files on their way out, and how far they are.
    var sending: [Exchange: (file: ShelvedFile, at: Int)] = [:]

    /// What is done at its time.
    enum Deed {
        case answer(Exchange, HTTPResponse)
        case status(OutgoingStatus)
        /// The template of this id, if it still waits for it.
        case approve(String)
    }

    init(server: HTTPServer, bell: Bell, settings: SandboxSettings) {
        self.server = server
        self.settings = settings
        rules = settings.rules
        judge = ContentJudge(laterKinds: settings.laterKinds)
        dice = Dice(seed: settings.seed)
        limits = Limits(settings.limits)
        numbers = PhoneNumberNodes(people: settings.limits.people)
        webhooks = WebhookSender(settings, bell: bell)
    }

    // MARK: HTTPHandler

    func plan(_ head: RequestHead, peer: Peer, listener: Int, _ exchange: Exchange) -> BodyPlan {
        planUpload(head, exchange) ?? .collect(bytesMax: 1 << 20)
    }

    func received(piece: [UInt8], _ exchange: Exchange) { uploadPiece(piece, exchange) }
    func ended(_ exchange: Exchange) {
        uploadEnded(exchange)
        wakeForNext()
    }
    func dropped(_ exchange: Exchange) { forgetUpload(exchange) }
    func drained(_ exchange: Exchange) { sendOn(exchange) }
    func cutOff(_ exchange: Exchange) { sending[exchange] = nil }

    func answer(to refusal: HTTPRefusal, listener: Int) -> HTTPResponse {
        graphError(status: refusal.status, code: 100, message: refusal.message)
    }

    func bellRang() {
        webhooks.takeResults()
        wakeForNext()
    }

    private func wakeForNext() {
        server.wake(atNanoseconds: earlier(later.nextDue, webhooks.retryAt))
    }

    func timeUp(nowNanoseconds: UInt64) -> UInt64? {
        var statuses: [OutgoingStatus] = []
        while let deed = later.next(due: nowNanoseconds) {
            switch deed {
            case .answer(let exchange, let response): server.respond(exchange, response)
            case .status(let status):
                history.happened(status)
                statuses.append(status)
            case .approve(let id):
                if templates.template(id: id)?.status == "PENDING" {
                    _ = setStatus(id: id, "APPROVED", reason: nil)
                }
            }
        }
        webhooks.send(statuses)
        return earlier(later.nextDue, webhooks.retry(nowNanoseconds))
    }

    func received(_ request: HTTPRequest, _ exchange: Exchange) {
        let path = request.head.steps
        switch (request.head.method, path.count) {
        case (_, 1...) where path[0] == "sandbox":
            server.respond(exchange, control(Array(path.dropFirst()), request))
        case ("POST", 3) where path[2] == "messages":
            message(request, phoneNumberID: path[1], exchange)
        case ("GET", 2) where path[0] == "whatsapp_business": mediaBytes(request, exchange)
        case ("GET", 2) where MediaShelf.isOwn(path[1]), ("DELETE", 2) where MediaShelf.isOwn(path[1]):
            if let answer = mediaNode(path[1], request) { respond(exchange, answer) }
        case (_, 1...) where graph(path, request, exchange): break
        default:
            server.respond(exchange, graphError(status: 400, code: 2500, message: "Unknown path components"))
        }
        wakeForNext()
    }

    func unauthorized(_ request: HTTPRequest) -> HTTPResponse? { unauthorized(request.head) }

    func unauthorized(_ head: RequestHead) -> HTTPResponse? {
        let scheme = "Bearer "
        if let header = head["authorization"], header.hasPrefix(scheme) {
            let token = String(Substring(header.utf8.dropFirst(scheme.utf8.count)))
            if settings.token ?? token == token, !onboarding.isOver(token) { return nil }
        }
        return graphError(status: 401, code: 190, message: "Invalid OAuth access token")
    }

    /// What is not told yet: statuses, answers and webhooks under way.
    var waiting: Int { webhooks.waiting + later.count }

    // MARK: Later

    func respond(_ exchange: Exchange, _ response: HTTPResponse, after milliseconds: Int = 0) {
        let wait = settings.latency + milliseconds
        if wait == 0 { return server.respond(exchange, response) }
        later.add(.answer(exchange, response), at: steadyNanoseconds() + UInt64(wait) * 1_000_000)
    }

    /// Lays out the statuses that follow an accepted message; with a code it fails.
    func follow(_ message: OutgoingStatus, after milliseconds: Int, code: Int64?, isReaction: Bool = false) {
        guard settings.webhookURL != nil else { return }
        var at = settings.latency + milliseconds
        func schedule(_ name: String, code: Int64? = nil) {
            var wait = at
            if Double.random(in: 0..<1, using: &dice) < settings.reorderShare {
                wait += Int.random(in: 0...1000, using: &dice)
            }
            var status = message
            (status.status, status.code) = (name, code)
            if code != nil && !settings.opaqueOnFailed { status.opaque = nil }
            let moment = steadyNanoseconds() + UInt64(wait) * 1_000_000
            later.add(.status(status), at: moment)
            if Double.random(in: 0..<1, using: &dice) < settings.duplicateShare {
                later.add(.status(status), at: moment)
            }
        }
        if let code { return schedule("failed", code: code) }
        schedule("sent")
        if isReaction { return }
        at += settings.deliveredAfter
        schedule("delivered")
        guard settings.readAfter >= 0 else { return }
        at += settings.readAfter
        schedule("read")
    }
}

private func earlier(_ one: UInt64?, _ other: UInt64?) -> UInt64? {
    guard let one, let other else { return one ?? other }
    return min(one, other)
}

extension RequestHead {
    /// The parts of the path between its slashes.
    var steps: [String] {
        var target = target
        return target.withUTF8 { bytes in
            let path = bytes.prefix { $0 != UInt8(ascii: "?") }
            return path.split(separator: UInt8(ascii: "/")).map { String(decoding: $0, as: UTF8.self) }
        }
    }

    /// The first value of a parameter behind the `?`.
    func parameter(_ name: String) -> String? { query?.first { $0.name == name }?.value }
}
