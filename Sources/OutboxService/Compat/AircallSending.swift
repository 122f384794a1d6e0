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

    /// Before Meta was asked nothing is known, and nothing is held back. `waits` is the line's `why`, where it is known.
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
    private static let templatesAtOnce = 200

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

    // MARK: Templates

    /// The approved template with this id of Meta's, or this `name/language`.
    private func withTemplate(
        _ id: String, _ number: Number, after cursor: String? = nil, _ then: @escaping (Template) -> Translation
    ) -> Translation {
        let page = cursor.map { "&cursor=\(percentEncoded($0))" } ?? ""
        let path = "/v1/lines/\(number.name)/templates?limit=\(Self.templatesAtOnce)\(page)"
        return ask(OwnCall(.lineTemplates(number.name), path)) { answer, _ in
            for object in answer["data"]?.elements.map({ $0 }) ?? [] {
                guard let template = template(from: object),
                    template.id == id || TemplateName(name: template.name, language: template.language).text == id
                else { continue }
                guard template.status == .approved else {
                    return Self.notApproved("\(template.name) is \(template.status.name) with Meta")
                }
                return then(template)
            }
            if let next = answer["meta"]?["pagination"]?["cursor"]?.string {
                return withTemplate(id, number, after: next, then)
            }
            return Self.notApproved("the line \(number.name) has no template with the id \(id)")
        }
    }

    private static func notApproved(_ why: String) -> Translation {
        .answer(
            refused(
                400, "template not approved",
                "\(why); GET /v1/numbers/{id}/templates lists those that can be sent"))
    }

    /// As Meta's components, one for each part that was given something.
    private func write(_ wanted: AircallTemplate, for template: Template, to json: inout JSONWriter) {
        let isNamed = template.parameterFormat == .named
        func texts(_ variables: [AircallTemplate.Variable], to json: inout JSONWriter) {
            json.array("parameters") { json in
                for variable in isNamed ? variables : variables.sorted(by: Self.comesFirst) {
                    json.object {
                        $0.field("type", "text")
                        if isNamed { $0.field("parameter_name", variable.key) }
                        $0.field("text", variable.value)
                    }
                }
            }
        }
        if !wanted.header.isEmpty {
            json.object { json in
                json.field("type", "header")
                guard let media = template.headerMedia else { return texts(wanted.header, to: &json) }
                json.array("parameters") { json in
                    for variable in wanted.header {
                        json.object { json in
                            json.field("type", media.rawValue)
                            json.object(media.rawValue) { $0.field("link", variable.value) }
                        }
                    }
                }
            }
        }
        if !wanted.body.isEmpty {
            json.object { json in
                json.field("type", "body")
                texts(wanted.body, to: &json)
            }
        }
        for (index, variable, isCoupon) in buttons(wanted, template) {
            json.object { json in
                json.field("type", "button")
                json.field("sub_type", isCoupon ? "copy_code" : "url")
                json.field("index", String(index))
                json.array("parameters") {
                    $0.object {
                        $0.field("type", isCoupon ? "coupon_code" : "text")
                        $0.field(isCoupon ? "coupon_code" : "text", variable.value)
                    }
                }
            }
        }
    }

    /// `{{2}}` comes before `{{10}}`.
    private static func comesFirst(_ a: AircallTemplate.Variable, _ b: AircallTemplate.Variable) -> Bool {
        (Int64(a.key) ?? .max) < (Int64(b.key) ?? .max)
    }

    /// Buttons that take something, with what they take: where none is given, a login code is that of the body.
    private func buttons(
        _ wanted: AircallTemplate, _ template: Template
    ) -> [(index: Int64, AircallTemplate.Variable, isCoupon: Bool)] {
        var open: [(index: Int64, isCoupon: Bool, isCode: Bool)] = []
        for case .button(let index, let need) in template.needs {
            switch need {
            case .url: open.append((Int64(index), false, false))
            case .oneTimePassword: open.append((Int64(index), false, true))
            case .copyCode: open.append((Int64(index), true, false))
            default: break
            }
        }
        if wanted.buttons.isEmpty, let code = wanted.body.first, let button = open.first(where: \.isCode) {
            return [(button.index, code, false)]
        }
        return wanted.buttons.enumerated().map { place, variable in
            let index = variable.index ?? (place < open.count ? open[place].index : Int64(place))
            return (index, variable, open.first { $0.index == index }?.isCoupon ?? false)
        }
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

extension Template {
    fileprivate var headerMedia: HeaderMedia? {
        for case .headerMedia(let media) in needs { return media }
        return nil
    }

    fileprivate func bodyText(_ parser: JSONParser) -> String? {
        (try? parser.parse(raw))?["components"]?.elements.first { $0["type"]?.string?.uppercased() == "BODY" }?["text"]?
            .string
    }
}
