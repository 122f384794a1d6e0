/// The parameters of a list that has few filters, still in words.
package struct PageQuery: Equatable, Sendable {
    /// By name.
    package var filters: [String: String] = [:]
    package var limit = 20
    package var cursor: String?
    /// Counted from 1; nil: the cursor says where.
    package var page: Int?

    package var offset: Int { ((page ?? 1) - 1) * limit }

    /// `isCounted`: it takes the number of a page, too.
    package static func read(
        _ parameters: [(name: String, value: String)], filters: [String] = [], isCounted: Bool = false
    ) throws(APIError) -> PageQuery {
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
            case "page" where isCounted:
                query.page = Int(value).flatMap { (1...1_000_000).contains($0) ? $0 : nil }
                if query.page == nil { errors.append(FieldError(name, "must be a whole number from 1 on")) }
            case let name where filters.contains(name): query.filters[name] = value
            default:
                let known = (filters + ["limit", "cursor"] + (isCounted ? ["page"] : [])).joined(separator: ", ")
                errors.append(FieldError(name, "is not known here; known are \(known)"))
            }
        }
        if query.cursor != nil, query.page != nil {
            errors.append(FieldError("page", "and cursor exclude each other: give one of them"))
        }
        if query.offset > ListQuery.offsetMax {
            let words = "leads beyond \(ListQuery.offsetMax) of them: go on with meta.pagination.cursor"
            errors.append(FieldError("page", words))
        }
        guard errors.isEmpty else { throw .validation(errors) }
        return query
    }
}
