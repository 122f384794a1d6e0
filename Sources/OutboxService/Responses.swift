import OutboxAPI
import OutboxHTTP
import OutboxJSON

extension HTTPResponse {
    static let jsonType = HTTPHeader("content-type", "application/json")
    private static let jsonHeaders = [jsonType]

    /// An object whose members `body` writes.
    static func json(_ status: Int, _ body: (inout JSONWriter) -> Void) -> HTTPResponse {
        var json = JSONWriter()
        json.object(nil, body)
        json.endLine()
        return HTTPResponse(status: status, headers: jsonHeaders, body: json.bytes)
    }

    /// A page of a list; `page` is its number where pages are counted, `total` how many items all of them have, `cursor`
    /// leads to the next one, nil on the last.
    static func page(
        limit: Int, page: Int? = nil, total: Int? = nil, cursor: String?, _ items: (inout JSONWriter) -> Void
    ) -> HTTPResponse {
        .json(200) { json in
            json.array("data") { items(&$0) }
            json.object("meta") {
                $0.object("pagination") {
                    $0.field("limit", limit)
                    if let page { $0.field("page", page) }
                    if let total { $0.field("total", total) }
                    $0.field("hasMore", cursor != nil)
                    $0.field("cursor", cursor)
                }
            }
        }
    }

    static func error(_ error: APIError) -> HTTPResponse {
        let allow = error.allow.map { [HTTPHeader("allow", $0)] } ?? []
        let retryAfter = error.retryAfter.map { [HTTPHeader("retry-after", String($0))] } ?? []
        let challenge = error.status == 401 ? [HTTPHeader("www-authenticate", "Bearer")] : []
        let headers = [jsonType] + allow + retryAfter + challenge
        return HTTPResponse(status: error.status, headers: headers, body: error.body + [0x0A])
    }

    /// The same, marked as what was answered before.
    var replayed: HTTPResponse {
        var response = self
        response.headers.append(HTTPHeader("idempotency-replayed", "true"))
        return response
    }

    static func text(_ status: Int, _ text: String) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: [HTTPHeader("content-type", "text/plain; charset=utf-8")], body: Array(text.utf8))
    }
}
