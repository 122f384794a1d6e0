import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// Calls other than messages: numbers, templates, tokens, connecting a number.
extension Sandbox {
    /// Whether the call is one of these; it is answered then.
    func graph(_ path: [String], _ request: HTTPRequest, _ exchange: Exchange) -> Bool {
        let method = request.head.method
        let last = path[path.count - 1]
        if path.count == 3, path[1] == "oauth", last == "access_token", method == "GET" {
            answer(last, request, exchange, isOpen: true) { onboarding.exchange(request.head, settings) }
            return true
        }
        switch (method, path.count, last) {
        case ("GET", 2, "debug_token"):
            answer(last, request, exchange) { onboarding.debugToken(request.head, settings) }
        case ("GET", 2, _):
            answer("number", request, exchange) { numbers.answer(path[1], fields: request.head.parameter("fields")) }
        case ("POST", 2, _): answer("template", request, exchange) { editTemplate(path[1], request.body) }
        case ("GET", 3, "message_history"):
            answer(last, request, exchange) { numbers.historyRefusal(path[1]) ?? history.answer(request.head) }
        case ("GET", 3, "message_templates"): answer(last, request, exchange) { templates.page(request.head) }
        case ("POST", 3, "message_templates"):
            answer(last, request, exchange) { makeTemplate(path[1], request.body) }
        case ("DELETE", 3, "message_templates"): answer(last, request, exchange) { templates.delete(request.head) }
        case ("POST", 3, "register"):
            answer(last, request, exchange) { register(path[1], request.body) }
        case ("POST", 3, "deregister"): answer(last, request, exchange) { numbers.deregister(path[1]) }
        case ("GET", 3, "phone_numbers"): answer(last, request, exchange) { numbers.list(request.head) }
        case ("GET", 3, "subscribed_apps"): answer(last, request, exchange) { onboarding.subscribed(path[1]) }
        case ("POST", 3, "subscribed_apps"), ("DELETE", 3, "subscribed_apps"):
            let app = onboarding.appID(of: bearer(request))
            answer(last, request, exchange) {
                onboarding.subscribe(path[1], app: app, method == "POST")
            }
        case ("GET", 3, "businesses"): answer(last, request, exchange) { onboarding.businesses }
        case ("GET", 3, "owned_whatsapp_business_accounts"):
            answer(last, request, exchange) { onboarding.accounts }
        case ("GET", 3, "client_whatsapp_business_accounts"): answer(last, request, exchange) { onboarding.none }
        default: return false
        }
        return true
    }

    /// What the first rule for this call says, else the answer. `isOpen`: it takes no token.
    private func answer(
        _ call: String, _ request: HTTPRequest, _ exchange: Exchange, isOpen: Bool = false,
        _ body: () -> HTTPResponse
    ) {
        if !isOpen, let refusal = unauthorized(request) { return respond(exchange, refusal) }
        var fault: Fault?
        for rule in rules {
            fault = rule.fault(of: call, &dice)
            if fault != nil { break }
        }
        switch fault {
        case .error(let code): respond(exchange, faultAnswer(code))
        case .throttle(let seconds):
            var response = graphError(status: 429, code: 80_007, message: title(80_007))
            response.headers.append(HTTPHeader("retry-after", String(seconds)))
            respond(exchange, response)
        case .http(let status):
            respond(exchange, HTTPResponse(status: status, body: Array("<html></html>\n".utf8)))
        case .drop: server.breakOff(exchange)
        case .loseAnswer:
            _ = body()
            server.breakOff(exchange)
        case .reset:
            _ = body()
            server.breakOff(exchange, reset: true)
        case .truncate:
            let whole = body()
            let head = "HTTP/1.1 200 OK\r\ncontent-length: \(whole.body.count)\r\n\r\n"
            server.breakOff(exchange, writing: Array(head.utf8) + whole.body.prefix(whole.body.count / 2))
        case .garbage:
            _ = body()
            respond(exchange, HTTPResponse(status: 200, body: Array("<html></html>\n".utf8)))
        case .slow(let milliseconds): respond(exchange, body(), after: milliseconds)
        case .fail, .silent, .hold, .mediaError, .mediaHTTP, .mediaDrop, .mediaSlow, nil: respond(exchange, body())
        }
    }

