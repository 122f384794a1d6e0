import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxSystem

/// `/sandbox/…`: what a test asks and sets.
extension Sandbox {
    func control(_ path: [String], _ request: HTTPRequest) -> HTTPResponse {
        func number(_ name: String) -> Int? { request.head.parameter(name).flatMap { Int($0) } }
        switch (request.head.method, path.first, path.dropFirst().first) {
        case ("GET", "ledger", nil):
            return json(200) {
                ledger.write(after: number("after") ?? 0, limit: max(0, number("limit") ?? 1000), to: &$0)
            }
        case ("DELETE", "ledger", nil):
            ledger.forget()
            return HTTPResponse(status: 204)
        case ("DELETE", "limits", nil):
            limits = Limits(settings.limits)
            return HTTPResponse(status: 204)
        case ("DELETE", "media", nil):
            shelf.removeAll()
            return HTTPResponse(status: 204)
        case ("GET", "summary", nil): return summary()
        case ("GET", "faults", nil): return faults()
        case ("PUT", "faults", nil): return setFaults(request.body)
        case ("PUT", "webhooks", nil): return setWebhooks(request.body)
        case ("PUT", "numbers", .some(let phoneNumberID)): return setNumber(phoneNumberID, request.body)
        case ("PUT", "templates", nil): return setTemplates(request.body)
        case ("PUT", "templates", .some(let id)): return setTemplate(id, request.body)
        case ("PUT", "tokens", .some(let token)): return setToken(token, request.body)
        case ("POST", "inbound", nil): return inbound(request.body)
        case ("POST", "event", nil): return event(request.body)
        default: return graphError(status: 404, code: 2500, message: "Unknown path components")
        }
    }

    private func summary() -> HTTPResponse {
        json(200) {
            $0.object("data") {
                $0.field("received", ledger.received)
                $0.field("accepted", ledger.accepted)
                $0.field("webhooksWaiting", waiting)
                $0.field("webhooksAnswered", webhooks.answered)
                $0.field("webhooksGivenUp", webhooks.givenUp)
                $0.field("webhooksDropped", webhooks.dropped)
                $0.field("markedRead", marks.read)
                $0.field("typing", marks.typing)
                $0.field("historyAsked", history.asked)
                $0.field("uploads", shelf.uploads)
                $0.field("uploadedBytes", shelf.uploadedBytes)
                $0.field("downloads", shelf.downloads)
                $0.object("violations") {
                    for violation in Violation.allCases { $0.field(violation.rawValue, limits.count(violation)) }
                }
                $0.field("peakPerSecond", limits.peakPerSecond)
                $0.field("peakPeople", limits.peakPeople)
            }
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

    /// `paused`: they are kept back; `lost`: they are posted neither now nor later.
    private func setWebhooks(_ body: [UInt8]) -> HTTPResponse {
        let paused = object(body)?["paused"]?.bool
        let lost = object(body)?["lost"]?.bool
        guard paused != nil || lost != nil else {
            return graphError(status: 400, code: 100, message: "paused or lost must be true or false")
        }
        if let lost { webhooks.isLosing = lost }
        if let paused { webhooks.isPaused = paused }
        return json(200) {
            $0.field("paused", webhooks.isPaused)
            $0.field("lost", webhooks.isLosing)
        }
    }

    private func setNumber(_ phoneNumberID: String, _ body: [UInt8]) -> HTTPResponse {
        guard let fields = object(body) else {
            return graphError(status: 400, code: 100, message: "a JSON object of fields is required")
        }
        numbers.set(phoneNumberID, fields)
        return numbers.answer(phoneNumberID, fields: fields.members.map(\.name).joined(separator: ","))
    }

    private func setTemplates(_ body: [UInt8]) -> HTTPResponse {
        guard let list = object(body), templates.set(list) else {
            let message = "templates must be an array of objects with id, name, language and status"
            return graphError(status: 400, code: 100, message: message)
        }
        return HTTPResponse(status: 204)
    }

    private func setTemplate(_ id: String, _ body: [UInt8]) -> HTTPResponse {
        guard let fields = object(body), let status = fields["status"]?.string else {
            return graphError(status: 400, code: 100, message: "status must be a string")
        }
        guard setStatus(id: id, status, reason: fields["reason"]?.string) else {
            return graphError(status: 404, code: 100, message: "there is no template of this id")
        }
        return HTTPResponse(status: 204)
    }

    private func setToken(_ token: String, _ body: [UInt8]) -> HTTPResponse {
        guard let fields = object(body) else {
            return graphError(status: 400, code: 100, message: "a JSON object of fields is required")
        }
        onboarding.set(token, fields)
        return HTTPResponse(status: 204)
    }

    // MARK: Webhooks

    private func event(_ body: [UInt8]) -> HTTPResponse {
        guard let event = object(body), let field = event["field"]?.string, let accountID = event["wabaId"]?.string,
            let value = event["value"]
        else { return graphError(status: 400, code: 100, message: "field, wabaId and value are required") }
        webhooks.sendEvent(field: field, accountID: accountID, value: value)
        return json(202) { $0.field("success", true) }
    }

    /// The body, when it is a JSON object.
    func object(_ body: [UInt8]) -> JSONValue? {
        // Whoever sent something else is told what was wanted instead.
        guard let value = try? parser.parse(body), value.kind == .object else { return nil }
        return value
    }
}
