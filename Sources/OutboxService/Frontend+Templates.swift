import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore

/// Requests about templates.
extension Frontend {
    func handleTemplates(_ route: Route, _ request: HTTPRequest, _ exchange: Exchange, _ asker: Asker)
        throws(APIError)
    {
        let reader = parts.reader
        switch route {
        case .lineTemplates(let line):
            reader.ask(exchange, .templates(line, try templateQuery(request.head)), account: asker.account)
        case .template(let line, let name, let language):
            reader.ask(
                exchange, .template(line, TemplateName(name: name, language: language)), account: asker.account)
        case .previewTemplate(let line, let name, let language):
            let body = try PreviewBody.read(try parse(request.body.isEmpty ? Array("{}".utf8) : request.body))
            reader.ask(
                exchange, .preview(line, TemplateName(name: name, language: language), body), account: asker.account)
        case .makeTemplate(let line): try makeTemplate(line, try parse(request.body), exchange, asker)
        case .editTemplate(let line, let name, let language):
            let change = try parse(request.body)
            reader.send(
                exchange, .editTemplate(line: line, TemplateName(name: name, language: language), change), for: asker)
        case .removeTemplate(let line, let name, let language):
            reader.send(exchange, .removeTemplate(line: line, name: name, language: language), for: asker)
        case .removeTemplates(let line, let name):
            reader.send(exchange, .removeTemplate(line: line, name: name, language: nil), for: asker)
        case .syncTemplates(let line): reader.send(exchange, .syncTemplates(line: line), for: asker)
        default: preconditionFailure("\(route) is not about templates")
        }
    }

    private func makeTemplate(_ line: String, _ draft: JSONValue, _ exchange: Exchange, _ asker: Asker)
        throws(APIError)
    {
        try checkTemplate(draft, .new)
        if draft["dryRun"]?.bool ?? false {
            let name = TemplateName(
                name: draft["name"]?.string ?? "", language: draft["language"]?.string ?? "")
            return respond(exchange, .checked(line, name))
        }
        parts.reader.send(exchange, .makeTemplate(line: line, draft), for: asker)
    }

    private func templateQuery(_ head: RequestHead) throws(APIError) -> TemplateQuery {
        guard let parameters = head.query else { throw APIError(.malformed, "the query holds a broken % escape") }
        let page = try PageQuery.read(parameters, filters: ["name", "language", "category", "status", "q"])
        var query = TemplateQuery(limit: page.limit)
        query.filter.name = page.filters["name"]
        query.filter.language = page.filters["language"]
        query.filter.category = page.filters["category"]?.uppercased()
        query.filter.statuses = page.filters["status"]?.uppercased().split(separator: ",").map(String.init) ?? []
        query.text = page.filters["q"].flatMap { $0.isEmpty ? nil : $0 }
        if let cursor = page.cursor {
            guard let after = TemplateName(text: cursor) else {
                throw .validation([FieldError("cursor", "must be the meta.pagination.cursor of the page before")])
            }
            query.filter.after = after
        }
        return query
    }
}
