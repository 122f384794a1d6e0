/// The parameters of a list that has few filters, still in words.
package struct PageQuery: Equatable, Sendable {
    /// By name.
    package var filters: [String: String] = [:]
    package var limit = 20
    package var cursor: String?

    package static func read(_ parameters: [(name: String, value: String)], filters: [String] = [])
        throws(APIError) -> PageQuery
    {
        var query = PageQuery()
        var errors: [FieldError] = []
        for (name, value) in parameters {
            switch name {
            case "cursor": query.cursor = value
            case "limit":
                if let number = Int(value), (1...ListQuery.limitMax).contains(number) {
                    query.limit = number
                } else {
                    errors.append(FieldError(name, "must be a whole number from 1 to \(ListQuery.limitMax)"))
                }
            case let name where filters.contains(name): query.filters[name] = value
            default:
                let known = (filters + ["limit", "cursor"]).joined(separator: ", ")
                errors.append(FieldError(name, "is not known here; known are \(known)"))
            }
        }
        guard errors.isEmpty else { throw .validation(errors) }
        return query
    }
}
