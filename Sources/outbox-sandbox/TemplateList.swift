import OutboxHTTP
import OutboxJSON

/// The account's templates: those every new account has, until others are set.
struct TemplateList {
    private var templates: [Template]
    /// Only what was set is checked; before that any template may be sent.
    private var wereSet = false

    /// Accounts by id, of those that were made.
    private var made: [String: String] = [:]
    private var lastID: Int64 = 700_000

    private static let cursorStart = "sandbox-"

    init() {
        templates = Self.read(presetTemplates) ?? []
        precondition(templates.count == 2, "the preset templates cannot be read")
    }

    private static func read(_ text: String) -> [Template]? {
        // Its own text: what is wrong with it shows as a wrong count.
        guard let list = try? JSONParser().parse(Array(text.utf8)) else { return nil }
        return list.elements.compactMap { Template($0) }
    }

    /// `{"templates":[…]}`; false, with nothing changed, when it has another shape.
    mutating func set(_ object: JSONValue) -> Bool {
        guard let list = object["templates"], list.kind == .array else { return false }
        let read = list.elements.map { Template($0) }
        guard !read.contains(where: { $0 == nil }) else { return false }
        templates = read.compactMap { $0 }
        wereSet = true
        return true
    }

    /// What Meta says of a message with a template that cannot be sent; `content` is what stands under `template`.
    func refusal(_ content: JSONValue) -> HTTPResponse? {
        let name = content["name"]?.string
        guard wereSet || templates.contains(where: { $0.name == name && made[$0.id] != nil }) else { return nil }
        let language = content["language"]?["code"]?.string
        guard let template = templates.first(where: { $0.name == name && $0.language == language }) else {
            return graphError(status: 404, code: 132_001, message: title(132_001))
        }
        switch template.status {
        case "APPROVED": break
        case "PAUSED": return graphError(status: 400, code: 132_015, message: title(132_015))
        case "DISABLED": return graphError(status: 400, code: 132_016, message: title(132_016))
        // Meta's words for 132001: it does not exist in that language, or has not been approved.
        default: return graphError(status: 404, code: 132_001, message: title(132_001))
        }
        if template.bodyVariables == Template.bodyParameters(content) { return nil }
        return graphError(status: 400, code: 132_000, message: title(132_000))
    }

    /// `marketing`; of one that is not here, `utility`.
    func category(_ content: JSONValue?) -> String {
        let name = content?["name"]?.string
        let known = templates.first { $0.name == name }?.value["category"]?.string
        return known?.lowercased() ?? "utility"
    }

    // MARK: GET /{version}/{account id}/message_templates

    /// A page; `fields`, `limit`, `after` and the filters `name`, `language`, `status` and `category` are heard.
    func page(_ head: RequestHead) -> HTTPResponse {
        let query = head.query ?? []
        func asked(_ name: String) -> String? { query.first { $0.name == name }?.value }
        guard let limit = Int(asked("limit") ?? "25"), (1...1000).contains(limit) else {
            return graphError(status: 400, code: 100, message: "limit must be a whole number from 1 to 1000")
        }
        let wanted = templates.filter { template in
            ["name", "language", "status", "category"].allSatisfy { field in
                asked(field).map { $0 == template.value[field]?.string } ?? true
            }
        }
        guard let start = asked("after").map(position) ?? 0, (0...wanted.count).contains(start) else {
            return graphError(status: 400, code: 131_059, message: title(131_059))
        }
        let end = min(start + limit, wanted.count)
        let fields = asked("fields").map(fieldNames)
        return json(200) {
            $0.array("data") { for template in wanted[start..<end] { write(template, fields, to: &$0) } }
            if let summary = asked("summary").map(fieldNames) {
                $0.object("summary") {
                    for name in summary where name != "are_translations_complete" {
                        $0.field(name, name == "message_template_limit" ? 6000 : wanted.count)
                    }
                    if summary.contains("are_translations_complete") { $0.field("are_translations_complete", true) }
                }
            }
            guard start < end else { return }
            $0.object("paging") {
                $0.object("cursors") {
                    $0.field("before", Self.cursorStart + String(start))
                    $0.field("after", Self.cursorStart + String(end))
                }
                if end < wanted.count { $0.field("next", address(head, after: end)) }
            }
        }
    }

