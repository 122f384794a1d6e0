import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore

/// Which of a line's templates a list shows.
struct TemplateQuery: Sendable {
    var filter = TemplateFilter()
    /// Somewhere in its name or texts, in any case.
    var text: String?
    var limit: Int
}

/// Answers about templates, and changes of them on their way to Meta.
extension Answerer {
    /// Rows looked through at a time for a text.
    private static let rowsAtOnce = 200

    func templates(_ name: String, _ query: TemplateQuery) throws -> HTTPResponse {
        let line = try line(name)
        var filter = query.filter
        var found: [StoredTemplate] = []
        // One more than wanted says whether there is a further page.
        while found.count <= query.limit {
            let rows = try reader.templates(
                line.id, filter, limit: query.text == nil ? query.limit + 1 : Self.rowsAtOnce)
            found += rows.filter { row in query.text.map { holds(row, $0) } ?? true }
            guard query.text != nil, let last = rows.last, rows.count == Self.rowsAtOnce else { break }
            filter.after = last.name
        }
        let shown = found.prefix(query.limit)
        let cursor = found.count > query.limit ? shown.last?.name.text : nil
        let readAt = try reader.health(line.id).templatesAt
        return .json(200) { json in
            json.array("data") { for template in shown { write(template, to: &$0) } }
            json.object("meta") {
                $0.field("readAt", readAt?.rfc3339)
                $0.object("pagination") {
                    $0.field("limit", query.limit)
                    $0.field("hasMore", cursor != nil)
                    $0.field("cursor", cursor)
                }
            }
        }
    }

    private func holds(_ row: StoredTemplate, _ text: String) -> Bool {
        let wanted = text.lowercased()
        if row.name.name.contains(wanted) { return true }
        guard let template = try? parser.parse(row.raw) else { return false }
        return template["components"]?.elements.contains { component in
            let buttons = component["buttons"]?.elements.compactMap { $0["text"]?.string } ?? []
            return ([component["text"]?.string].compactMap { $0 } + buttons).contains {
                $0.lowercased().contains(wanted)
            }
        } ?? false
    }

    func oneTemplate(_ line: String, _ name: TemplateName) throws -> HTTPResponse {
        let template = try found(name, of: try self.line(line))
        return .json(200) { write(template, to: &$0, name: "data") }
    }

    private func found(_ name: TemplateName, of line: Line) throws -> StoredTemplate {
        guard let template = try reader.template(name, line: line.id) else {
            throw unknownTemplate(name.text, of: line)
        }
        return template
    }

    private func unknownTemplate(_ text: String, of line: Line) -> APIError {
        APIError(
            .notFound,
            "the line \(line.name) has no template \(text), as last read; see outboxctl template ls \(line.name), "
                + "or read anew with outboxctl template sync \(line.name)")
    }

    /// Meta's object, with what webhooks have told since.
    private func write(_ template: StoredTemplate, to json: inout JSONWriter, name: String? = nil) {
        json.object(name) {
            for (name, value) in (try? parser.parse(template.raw))?.members.map({ $0 }) ?? [] where name != "status" {
                $0.field(name, raw: value.raw)
            }
            $0.field("status", template.status)
        }
    }

    /// What a person would see. What is missing or wrong stands beside it.
    func preview(_ lineName: String, _ name: TemplateName, _ components: JSONValue?) throws -> HTTPResponse {
        let line = try line(lineName)
        let stored = try found(name, of: line)
        guard let object = try? parser.parse(stored.raw), let template = template(from: object) else {
            throw APIError(.internalError, "the template \(name.text) cannot be read")
        }
        let problems = problems(of: components, for: template)
        return .json(200) { json in
            json.object("data") {
                $0.field("line", line.name)
                $0.field("name", name.name)
                $0.field("language", name.language)
                $0.field("category", stored.category)
                $0.field("status", stored.status)
                TemplatePreview(object, components: components).write(to: &$0)
                $0.field("complete", problems.isEmpty)
                $0.array("problems") {
                    for problem in problems {
                        $0.object {
                            $0.field("field", problem.field)
                            $0.field("message", problem.message)
                        }
                    }
                }
            }
        }
    }

    // MARK: Changes

    private func accountID(_ line: Line) throws -> String {
        guard let waba = line.settings.wabaID else {
            throw APIError(
                .conflict,
                "the line \(line.name) has no wabaId, whose templates these are: outboxctl line add \(line.name) "
                    + "--waba-id ID")
        }
        return waba
    }

    func sync(_ lineName: String, _ exchange: Exchange, _ askers: Askers) throws {
        let line = try line(lineName)
        _ = try accountID(line)
        askers.refresher.ask(Refresher.Subject(line), for: exchange)
    }

