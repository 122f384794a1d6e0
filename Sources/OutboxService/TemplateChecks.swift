import OutboxCore
import OutboxJSON
import OutboxMeta
import OutboxStore

/// Compares submitted templates with what Meta lists. A line whose list was never read leaves them to Meta. Belongs to
/// the writer's thread.
final class TemplateChecks {
    private let parser = JSONParser()
    private var known: [Int64: [TemplateName: Template]] = [:]

    /// The line's list is another one.
    func forget(_ line: Int64) { known[line] = nil }

    /// Nil: nothing speaks against it, or its line is not clear, which is said elsewhere.
    func refusal(of draft: Draft, _ queue: Queue, account: Int64) throws -> SubmitRefusal? {
        guard queue.knowsTemplates, draft.template != nil || draft.fallback != nil,
            case .done(let line) = queue.resolve(draft.line, account), queue.knowsTemplates(of: line.id)
        else { return nil }
        var problems: [TemplateProblem] = []
        for name in [draft.template, draft.fallback?.template].compactMap({ $0 }) where draft.to.isUserID {
            // Meta's page "Business-scoped user IDs", and its code 131062.
            if try templates(of: line.id, queue)[name]?.category == .authentication {
                let words = "is a user id, and \(name.text) is an authentication template: Meta wants a phone number"
                problems.append(TemplateProblem(field: "to", message: words))
            }
        }
        if let template = draft.template {
            problems += try check(template, draft.content, line, "template.", queue)
        }
        if let fallback = draft.fallback {
            problems += try check(fallback.template, fallback.content, line, "fallback.template.", queue)
        }
        return problems.isEmpty ? nil : .template(problems)
    }

    private func check(
        _ name: TemplateName, _ content: [UInt8], _ line: Line, _ path: String, _ queue: Queue
    ) throws -> [TemplateProblem] {
        let problems = try nameProblems(name, line, path, queue)
        guard problems.isEmpty, let template = try templates(of: line.id, queue)[name] else { return problems }
        if case .unknown = queue.standing(of: name, line: line.id)?.status ?? template.status { return [] }
        let components = (try? parser.parse(content))?["components"]
        return OutboxMeta.problems(of: components, for: template).map {
            TemplateProblem(field: path + $0.field, message: $0.message)
        }
    }

    /// What speaks against a template whatever is filled in; nil: the line's list was never read.
    func nameProblems(_ name: TemplateName, _ line: Line, _ queue: Queue) throws -> [TemplateProblem]? {
        guard queue.knowsTemplates(of: line.id) else { return nil }
        return try nameProblems(name, line, "template.", queue)
    }

    private func nameProblems(
        _ name: TemplateName, _ line: Line, _ path: String, _ queue: Queue
    ) throws -> [TemplateProblem] {
        let templates = try templates(of: line.id, queue)
        guard let template = templates[name] else {
            let languages = templates.keys.filter { $0.name == name.name }.map(\.language).sorted()
            if languages.isEmpty {
                return [
                    TemplateProblem(
                        field: path + "name",
                        message: "the line \(line.name) has no template \(name.name); see outboxctl template ls")
                ]
            }
            return [
                TemplateProblem(
                    field: path + "language",
                    message:
                        "\(name.name) has no language \(name.language); it has \(languages.joined(separator: ", "))")
            ]
        }
        let status = queue.standing(of: name, line: line.id)?.status ?? template.status
        // A paused one comes back by itself: its messages wait.
        if case .unknown = status { return [] }
        guard status == .approved || status == .paused else {
            return [
                TemplateProblem(
                    field: path + "name",
                    message: "\(name.text) is \(status.name) with Meta; only APPROVED templates can be sent")
            ]
        }
        return []
    }

    private func templates(of line: Int64, _ queue: Queue) throws -> [TemplateName: Template] {
        if let known = known[line] { return known }
        var templates: [TemplateName: Template] = [:]
        for raw in try queue.rawTemplates(line: line) {
            guard let value = try? parser.parse(raw), let template = template(from: value) else { continue }
            templates[TemplateName(name: template.name, language: template.language)] = template
        }
        known[line] = templates
        return templates
    }
}
