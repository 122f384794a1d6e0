import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore

/// How a line stands, in Aircall's words: what Meta says of it, and what holds its messages here.
struct AircallStanding {
    /// `ONLINE`, `OFFLINE` or `NOT_REGISTERED`
    var status: String
    var canSend: CanSend

    /// Before Meta was asked nothing is known, and nothing is held back. `waits`: the line's `why`, where it was read.
    init(_ health: JSONValue?, pauses: JSONValue?, of line: String, waits: JSONValue? = nil) {
        status = health?["status"]?.string ?? LineStatus.online.name
        canSend = health?["canSendMessage"]?.string.flatMap { CanSend(name: $0) } ?? .available
        let isPaused =
            pauses?.elements.contains { pause in
                switch pause["scope"]?.string {
                case "everything": true
                case "line": pause["line"]?.string == line
                default: false
                }
            } ?? false
        if isPaused || status != LineStatus.online.name { canSend = .blocked }
        let isHeld = waits?["held"] != nil || waits?["metaHeld"] != nil || waits?["pool"]?["free"]?.integer == 0
        if isHeld, canSend == .available { canSend = .limited }
    }
}

/// Messages: one of a registered line is told of by callback, one of another line shows in its conversations alone.
extension Aircall {
    /// Our names of fields as they are called there.
    private static let fields = ["message": "text", "line": "lineId", "template": "templateParams"]

    func send(_ message: AircallMessage, native: Bool) throws(APIError) -> Translation {
        let unknown = APIError.validation([
            FieldError("lineId", "there is no line \(message.line): give a line's name, or its phoneNumberId")
        ])
        return withNumber(message.line, unknown: unknown) { number in
            withRegistration(of: number) { registration in
                if let mode = wrongMode(number, isRegistered: registration != nil, native: native) { return mode }
                guard number.wabaID != nil else { return Self.noAccount(number) }
                return withStanding(of: number) {
                    switch message.content {
                    case .text(let text): submit(message, number) { $0.field("message", text) }
                    case .template(let wanted):
                        withTemplate(wanted.id, number) { template in
                            submit(message, number, template: template) { json in
                                json.object("template") {
                                    $0.field("name", template.name)
                                    $0.field("language", template.language)
                                    $0.array("components") { write(wanted, for: template, to: &$0) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private func wrongMode(_ number: Number, isRegistered: Bool, native: Bool) -> Translation? {
        let place = "/v1/numbers/\(number.name)/messages/configuration"
        switch (native, isRegistered) {
        case (false, false):
            return .answer(
                Self.refused(
                    400, "line not configured",
                    "the line \(number.name) is not registered for Public API use: call POST \(place) first"))
        case (true, true):
            return .answer(
                Self.refused(
                    400, "line configured",
                    "the line \(number.name) is registered for Public API use: send with POST "
                        + "/v1/messages/whatsapp/send, or call DELETE \(place) first"))
        default: return nil
        }
    }

    /// Goes on with a line that can send.
    private func withStanding(of number: Number, _ then: @escaping () -> Translation) -> Translation {
        ask(OwnCall(.lineHealth(number.name), "/v1/lines/\(number.name)/health")) { health, _ in
            ask(OwnCall(.pauses, "/v1/pauses")) { pauses, _ in
                let standing = AircallStanding(health["data"], pauses: pauses["data"], of: number.name)
                guard standing.canSend == .blocked else { return then() }
                let word = standing.status == LineStatus.online.name ? standing.canSend.name : standing.status
                return Self.stopped(number, word)
            }
        }
    }

    private static func stopped(_ number: Number, _ word: String) -> Translation {
        .answer(
            refused(
                400, "line \(word)",
                "the line \(number.name) is \(word): see GET /v1/numbers/\(number.name)/whatsapp_status, and GET "
                    + "/v1/lines/\(number.name)/why for the reason"))
    }

    // MARK: The queue

    /// Text outside the person's window is taken, and fails: its callback tells of it. A full tier is told at once.
    private func submit(
        _ message: AircallMessage, _ number: Number, template: Template? = nil,
        _ content: (inout JSONWriter) -> Void
    ) -> Translation {
        let call = OwnCall(.submit, "/v1/messages") { json in
            json.field("line", number.name)
            json.field("to", message.to)
            content(&json)
            json.field("whenFull", WhenFull.refuse.name)
            json.field("closedWindow", "fail")
        }
        return .ask(call) { response in
            if let error = response.refusal(parser) { return .answer(Self.refused(error, number)) }
            guard let answer = try? parser.parse(response.body), let id = answer["data"]?["id"]?.string else {
                return .answer(Self.refusal(APIError(.internalError, "outboxd's own answer could not be read")))
            }
            let at = front.messageID(id)?.moment ?? front.now
            var told = HTTPResponse.json(200) { json in
                AircallCallback.write(id: id, isInbound: false, status: "pending", person: message.to, to: &json)
                if case .text(let text) = message.content { json.field("body", text) }
                if let template { json.field("template_content", template.bodyText(parser)) }
                json.array("media_url") { _ in }
                json.field("created_at", at.rfc3339)
                json.field("updated_at", at.rfc3339)
                json.field("sent_at", nil as String?)
                AircallCallback.write(number: number.name, to: &json)
            }
            told.headers += response.passedHeaders
            return .answer(told)
        }
    }

    private static func refused(_ error: APIError, _ number: Number) -> HTTPResponse {
        var error = error
        error.details = error.details.map { detail in
            let parts = detail.field.split(separator: ".", maxSplits: 1).map(String.init)
            let first = parts.first.map { fields[$0] ?? $0 } ?? ""
            return FieldError(([first] + parts.dropFirst()).joined(separator: "."), detail.message)
        }
        switch error.code {
        case .limitReached:
            var response = refused(
                429, "messaging tier limit exceeded",
                "\(error.message); the line has written to as many people in 24 hours as its tier allows")
            response.headers += HTTPResponse.error(error).passedHeaders
            return response
        case .lineStopped: return refused(400, "line BLOCKED", error.message)
        default: return refusal(error)
        }
    }
}