    func makeTemplate(
        _ lineName: String, _ draft: JSONValue, _ exchange: Exchange, _ asker: Asker, _ askers: Askers
    ) throws {
        let line = try line(lineName)
        let waba = try accountID(line)
        let body = sent(draft)
        try askers.calls.call(exchange, line) { endpoint, token in
            endpoint.createTemplate(wabaID: waba, body: body, token: token, timeout: GraphCalls.patience)
        } ended: { end in
            guard case .done(let answer) = end else {
                return end.failed("the template was not made", "made", exchange, line, asker)
            }
            guard let template = Template.made(from: draft, answer: answer) else {
                let unsaid = CallEnd.unreachable(
                    Failure(code: "HTTP_200", message: "Meta's answer holds no template's id"))
                return unsaid.failed("the template was not made", "made", exchange, line, asker)
            }
            return .write(.asked(asker, .templateChanged(exchange, line, .made(template))))
        }
    }

    func editTemplate(
        _ lineName: String, _ name: TemplateName, _ change: JSONValue, _ exchange: Exchange, _ asker: Asker,
        _ askers: Askers
    ) throws -> HTTPResponse? {
        let line = try line(lineName)
        let stored = try found(name, of: line)
        guard let object = try? parser.parse(stored.raw), let before = template(from: object) else {
            throw APIError(.internalError, "the template \(name.text) cannot be read")
        }
        let kind = TemplateDraftKind.change(
            category: stored.category, isNamed: before.parameterFormat == .named)
        try checkTemplate(change, kind)
        if change["dryRun"]?.bool ?? false { return .checked(line.name, name) }
        guard let changed = before.changed(by: change, parser: parser) else {
            throw APIError.validation([FieldError("components", "cannot be read together with what stays")])
        }
        let body = sent(change)
        try askers.calls.call(exchange, line) { endpoint, token in
            endpoint.editTemplate(id: before.id, body: body, token: token, timeout: GraphCalls.patience)
        } ended: { end in
            guard case .done = end else {
                return end.failed("the template was not changed", "changed", exchange, line, asker)
            }
            return .write(.asked(asker, .templateChanged(exchange, line, .changed(changed))))
        }
        return nil
    }

    func removeTemplate(
        _ lineName: String, _ name: String, language: String?, _ exchange: Exchange, _ asker: Asker, _ askers: Askers
    ) throws {
        let line = try line(lineName)
        let waba = try accountID(line)
        var id: String?
        if let language {
            let stored = try found(TemplateName(name: name, language: language), of: line)
            id = (try? parser.parse(stored.raw))?["id"]?.string
        } else {
            var filter = TemplateFilter()
            filter.name = name
            if try reader.templates(line.id, filter, limit: 1).isEmpty { throw unknownTemplate(name, of: line) }
        }
        let hsm = id
        try askers.calls.call(exchange, line) { endpoint, token in
            endpoint.deleteTemplate(wabaID: waba, name: name, id: hsm, token: token, timeout: GraphCalls.patience)
        } ended: { end in
            guard case .done = end else {
                return end.failed("the template was not removed", "removed", exchange, line, asker)
            }
            let change = TemplateChange.removed(name: name, language: language)
            return .write(.asked(asker, .templateChanged(exchange, line, change)))
        }
    }

    /// What goes to Meta: all but the member that is ours.
    private func sent(_ draft: JSONValue) -> [UInt8] {
        var json = JSONWriter()
        json.object { for (name, value) in draft.members where name != "dryRun" { $0.field(name, raw: value.raw) } }
        return json.bytes
    }
}

extension HTTPResponse {
    /// A dry run found nothing wrong.
    static func checked(_ line: String, _ name: TemplateName) -> HTTPResponse {
        .json(200) {
            $0.object("data") {
                $0.field("line", line)
                $0.field("name", name.name)
                $0.field("language", name.language)
                $0.field("dryRun", true)
            }
        }
    }
}

extension CallEnd {
    /// Of a change that Meta may or may not have made the list is read again at once.
    func failed(
        _ deed: String, _ done: String, _ exchange: Exchange, _ line: Line, _ asker: Asker
    ) -> GraphCalls.Consequence {
        guard var error = error(deed) else { return .answer(.error(APIError(.internalError, deed))) }
        guard isUncertain else { return .answer(.error(error)) }
        error.message =
            "Meta did not answer: whether the template was \(done) is unknown; \(failureWords). The list is being read again"
        error.details = error.details.filter { $0.field != "remedy" }
        error.details.append(
            FieldError(
                "remedy",
                "see what it has become: outboxctl template sync \(line.name), outboxctl template ls \(line.name)"))
        return .write(.asked(asker, .templateChanged(exchange, line, .unknown(error))))
    }

    private var failureWords: String {
        switch self {
        case .done: ""
        case .refused(let failure, _), .unreachable(let failure): failure.message
        }
    }
}

/// Throws with every wrong field.
func checkTemplate(_ draft: JSONValue, _ kind: TemplateDraftKind) throws(APIError) {
    var errors = templateDraftProblems(draft, kind).map { FieldError($0.field, $0.message) }
    if let flag = draft["dryRun"], !flag.isNull, flag.bool == nil {
        errors.append(FieldError("dryRun", "must be true or false"))
    }
    guard errors.isEmpty else { throw .validation(errors) }
}