    /// Of templates Meta's code is 100 and the subcode tells.
    private func faultAnswer(_ code: Int64) -> HTTPResponse {
        guard code > 2_000_000 else { return graphError(status: 400, code: code, message: title(code)) }
        return graphError(
            status: 400, code: 100, message: "Invalid parameter", subcode: code,
            userMessage: "The sandbox was told to say so.")
    }

    func bearer(_ request: HTTPRequest) -> String {
        String((request.head["authorization"] ?? "").dropFirst("Bearer ".count))
    }

    // MARK: Templates

    private func makeTemplate(_ accountID: String, _ bytes: [UInt8]) -> HTTPResponse {
        switch judgedTemplate(object(bytes)) {
        case .failure(let refusal): return refusal.response
        case .success(let draft):
            guard let made = templates.make(draft, accountID: accountID) else {
                return graphError(
                    status: 400, code: 100, message: "Invalid parameter", subcode: 2_388_024,
                    userMessage: "There is already content in this language for this template.")
            }
            review(made)
            return json(200) {
                $0.field("id", made.id)
                $0.field("status", made.status)
                $0.field("category", made.value["category"]?.string)
            }
        }
    }

    private func editTemplate(_ id: String, _ bytes: [UInt8]) -> HTTPResponse {
        guard let change = object(bytes) else { return Refusal.parameter("Invalid JSON body").response }
        guard let before = templates.template(id: id) else {
            return graphError(
                status: 400, code: 100, message: "Unsupported post request. Object with ID '\(id)' does not exist",
                subcode: 33)
        }
        guard ["APPROVED", "REJECTED", "PAUSED"].contains(before.status) else {
            return graphError(
                status: 400, code: 100, message: "Invalid parameter", subcode: 2_388_003,
                userMessage: "Only approved, rejected and paused templates can be edited.")
        }
        switch judgedTemplate(before.with(change)) {
        case .failure(let refusal): return refusal.response
        case .success(let value):
            let changed = templates.change(id: id, value)
            changed.map(review)
            return json(200) { $0.field("success", true) }
        }
    }

    private func judgedTemplate(_ draft: JSONValue?) -> Result<JSONValue, Refusal> {
        guard let draft else { return .failure(.parameter("Invalid JSON body")) }
        do throws(Refusal) {
            try judgeTemplate(draft)
            return .success(draft)
        } catch {
            return .failure(error)
        }
    }

    /// Meta looks at it, and says so after a while.
    private func review(_ template: Template) {
        guard settings.approveAfter >= 0 else { return }
        later.add(.approve(template.id), at: steadyNanoseconds() + UInt64(settings.approveAfter) * 1_000_000)
    }

    /// `reason` is Meta's word of why it was rejected, such as `INVALID_FORMAT`.
    func setStatus(id: String, _ status: String, reason: String?) -> Bool {
        guard let (template, accountID) = templates.setStatus(id: id, status, reason: reason ?? "NONE") else {
            return false
        }
        var value = JSONWriter()
        value.object {
            $0.field("event", status)
            $0.field("message_template_id", Int64(template.id))
            $0.field("message_template_name", template.name)
            $0.field("message_template_language", template.language.replacing("_", with: "-"))
            $0.field("reason", reason ?? "NONE")
        }
        if let value = try? parser.parse(value.bytes) {
            webhooks.sendEvent(field: "message_template_status_update", accountID: accountID, value: value)
        }
        return true
    }

    // MARK: Numbers

    private func register(_ phoneNumberID: String, _ bytes: [UInt8]) -> HTTPResponse {
        let body = object(bytes)
        guard body?["messaging_product"]?.string == "whatsapp" else {
            return Refusal.parameter("The parameter messaging_product is required.").response
        }
        guard let pin = body?["pin"]?.string, pin.utf8.count == 6, pin.utf8.allSatisfy({ (0x30...0x39).contains($0) })
        else { return Refusal.parameter("Param pin must be 6 digits long.").response }
        return numbers.register(phoneNumberID, pin: pin)
    }
}