    // MARK: Making, changing, removing

    func template(id: String) -> Template? { templates.first { $0.id == id } }

    /// Nil: there is one of this name and language.
    mutating func make(_ draft: JSONValue, accountID: String) -> Template? {
        let isThere = templates.contains {
            $0.name == draft["name"]?.string && $0.language == draft["language"]?.string
        }
        guard !isThere else { return nil }
        lastID += 1
        var json = JSONWriter()
        json.object {
            $0.field("id", String(lastID))
            $0.field("status", "PENDING")
            for (name, value) in draft.members where name != "status" && name != "id" { $0.field(name, raw: value.raw) }
        }
        guard let value = try? JSONParser().parse(json.bytes), let template = Template(value) else { return nil }
        templates.append(template)
        made[template.id] = accountID
        return template
    }

    /// It is looked at once more.
    mutating func change(id: String, _ value: JSONValue) -> Template? {
        guard let index = templates.firstIndex(where: { $0.id == id }),
            let changed = Template(value)?.with(["status": "PENDING"])
        else { return nil }
        templates[index] = changed
        return changed
    }

    /// With the account that is told.
    mutating func setStatus(id: String, _ status: String, reason: String) -> (Template, accountID: String)? {
        guard let index = templates.firstIndex(where: { $0.id == id }),
            let changed = templates[index].with(["status": status, "rejected_reason": reason])
        else { return nil }
        templates[index] = changed
        return (changed, made[id] ?? sandboxAccountID)
    }

    /// `DELETE ?name=…`, of all languages, or `&hsm_id=…`, of one.
    mutating func delete(_ head: RequestHead) -> HTTPResponse {
        guard let name = head.parameter("name") else {
            return graphError(status: 400, code: 100, message: "The parameter name is required.")
        }
        let id = head.parameter("hsm_id")
        let before = templates.count
        templates.removeAll { $0.name == name && (id ?? $0.id) == $0.id }
        guard templates.count < before else {
            return graphError(
                status: 400, code: 100, message: "Invalid parameter", subcode: 2_593_002,
                userMessage: "There is no template of this name.")
        }
        return json(200) { $0.field("success", true) }
    }

    private func position(_ cursor: String) -> Int? {
        cursor.hasPrefix(Self.cursorStart) ? Int(cursor.dropFirst(Self.cursorStart.count)) : nil
    }

    /// The same request, but from there on.
    private func address(_ head: RequestHead, after position: Int) -> String {
        let query = head.target.dropFirst(head.path.count + 1).split(separator: "&")
        let rest = query.filter { !$0.hasPrefix("after=") } + ["after=\(Self.cursorStart)\(position)"]
        return "http://\(head["host"] ?? "127.0.0.1")\(head.path)?\(rest.joined(separator: "&"))"
    }

    private func write(_ template: Template, _ fields: [String]?, to json: inout JSONWriter) {
        json.object {
            for (name, value) in template.value.members where fields?.contains(name) ?? true || name == "id" {
                $0.field(name, raw: value.raw)
            }
        }
    }
}

private let presetTemplates = """
    [
    {"id":"1001","name":"hello_world","language":"en_US","status":"APPROVED","category":"UTILITY",
    "parameter_format":"POSITIONAL","components":[{"type":"HEADER","format":"TEXT","text":"Hello World"},
    {"type":"BODY","text":"Welcome and congratulations!"},{"type":"FOOTER","text":"Sandbox"}]},
    {"id":"1002","name":"order_ready","language":"en_US","status":"APPROVED","category":"UTILITY",
    "parameter_format":"POSITIONAL","components":[{"type":"BODY","text":"Your order is ready."}]}
    ]
    """
