import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// `POST /{version}/{phone number id}/messages`
extension Sandbox {
    /// How long a message held for quality assessment is held.
    private static let holdMilliseconds = 1000

    func message(_ request: HTTPRequest, phoneNumberID: String, _ exchange: Exchange) {
        let now = steadyNanoseconds()
        let message = PostedMessage(request.body, parser)
        if let json = message.json, message["status"]?.string == "read" {
            return markRead(request, json, phoneNumberID: phoneNumberID, exchange)
        }
        let tooFast = limits.sendArrived(phoneNumberID, opaque: message.opaque, now)
        if let refusal = refusal(request, message) ?? shelf.refusal(of: message, from: phoneNumberID, now)?.response {
            note(phoneNumberID, message, nil, "refused")
            return server.respond(exchange, refusal)
        }
        let to = digits(message.to ?? "")
        let person = to.isEmpty ? message.recipient ?? "" : settings.person(to)
        let pair = Pair(phoneNumberID: phoneNumberID, person: person)
        let fault = tooFast == nil ? nextFault(to: to) : nil
        let name = fault?.name ?? "accepted"
        switch fault {
        case .error(let code):
            note(phoneNumberID, message, nil, name)
            respond(exchange, graphError(status: 400, code: code, message: title(code)))
        case .throttle(let seconds):
            note(phoneNumberID, message, nil, name)
            var response = graphError(status: 429, code: 130_429, message: title(130_429))
            response.headers.append(HTTPHeader("retry-after", String(seconds)))
            respond(exchange, response)
        case .http(let status):
            note(phoneNumberID, message, nil, name)
            respond(exchange, HTTPResponse(status: status, body: Array("<html></html>\n".utf8)))
        case .drop:
            note(phoneNumberID, message, nil, name)
            server.breakOff(exchange)
        case .loseAnswer, .reset, .truncate, .garbage, .fail, .silent, .slow, .hold, .mediaError, .mediaHTTP,
            .mediaDrop, .mediaSlow, nil:
            if let broken = tooFast ?? limits.refusal(pair, now), let code = broken.code {
                note(phoneNumberID, message, nil, broken.rawValue)
                return respond(exchange, graphError(status: 400, code: code, message: title(code)))
            }
            accept(message, pair, fault, exchange, now)
        }
    }

    /// What the first rule says that applies; each one throws its own dice.
    private func nextFault(to digits: String) -> Fault? {
        for rule in rules where !rule.isOfMedia {
            if let fault = rule.fault(to: digits, &dice) { return fault }
        }
        return nil
    }

    /// The same of uploads.
    func nextMediaFault() -> Fault? {
        for rule in rules where rule.isOfMedia {
            if let fault = rule.fault(to: "", &dice) { return fault }
        }
        return nil
    }

    private func accept(
        _ message: PostedMessage, _ pair: Pair, _ fault: Fault?, _ exchange: Exchange, _ now: UInt64
    ) {
        let wamid = newWamid()
        let missed = limits.accepted(pair, isTemplate: message.isTemplate, opaque: message.opaque, now)
        note(pair.phoneNumberID, message, wamid, fault?.name ?? missed?.rawValue ?? "accepted")
        let accepted = acceptance(message, pair.person, wamid, isHeld: fault == .hold)
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
        // Nobody is told.
        if fault == .silent || settings.webhookURL == nil { return }
        var status = OutgoingStatus(
            phoneNumberID: pair.phoneNumberID, wamid: wamid, to: pair.person, status: "sent", opaque: message.opaque)
        if message.isTemplate { status.category = templates.category(message["template"]) }
        switch fault {
        case .fail(let code): follow(status, after: 0, code: code)
        case .hold: follow(status, after: Self.holdMilliseconds, code: missed?.code)
        // Meta's page "Reaction messages": a reaction is only ever sent.
        default: follow(status, after: 0, code: missed?.code, isReaction: message.type == "reaction")
        }
    }

    private func newWamid() -> String {
        let numbers = (dice.next(), dice.next())
        return "wamid.SANDBOX" + String(numbers.0, radix: 36) + String(numbers.1, radix: 36)
    }

    /// What Meta refuses before anything else.
    private func refusal(_ request: HTTPRequest, _ message: PostedMessage) -> HTTPResponse? {
        if let refusal = unauthorized(request) { return refusal }
        guard message.isObject else { return graphError(status: 400, code: 100, message: "Invalid JSON body") }
        do throws(Refusal) {
            try judgeEnvelope(message)
            try judge.judge(message)
        } catch {
            return error.response
        }
        return message.isTemplate ? message["template"].flatMap(templates.refusal) : nil
    }

    private func judgeEnvelope(_ message: PostedMessage) throws(Refusal) {
        guard message["messaging_product"]?.string == "whatsapp" else {
            throw .parameter("The parameter messaging_product is required.")
        }
        guard let to = message.to ?? message.recipient, !to.isEmpty else {
            throw .parameter("The parameter to is required.")
        }
        // A character has a byte at least.
        if let opaque = message.opaque, opaque.utf8.count > 512, opaque.count > 512 {
            throw .parameter("Param biz_opaque_callback_data must be at most 512 characters long.")
        }
    }

    private func acceptance(_ message: PostedMessage, _ person: String, _ wamid: String, isHeld: Bool) -> HTTPResponse {
        json(200) {
            $0.field("messaging_product", "whatsapp")
            $0.array("contacts") {
                $0.object {
                    $0.field("input", message.to ?? person)
                    $0.field(isUserID(person) ? "user_id" : "wa_id", person)
                }
            }
            $0.array("messages") {
                $0.object {
                    $0.field("id", wamid)
                    if isHeld {
                        $0.field("message_status", "held_for_quality_assessment")
                    } else if message.isTemplate {
                        $0.field("message_status", "accepted")
                    }
                }
            }
        }
    }

    private func note(_ phoneNumberID: String, _ message: PostedMessage, _ wamid: String?, _ outcome: String) {
        ledger.add(
            Ledger.Entry(
                sequence: 0, at: Timestamp(milliseconds: wallClockMilliseconds()), phoneNumberID: phoneNumberID,
                to: message.to ?? "", type: message.type ?? "", opaque: message.opaque, wamid: wamid, outcome: outcome,
                body: message.bytes))
    }
}

/// Of a number as somebody wrote it.
private func digits(_ text: String) -> String {
    guard text.utf8.allSatisfy({ $0 < 0x80 }) else { return text.filter(\.isNumber) }
    return String(decoding: text.utf8.filter { (0x30...0x39).contains($0) }, as: UTF8.self)
}
