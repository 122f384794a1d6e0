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
    private var dice: Dice
    private var rules: [FaultRule]
    private var ledger = Ledger()
    private var later = Agenda<Deed>()
    private let webhooks: WebhookSender

    /// What is done at its time.
    private enum Deed {
        case answer(Exchange, HTTPResponse)
        case status(OutgoingStatus)
    }

    init(server: HTTPServer, bell: Bell, settings: SandboxSettings) {
        self.server = server
        self.settings = settings
        rules = settings.rules
        dice = Dice(seed: settings.seed)
        webhooks = WebhookSender(settings, bell: bell)
    }

    // MARK: HTTPHandler

    func plan(_ head: RequestHead, peer: Peer, listener: Int, _ exchange: Exchange) -> BodyPlan {
        .collect(bytesMax: 1 << 20)
    }

    func received(piece: [UInt8], _ exchange: Exchange) {}
    func ended(_ exchange: Exchange) {}
    func dropped(_ exchange: Exchange) {}

    func answer(to refusal: HTTPRefusal, listener: Int) -> HTTPResponse {
        graphError(status: refusal.status, code: 100, message: refusal.message)
    }

    func bellRang() {
        webhooks.takeResults()
        wakeForNext()
    }

    private func wakeForNext() {
        server.wake(atNanoseconds: [later.nextDue, webhooks.retryAt].compactMap { $0 }.min())
    }

    func timeUp(nowNanoseconds: UInt64) -> UInt64? {
        var statuses: [OutgoingStatus] = []
        while let deed = later.next(due: nowNanoseconds) {
            switch deed {
            case .answer(let exchange, let response): server.respond(exchange, response)
            case .status(let status): statuses.append(status)
            }
        }
        webhooks.send(statuses)
        return [later.nextDue, webhooks.retry(nowNanoseconds)].compactMap { $0 }.min()
    }

    func received(_ request: HTTPRequest, _ exchange: Exchange) {
        let path = request.head.path.split(separator: "/").map(String.init)
        if path.first == "sandbox" {
            server.respond(exchange, control(path.dropFirst().first ?? "", request))
        } else if request.head.method == "POST", path.count == 3, path[2] == "messages" {
            message(request, phoneNumberID: path[1], exchange)
        } else {
            server.respond(exchange, graphError(status: 400, code: 2500, message: "Unknown path components"))
        }
        wakeForNext()
    }

    // MARK: POST /{version}/{phone number id}/messages

    private func message(_ request: HTTPRequest, phoneNumberID: String, _ exchange: Exchange) {
        let body = (try? parser.parse(request.body)) ?? nil
        if let refusal = refusal(request, body) {
            note(phoneNumberID, body, request.body, nil, "refused")
            return server.respond(exchange, refusal)
        }
        let to = (body?["to"]?.string ?? "").filter(\.isNumber)
        let fault = nextFault(to: to)
        let name = fault.map { "\($0)" } ?? "accepted"
        switch fault {
        case .error(let code):
            note(phoneNumberID, body, request.body, nil, name)
            respond(exchange, graphError(status: 400, code: code, message: title(code)))
        case .throttle(let seconds):
            note(phoneNumberID, body, request.body, nil, name)
            var response = graphError(status: 429, code: 130_429, message: title(130_429))
            response.headers.append(HTTPHeader("retry-after", String(seconds)))
            respond(exchange, response)
        case .http(let status):
            note(phoneNumberID, body, request.body, nil, name)
            respond(exchange, HTTPResponse(status: status, body: Array("<html></html>\n".utf8)))
        case .drop:
            note(phoneNumberID, body, request.body, nil, name)
            server.breakOff(exchange)
        case .loseAnswer, .reset, .truncate, .garbage, .fail, .silent, .slow, nil:
            accept(body, request.body, phoneNumberID, to, fault, name, exchange)
        }
    }

    /// What the first rule says that applies; each one throws its own dice.
    private func nextFault(to digits: String) -> Fault? {
        for rule in rules {
            if let fault = rule.fault(to: digits, &dice) { return fault }
        }
        return nil
    }

    private func accept(
        _ body: JSONValue?, _ bytes: [UInt8], _ phoneNumberID: String, _ to: String, _ fault: Fault?, _ name: String,
        _ exchange: Exchange
    ) {
        let wamid = "wamid.SANDBOX" + String(dice.next(), radix: 36) + String(dice.next(), radix: 36)
        note(phoneNumberID, body, bytes, wamid, name)
        let accepted = acceptance(body, to, wamid)
        switch fault {
        case .loseAnswer: server.breakOff(exchange)
        case .reset: server.breakOff(exchange, reset: true)
        case .truncate:
            let head = "HTTP/1.1 200 OK\r\ncontent-length: \(accepted.body.count)\r\n\r\n"
            server.breakOff(exchange, writing: Array(head.utf8) + accepted.body.prefix(accepted.body.count / 2))
        case .garbage: respond(exchange, HTTPResponse(status: 200, body: Array("<html></html>\n".utf8)))
        case .slow(let milliseconds): respond(exchange, accepted, after: milliseconds)
        default: respond(exchange, accepted)
        }
        if fault != .silent { follow(wamid, phoneNumberID, to, body?["biz_opaque_callback_data"]?.string, fault) }
    }

    /// What Meta refuses before anything else.
    private func refusal(_ request: HTTPRequest, _ body: JSONValue?) -> HTTPResponse? {
        guard let header = request.head["authorization"], header.hasPrefix("Bearer "),
            settings.token.map({ header == "Bearer \($0)" }) ?? true
        else { return graphError(status: 401, code: 190, message: "Invalid OAuth access token") }
        guard let body else { return graphError(status: 400, code: 100, message: "Invalid JSON body") }
        guard body["messaging_product"]?.string == "whatsapp" else {
            return graphError(status: 400, code: 100, message: "The parameter messaging_product is required")
        }
        guard let to = body["to"]?.string, !to.isEmpty else {
            return graphError(status: 400, code: 100, message: "The parameter to is required")
        }
        guard let type = body["type"]?.string, let content = body[type], content.kind == .object else {
            return graphError(status: 400, code: 131_008, message: "Required parameter is missing")
        }
        if (body["biz_opaque_callback_data"]?.string?.count ?? 0) > 512 {
            return graphError(status: 400, code: 100, message: "biz_opaque_callback_data is longer than 512")
        }
        return nil
    }

    private func acceptance(_ body: JSONValue?, _ to: String, _ wamid: String) -> HTTPResponse {
        json(200) {
            $0.field("messaging_product", "whatsapp")
            $0.array("contacts") {
                $0.object {
                    $0.field("input", body?["to"]?.string)
                    $0.field("wa_id", to)
                }
            }
            $0.array("messages") {
                $0.object {
                    $0.field("id", wamid)
                    if body?["type"]?.string == "template" { $0.field("message_status", "accepted") }
                }
            }
        }
    }

    private func note(
        _ phoneNumberID: String, _ body: JSONValue?, _ bytes: [UInt8], _ wamid: String?, _ outcome: String
    ) {
        ledger.add(
            Ledger.Entry(
                sequence: 0, at: Timestamp(milliseconds: wallClockMilliseconds()), phoneNumberID: phoneNumberID,
                to: body?["to"]?.string ?? "", type: body?["type"]?.string ?? "",
                opaque: body?["biz_opaque_callback_data"]?.string, wamid: wamid, outcome: outcome,
                body: body == nil ? Array("null".utf8) : bytes))
    }

    // MARK: Later

    private func respond(_ exchange: Exchange, _ response: HTTPResponse, after milliseconds: Int = 0) {
        let wait = settings.latency + milliseconds
        if wait == 0 { return server.respond(exchange, response) }
        later.add(.answer(exchange, response), at: steadyNanoseconds() + UInt64(wait) * 1_000_000)
    }

    /// Lays out the statuses that follow an accepted message.
    private func follow(_ wamid: String, _ phoneNumberID: String, _ to: String, _ opaque: String?, _ fault: Fault?) {
        guard settings.webhookURL != nil else { return }
        var at = settings.latency
        func schedule(_ status: String, code: Int64? = nil) {
            var wait = at
            if Double.random(in: 0..<1, using: &dice) < settings.reorderShare {
                wait += Int.random(in: 0...1000, using: &dice)
            }
            let deed = Deed.status(
                OutgoingStatus(
                    phoneNumberID: phoneNumberID, wamid: wamid, to: to, status: status,
                    opaque: code == nil || settings.opaqueOnFailed ? opaque : nil, code: code))
            let moment = steadyNanoseconds() + UInt64(wait) * 1_000_000
            later.add(deed, at: moment)
            if Double.random(in: 0..<1, using: &dice) < settings.duplicateShare { later.add(deed, at: moment) }
        }
        if case .fail(let code) = fault { return schedule("failed", code: code) }
        schedule("sent")
        at += settings.deliveredAfter
        schedule("delivered")
        guard settings.readAfter >= 0 else { return }
        at += settings.readAfter
        schedule("read")
    }

    // MARK: /sandbox

    private func control(_ what: String, _ request: HTTPRequest) -> HTTPResponse {
        let query = request.head.query ?? []
        func number(_ name: String) -> Int? { query.first { $0.name == name }.flatMap { Int($0.value) } }
        switch (request.head.method, what) {
        case ("GET", "ledger"):
            return json(200) {
                ledger.write(after: number("after") ?? 0, limit: max(0, number("limit") ?? 1000), to: &$0)
            }
        case ("DELETE", "ledger"):
            ledger.forget()
            return HTTPResponse(status: 204)
        case ("GET", "summary"):
            return json(200) {
                $0.object("data") {
                    $0.field("received", ledger.received)
                    $0.field("accepted", ledger.accepted)
                    $0.field("webhooksWaiting", webhooks.waiting + later.count)
                    $0.field("webhooksAnswered", webhooks.answered)
                    $0.field("webhooksGivenUp", webhooks.givenUp)
                }
            }
        case ("GET", "faults"): return faults()
        case ("PUT", "faults"): return setFaults(request.body)
        case ("POST", "inbound"): return inbound(request.body)
        default: return graphError(status: 404, code: 2500, message: "Unknown path components")
        }
    }

    private func faults() -> HTTPResponse {
        json(200) { json in json.array("rules") { for rule in rules { $0.value(rule.text) } } }
    }

    private func setFaults(_ body: [UInt8]) -> HTTPResponse {
        do {
            let list = try parser.parse(body)["rules"]
            let texts = list?.elements.map(\.string)
            guard let texts, list?.kind == .array, !texts.contains(nil) else {
                return graphError(status: 400, code: 100, message: "rules must be an array of strings")
            }
            rules = try texts.compactMap { $0 }.map { try FaultRule($0) }
            return faults()
        } catch {
            return graphError(status: 400, code: 100, message: "\(error)")
        }
    }

    private func inbound(_ body: [UInt8]) -> HTTPResponse {
        guard let value = try? parser.parse(body), let from = value["from"]?.string,
            let phoneNumberID = value["phoneNumberId"]?.string
        else { return graphError(status: 400, code: 100, message: "from and phoneNumberId are required") }
        let wamid = "wamid.INBOUND" + String(dice.next(), radix: 36)
        webhooks.sendInbound(
            phoneNumberID: phoneNumberID, from: from, wamid: wamid, text: value["text"]?.string ?? "Hello")
        return json(202) { $0.field("id", wamid) }
    }
}

func json(_ status: Int, _ body: (inout JSONWriter) -> Void) -> HTTPResponse {
    var json = JSONWriter()
    json.object(nil, body)
    return HTTPResponse(status: status, headers: [HTTPHeader("content-type", "application/json")], body: json.bytes)
}

/// The shape of Meta's error bodies.
func graphError(status: Int, code: Int64, message: String) -> HTTPResponse {
    json(status) {
        $0.object("error") {
            $0.field("message", "(#\(code)) \(message)")
            $0.field("type", "OAuthException")
            $0.field("code", code)
            $0.object("error_data") {
                $0.field("messaging_product", "whatsapp")
                $0.field("details", message)
            }
            $0.field("fbtrace_id", "sandbox")
        }
    }
}

func title(_ code: Int64) -> String { MetaError.of(code)?.title ?? "Unknown error" }
