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
        let body = (try? parser.parse(request.body)) ?? nil
        if let body, body["status"]?.string == "read" {
            return markRead(request, body, phoneNumberID: phoneNumberID, exchange)
        }
        let tooFast = limits.sendArrived(phoneNumberID, opaque: body?["biz_opaque_callback_data"]?.string, now)
        let refusal =
            refusal(request, body) ?? body.flatMap { shelf.refusal(of: $0, from: phoneNumberID, now)?.response }
        if let refusal {
            note(phoneNumberID, body, request.body, nil, "refused")
            return server.respond(exchange, refusal)
        }
        let to = (body?["to"]?.string ?? "").filter(\.isNumber)
        let person = to.isEmpty ? body?["recipient"]?.string ?? "" : settings.person(to)
        let pair = Pair(phoneNumberID: phoneNumberID, person: person)
        let fault = tooFast == nil ? nextFault(to: to) : nil
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
        case .loseAnswer, .reset, .truncate, .garbage, .fail, .silent, .slow, .hold, .mediaError, .mediaHTTP,
            .mediaDrop, .mediaSlow, nil:
            if let broken = tooFast ?? limits.refusal(pair, now), let code = broken.code {
                note(phoneNumberID, body, request.body, nil, broken.rawValue)
                return respond(exchange, graphError(status: 400, code: code, message: title(code)))
            }
            accept(body, request.body, pair, fault, exchange, now)
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
        _ body: JSONValue?, _ bytes: [UInt8], _ pair: Pair, _ fault: Fault?, _ exchange: Exchange, _ now: UInt64
    ) {
        let wamid = "wamid.SANDBOX" + String(dice.next(), radix: 36) + String(dice.next(), radix: 36)
        let opaque = body?["biz_opaque_callback_data"]?.string
        let missed = limits.accepted(pair, isTemplate: body?["type"]?.string == "template", opaque: opaque, now)
        let name = fault.map { "\($0)" } ?? missed?.rawValue ?? "accepted"
        note(pair.phoneNumberID, body, bytes, wamid, name)
        let accepted = acceptance(body, pair.person, wamid, isHeld: fault == .hold)
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
        var status = OutgoingStatus(
            phoneNumberID: pair.phoneNumberID, wamid: wamid, to: pair.person, status: "sent", opaque: opaque)
        if body?["type"]?.string == "template" { status.category = templates.category(body?["template"]) }
        switch fault {
        case .silent: break
        case .fail(let code): follow(status, after: 0, code: code)
        case .hold: follow(status, after: Self.holdMilliseconds, code: missed?.code)
        // Meta's page "Reaction messages": a reaction is only ever sent.
        default: follow(status, after: 0, code: missed?.code, isReaction: body?["type"]?.string == "reaction")
        }
    }

    /// What Meta refuses before anything else.
    private func refusal(_ request: HTTPRequest, _ body: JSONValue?) -> HTTPResponse? {
        if let refusal = unauthorized(request) { return refusal }
        guard let body, body.kind == .object else {
            return graphError(status: 400, code: 100, message: "Invalid JSON body")
        }
        do throws(Refusal) {
            try judgeEnvelope(body)
            try judge.judge(body)
        } catch {
            return error.response
        }
        return body["type"]?.string == "template" ? body["template"].flatMap(templates.refusal) : nil
    }

    private func judgeEnvelope(_ body: JSONValue) throws(Refusal) {
        guard body["messaging_product"]?.string == "whatsapp" else {
            throw .parameter("The parameter messaging_product is required.")
        }
        guard let to = body["to"]?.string ?? body["recipient"]?.string, !to.isEmpty else {
            throw .parameter("The parameter to is required.")
        }
        if (body["biz_opaque_callback_data"]?.string?.count ?? 0) > 512 {
            throw .parameter("Param biz_opaque_callback_data must be at most 512 characters long.")
        }
    }

    private func acceptance(_ body: JSONValue?, _ person: String, _ wamid: String, isHeld: Bool) -> HTTPResponse {
        json(200) {
            $0.field("messaging_product", "whatsapp")
            $0.array("contacts") {
                $0.object {
                    $0.field("input", body?["to"]?.string ?? person)
                    $0.field(isUserID(person) ? "user_id" : "wa_id", person)
                }
            }
            $0.array("messages") {
                $0.object {
                    $0.field("id", wamid)
                    if isHeld {
                        $0.field("message_status", "held_for_quality_assessment")
                    } else if body?["type"]?.string == "template" {
                        $0.field("message_status", "accepted")
                    }
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
}
