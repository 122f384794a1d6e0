import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore

/// A line's templates: the list, and what `templateParams` fills in.
extension Aircall {
    /// Of a list in which one is looked for.
    private static let templatesAtOnce = 200

    /// Meta's words its document has others for.
    private static let statuses = [
        "IN_APPEAL": "REJECTED", "LIMIT_EXCEEDED": "DISABLED", "ARCHIVED": "DISABLED", "PENDING_DELETION": "DISABLED",
        "DELETED": "DISABLED",
    ]

    func templates(of id: String, _ head: RequestHead) throws(APIError) -> Translation {
        guard let parameters = head.query else { throw APIError(.malformed, "the query holds a broken % escape") }
        var query: [String] = []
        for (name, value) in parameters {
            switch name {
            case "status":
                let words = value.uppercased().split(separator: ",").map(String.init)
                let all = words + Self.statuses.filter { words.contains($0.value) }.map(\.key).sorted()
                query.append("status=\(percentEncoded(all.joined(separator: ",")))")
            case "token": query.append("cursor=\(percentEncoded(value))")
            case "category", "limit": query.append("\(name)=\(percentEncoded(value))")
            default:
                throw .validation([
                    FieldError(name, "is not known here; known are status, category, limit, token")
                ])
            }
        }
        let parameterText = query.isEmpty ? "" : "?" + query.joined(separator: "&")
        return withNumber(id) { number in
            guard number.wabaID != nil else { return Self.noAccount(number) }
            let path = "/v1/lines/\(number.name)/templates\(parameterText)"
            return ask(OwnCall(.lineTemplates(number.name), path), names: ["cursor": "token"]) { answer, _ in
                .answer(
                    .json(200) { json in
                        json.array("templates") { json in
                            for template in answer["data"]?.elements.map({ $0 }) ?? [] { write(template, to: &json) }
                        }
                        json.object("pageInfo") {
                            $0.field("nextToken", answer["meta"]?["pagination"]?["cursor"]?.string)
                        }
                    })
            }
        }
    }

    private func write(_ object: JSONValue, to json: inout JSONWriter) {
        json.object { json in
            for name in ["id", "name", "language", "category"] { json.field(name, object[name]?.string) }
            let status = object["status"]?.string
            json.field("status", status.map { Self.statuses[$0] ?? $0 })
            json.field("components", raw: object["components"]?.raw)
            json.object("variables") { write(template(from: object)?.needs ?? [], to: &$0) }
        }
    }

    /// What `templateParams` has to bring, in its form.
    private func write(_ needs: [TemplateNeed], to json: inout JSONWriter) {
        func keys(_ variables: TemplateVariables) -> [String] {
            switch variables {
            case .positional(let count): (0..<count).map { String($0 + 1) }
            case .named(let names): names
            }
        }
        func write(_ key: String, _ kind: String, button: Int? = nil, to json: inout JSONWriter) {
            json.object {
                $0.field("key", "{{\(key)}}")
                $0.field("type", kind)
                if let button { $0.field("index", button) }
            }
        }
        json.array("header") { json in
            for need in needs {
                if case .headerText(let variables) = need {
                    for key in keys(variables) { write(key, "text", to: &json) }
                } else if case .headerMedia(let media) = need {
                    write("1", media.rawValue, to: &json)
                }
            }
        }
        json.array("body") { json in
            for case .body(let variables) in needs {
                for key in keys(variables) { write(key, "text", to: &json) }
            }
        }
        json.array("buttons") { json in
            for case .button(let index, let need) in needs {
                switch need {
                case .url, .oneTimePassword: write("1", "url", button: index, to: &json)
                case .copyCode: write("1", "copy_code", button: index, to: &json)
                default: break
                }
            }
        }
    }

    // MARK: What is filled in

    /// The approved template with this id of Meta's, or this `name/language`.
    func withTemplate(
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
    func write(_ wanted: AircallTemplate, for template: Template, to json: inout JSONWriter) {
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
}

extension Template {
    fileprivate var headerMedia: HeaderMedia? {
        for case .headerMedia(let media) in needs { return media }
        return nil
    }

    func bodyText(_ parser: JSONParser) -> String? {
        (try? parser.parse(raw))?["components"]?.elements.first { $0["type"]?.string?.uppercased() == "BODY" }?["text"]?
            .string
    }
}
