package import OutboxCore

/// Which of a line's templates are wanted; what is nil does not matter.
package struct TemplateFilter: Equatable, Sendable {
    package var name: String?
    package var language: String?
    package var category: String?
    /// Any of these; empty: all.
    package var statuses: [String] = []
    /// Behind this one.
    package var after: TemplateName?

    package init() {}
}

/// A template of a line as it is stored.
package struct StoredTemplate: Equatable, Sendable {
    package var name: TemplateName
    /// As webhooks have told since it was listed.
    package var status: String
    package var category: String
    /// Meta's own object, as listed.
    package var raw: [UInt8]
}

extension QueueReader {
    /// By name and language, at most so many. Rows of one line, by the table's own order.
    package func templates(_ line: Int64, _ filter: TemplateFilter, limit: Int) throws -> [StoredTemplate] {
        let statuses = filter.statuses.isEmpty ? nil : ",\(filter.statuses.joined(separator: ",")),"
        return try database.prepare(
            """
            SELECT name, language, status, category, raw FROM template
            WHERE line = :line AND (name, language) > (:after_name, :after_language)
                AND (:name IS NULL OR name = :name) AND (:language IS NULL OR language = :language)
                AND (:category IS NULL OR category = :category)
                AND (:statuses IS NULL OR instr(:statuses, ',' || status || ',') > 0)
            ORDER BY name, language LIMIT :limit
            """
        ).all(
            .integer(line), .text(filter.after?.name ?? ""), .text(filter.after?.language ?? ""),
            .optional(filter.name), .optional(filter.language), .optional(filter.category), .optional(statuses),
            .integer(Int64(limit))
        ) {
            StoredTemplate(
                name: TemplateName(name: $0.text(0), language: $0.text(1)), status: $0.text(2), category: $0.text(3),
                raw: $0.bytes(4))
        }
    }

    package func template(_ name: TemplateName, line: Int64) throws -> StoredTemplate? {
        var filter = TemplateFilter()
        (filter.name, filter.language) = (name.name, name.language)
        return try templates(line, filter, limit: 1).first
    }
}
