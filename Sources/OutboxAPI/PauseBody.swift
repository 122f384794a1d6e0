package import OutboxCore
package import OutboxJSON

/// The body of `POST /v1/pauses`: what is to be held back.
package struct PauseBody: Equatable, Sendable {
    package var scope: PauseScope
    package var line: String?
    /// The template's name, the batch's id or the class's name.
    package var target: String?
    package var reason: String?
    package var until: Timestamp?

    package init(
        scope: PauseScope, line: String? = nil, target: String? = nil, reason: String? = nil, until: Timestamp? = nil
    ) {
        self.scope = scope
        self.line = line
        self.target = target
        self.reason = reason
        self.until = until
    }

    package static let reasonLengthMax = 200

    package static func read(_ value: JSONValue, now: Timestamp) throws(APIError) -> PauseBody {
        var reader = ObjectReader(
            value, path: "",
            known: ["everything", "line", "template", "batchId", "priority", "reason", "until", "seconds"])
        let everything = reader.bool("everything") ?? false
        let line = reader.string("line")
        let template = reader.string("template")
        let batch = reader.string("batchId")
        let priority = reader.choice("priority", Priority.self)
        let targets: [(PauseScope, String)] = [
            template.map { (.template, $0) }, batch.map { (.batch, $0) }, priority.map { (.priority, $0.name) },
        ].compactMap { $0 }
        if targets.count > 1 || (everything && (line != nil || !targets.isEmpty)) {
            reader.refuse("template", "batchId, priority and everything exclude each other: give one of them")
        }
        if value.kind == .object, !everything, line == nil, targets.isEmpty, reader.errors.isEmpty {
            reader.refuse("line", "is missing: say what to pause: everything, line, template, batchId or priority")
        }
        let reason = reader.string("reason")
        if let reason, reason.unicodeScalars.count > reasonLengthMax {
            reader.refuse("reason", "has more than \(reasonLengthMax) characters")
        }
        if let reason, reason.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
            reader.refuse("reason", "must be one line of text")
        }
        if let template, !isTemplateName(template) {
            reader.refuse(
                "template",
                "must be a template's name: 1 to \(MessageBody.templateNameLengthMax) of a-z, 0-9 and _")
        }
        var until: Timestamp?
        if let text = reader.string("until") {
            until = Timestamp(rfc3339: text)
            if until == nil {
                reader.refuse("until", "must be a time in RFC 3339 with its offset, such as 2030-01-31T09:00:00+01:00")
            }
        }
        if let seconds = reader.integer("seconds", in: 1...31_536_000) {
            if until != nil { reader.refuse("seconds", "and until exclude each other: give one of them") }
            until = now + .seconds(seconds)
        }
        if let until, until <= now { reader.refuse("until", "must lie in the future; it is now \(now.rfc3339)") }
        guard reader.errors.isEmpty else { throw .validation(reader.errors) }
        let (scope, target): (PauseScope, String?) =
            targets.first.map { ($0.0, $0.1) } ?? (everything ? .everything : .line, nil)
        return PauseBody(scope: scope, line: line, target: target, reason: reason, until: until)
    }
}

extension Pause {
    /// `target` and `line` as the caller knows them.
    package func write(to json: inout JSONWriter, name: String? = nil, line: String?, target: String?) {
        json.object(name) {
            $0.field("id", id)
            $0.field("scope", scope.name)
            $0.field("line", line)
            switch scope {
            case .template: $0.field("template", target)
            case .batch: $0.field("batchId", target)
            case .priority: $0.field("priority", target)
            case .everything, .line: break
            }
            $0.field("reason", reason)
            $0.field("pausedBy", who)
            $0.field("pausedAt", createdAt.rfc3339)
            $0.field("until", until?.rfc3339)
        }
    }
}
