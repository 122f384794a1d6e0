/// A template Meta refused to send for now. It is tried again when the time is over.
package struct TemplateHold: Equatable, Sendable {
    package var template: TemplateName
    package var code: String
    package var since: Timestamp
    package var until: Timestamp

    /// Codes after which nothing of the template goes for a while: paused, its flow throttled, marketing switched off.
    package static let codes: Set<String> = ["132015", "132069", "131063"]

    package init(template: TemplateName, code: String, since: Timestamp, until: Timestamp) {
        self.template = template
        self.code = code
        self.since = since
        self.until = until
    }
}

/// What the queue needs to know of a template.
package struct TemplateStanding: Equatable, Sendable {
    package var status: Template.Status
    package var category: Template.Category

    package init(status: Template.Status, category: Template.Category) {
        self.status = status
        self.category = category
    }

    /// A template's category says so; where it is not known, the message's class does.
    package static func isMarketing(_ standing: TemplateStanding?, _ priority: Priority) -> Bool {
        standing.map { $0.category == .marketing } ?? (priority == .low)
    }

    package init(_ template: Template) { self.init(status: template.status, category: template.category) }
}
