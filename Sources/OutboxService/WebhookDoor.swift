import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore
import OutboxSystem

/// Meta's side: `GET` and `POST /webhooks/{app}` on the second socket, and nothing else there.
///
/// An app is known by its secrets `app.{app}.verify-token` and `app.{app}.secret`.
extension Frontend {
    private static let refusedAppsMax = 20

    func receivedWebhook(_ request: HTTPRequest, _ exchange: Exchange) {
        server.respond(exchange, ifPresent: webhookResponse(request, exchange))
    }

    /// Nil while the body is on its way to the disk.
    private func webhookResponse(_ request: HTTPRequest, _ exchange: Exchange) -> HTTPResponse? {
        let path = request.head.path.split(separator: "/", omittingEmptySubsequences: false)
        guard path.count == 3, path[0].isEmpty, path[1] == "webhooks", isLineName(String(path[2])) else {
            return .error(APIError(.notFound, "there is nothing at this path"))
        }
        let app = app(named: String(path[2]))
        switch request.head.method {
        case "GET": return verify(app, request.head)
        case "POST": return take(app, request, exchange)
        default: return .error(APIError(.methodNotAllowed, "GET and POST are allowed here"))
        }
    }

    /// WhatsAPI has one path for Meta's calls, which stands for the app `default` where no app has that name.
    private func app(named name: String) -> String {
        name == "whatsapp" && secrets.value("app.whatsapp.secret") == nil ? "default" : name
    }

    /// Meta asks once whether this address is ours: it wants its challenge back.
    private func verify(_ app: String, _ head: RequestHead) -> HTTPResponse {
        guard let query = head.query else { return .error(APIError(.malformed, "the query holds a broken % escape")) }
        func parameter(_ name: String) -> String? { query.first { $0.name == name }?.value }
        guard let token = secrets.value("app.\(app).verify-token") else {
            return unknownApp(app, "app.\(app).verify-token")
        }
        guard parameter("hub.mode") == "subscribe", let challenge = parameter("hub.challenge"),
            equalInConstantTime(Array(parameter("hub.verify_token")?.utf8 ?? "".utf8), Array(token.utf8))
        else {
            refusedWebhooks[app, default: 0] += 1
            let text =
                "a webhook verification of the app \(app) with another token was refused: see app.\(app).verify-token"
            writeSeldom(LogLine(.warning, .webhookRefused, text))
            return .error(APIError(.forbidden, "the verify token is another one"))
        }
        return .text(200, challenge)
    }

    private func take(_ app: String, _ request: HTTPRequest, _ exchange: Exchange) -> HTTPResponse? {
        guard let secret = secrets.value("app.\(app).secret") else { return unknownApp(app, "app.\(app).secret") }
        guard isSigned(request.body, header: request.head["x-hub-signature-256"], key: key(app, secret)) else {
            refusedWebhooks[app, default: 0] += 1
            let text = "a webhook of the app \(app) without a right signature was refused: is app.\(app).secret Meta's?"
            writeSeldom(LogLine(.warning, .webhookRefused, text))
            return .error(
                APIError(.unauthorized, "X-Hub-Signature-256 is not the body's signature under the app's secret"))
        }
        parts.writer.post(.webhook(exchange, ReceivedWebhook.reading(app: app, body: request.body, parser: parser)))
        return nil
    }

    private func key(_ app: String, _ secret: String) -> HMACSHA256 {
        if let known = webhookKeys[app], known.secret == secret { return known.key }
        let key = HMACSHA256(key: Array(secret.utf8))
        webhookKeys[app] = (secret, key)
        return key
    }

    private func unknownApp(_ app: String, _ secret: String) -> HTTPResponse {
        // Names are made up by whoever calls: only so many are kept apart.
        let known = refusedWebhooks[app] != nil || refusedWebhooks.count < Self.refusedAppsMax
        refusedWebhooks[known ? app : "others", default: 0] += 1
        writeSeldom(LogLine(.warning, .webhookRefused, "a webhook was refused: the secret \(secret) is missing"))
        return .error(APIError(.notFound, "there is no app \(app) here"))
    }
}

extension ReceivedWebhook {
    /// Nothing in a signed body is refused: what cannot be read is kept for a person.
    static func reading(app: String, body: [UInt8], parser: JSONParser) -> ReceivedWebhook {
        do {
            guard let content = webhookContent(try parser.parse(body)) else {
                return ReceivedWebhook(app: app, body: body, statuses: [], problem: "it has no entry")
            }
            return ReceivedWebhook(
                app: app, body: body, statuses: content.statuses, inbound: content.inbound, news: content.news,
                others: content.others)
        } catch {
            return ReceivedWebhook(app: app, body: body, statuses: [], problem: "\(error)")
        }
    }
}

extension HTTPServer {
    fileprivate func respond(_ exchange: Exchange, ifPresent response: HTTPResponse?) {
        if let response { respond(exchange, response) }
    }
}
