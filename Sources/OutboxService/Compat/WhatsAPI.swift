import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// The API of WhatsAPI (whatsapi.cc): `/send-message`, `/messages…`, `/analytics/summary`, `/auth/…`, `/billing/…`.
///
/// One answer is `{"success": true, "data": {…}}`, or `{"data": …}` where its document has no `success`; a refusal is
/// `{"success": false, "error": "…", "details": [{"field": "…", "message": "…"}]}`, with details on 400 only.
struct WhatsAPI: Dialect {
    let front: Frontend
    let guest: Guest

    func translate(_ call: WhatsAPICall, _ request: HTTPRequest) throws(APIError) -> Translation {
        switch call {
        case .send: send(try own(message: try front.parse(request.body)))
        case .bulk: try bulk(try front.parse(request.body))
        case .list: list(request)
        case .message(let id): message(id)
        case .retry(let id):
            pass(OwnCall(.retry(id), "/v1/messages/\(id)/retry")) { answer, json in
                json.field("success", true)
                json.object("data") {
                    $0.field("id", id)
                    $0.field("status", answer["data"]?["status"]?.string)
                }
            }
        case .summary: summary()
        case .register: try register(try front.parse(request.body))
        case .me: me()
        case .rotateKey: try rotateKey()
        case .putCredentials: try putCredentials(try front.parse(request.body))
        case .deleteCredentials:
            withLine { name in
                guard let name else { return Self.done { $0.field("byocConfigured", false) } }
                return pass(OwnCall(.deleteLine(name), "/v1/lines/\(percentEncoded(name))")) { _, json in
                    json.field("success", true)
                    json.object("data") { $0.field("byocConfigured", false) }
                }
            }
        case .verifyCredentials: verify()
        case .putWebhook: try putWebhook(try front.parse(request.body))
        case .deleteWebhook:
            withWebhook { id, _ in
                guard let id else { return Self.done { $0.field("webhookUrl", nil as String?) } }
                return pass(OwnCall(.deleteSubscription(id), "/v1/subscriptions/\(id)")) { _, json in
                    json.field("success", true)
                    json.object("data") { $0.field("webhookUrl", nil as String?) }
                }
            }
        case .checkout, .portal:
            throw APIError(.notFound, "there is nothing to bill: outboxd runs on your machine, and has no plans to buy")
        }
    }

    // MARK: Words

    static func refusal(_ error: APIError) -> HTTPResponse {
        var words = error.message
        // Its clients read one sentence.
        if error.status != 400, let first = error.details.first { words += ": \(first.field) \(first.message)" }
        var response = HTTPResponse.json(error.status) { json in
            json.field("success", false)
            json.field("error", words)
            guard error.status == 400 else { return }
            json.array("details") {
                for detail in error.details {
                    $0.object {
                        $0.field("field", detail.field == "dryRun" ? "dry_run" : detail.field)
                        $0.field("message", detail.message)
                    }
                }
            }
        }
        response.headers += HTTPResponse.error(error).passedHeaders
        return response
    }

    /// `X-RateLimit-Reset` is a time, in seconds since 1970.
    static func headers(_ quota: RateLimits.Quota, now: Timestamp) -> [HTTPHeader] {
        quota.headers.map { header in
            header.name == "x-ratelimit-reset"
                ? HTTPHeader(header.name, String(now.milliseconds / 1000 + Int64(quota.reset))) : header
        }
    }

    static func done(_ data: (inout JSONWriter) -> Void) -> Translation {
        .answer(
            .json(200) { json in
                json.field("success", true)
                json.object("data", data)
            })
    }

    /// Our answer in its words; what refuses is said in them, too.
    func pass(_ call: OwnCall, _ write: @escaping (JSONValue, inout JSONWriter) -> Void) -> Translation {
        ask(call) { answer, response in
            var own = HTTPResponse.json(response.status == 204 ? 200 : response.status) { write(answer, &$0) }
            own.headers += response.passedHeaders
            return .answer(own)
        }
    }

    // MARK: Messages

    /// Its `dry_run` is our `simulate`: stored, followed through every status, and never given to Meta.
    private func own(message: JSONValue) throws(APIError) -> [UInt8] {
        guard message.kind == .object else {
            throw APIError(.malformed, "the body must be a JSON object", status: 400)
        }
        var json = JSONWriter()
        json.object {
            for (name, value) in message.members {
                $0.field(name == "dry_run" ? "simulate" : name, raw: value.raw)
            }
        }
        return json.bytes
    }

    private func send(_ body: [UInt8]) -> Translation {
        pass(OwnCall(.submit, "/v1/messages", body: body)) { answer, json in
            json.field("success", true)
            json.field("data", raw: answer["data"]?.raw)
        }
    }

    private func bulk(_ body: JSONValue) throws(APIError) -> Translation {
        let items = body["messages"].map { $0.kind == .array ? $0.elements.map { $0 } : [] } ?? []
        if let plan = front.plan(of: guest), items.count > plan.bulkMax {
            throw .validation([
                FieldError("messages", "has \(items.count) items; the plan \(plan.name) takes \(plan.bulkMax) at once")
            ])
        }
        var written = JSONWriter()
        if body["messages"]?.kind == .array {
            var messages: [[UInt8]] = []
            for item in items { messages.append(item.kind == .object ? try own(message: item) : Array(item.raw)) }
            written.object { json in json.array("messages") { for message in messages { $0.value(raw: message) } } }
        }
        let ownBody = written.bytes.isEmpty ? Array(body.raw) : written.bytes
        return pass(OwnCall(.submitBulk, "/v1/messages/bulk", body: ownBody)) { answer, json in
            let data = answer["data"]
            json.object("data") {
                $0.field("batchId", data?["batchId"]?.string)
                $0.field("totalMessages", items.count)
                $0.field("queued", data?["queued"]?.integer)
                $0.field("failedCount", data?["failedCount"]?.integer)
                if let errors = data?["errors"] { $0.field("errors", raw: errors.raw) }
            }
        }
    }

    private func list(_ request: HTTPRequest) -> Translation {
        let query = request.head.target.drop { $0 != "?" }
        return pass(OwnCall(.list, "/v1/messages\(query)")) { answer, json in
            json.array("data") { json in
                for message in answer["data"]?.elements.map({ $0 }) ?? [] { write(message, to: &json, nil) }
            }
            json.field("meta", raw: answer["meta"]?.raw)
        }
    }

    private func message(_ id: String) -> Translation {
        ask(OwnCall(.message(id), "/v1/messages/\(percentEncoded(id))")) { answer, response in
            // It knows messages that are sent alone.
            guard let message = answer["data"], message["direction"]?.string == "outbound" else {
                return .answer(Self.refusal(APIError(.notFound, "there is no such message")))
            }
            var told = HTTPResponse.json(200) { write(message, to: &$0, "data") }
            told.headers += response.passedHeaders
            return .answer(told)
        }
    }

    /// All of ours, with `body` for the text, and a timeline of statuses alone.
    private func write(_ message: JSONValue, to json: inout JSONWriter, _ name: String?) {
        json.object(name) { json in
            json.field("id", message["id"]?.string)
            json.field("to", message["to"]?.string)
            json.field("body", message["message"]?.string)
            for (name, value) in message.members where !["id", "to", "message", "timeline"].contains(name) {
                json.field(name, raw: value.raw)
            }
            guard let timeline = message["timeline"] else { return }
            json.array("timeline") { json in
                var last: String?
                for entry in timeline.elements {
                    guard let status = entry["status"]?.string, status != last else { continue }
                    last = status
                    json.object {
                        $0.field("status", status)
                        $0.field("at", entry["at"]?.string)
                    }
                }
            }
        }
    }

    private func summary() -> Translation {
        pass(OwnCall(.analytics(.summary), "/v1/analytics/summary?since=1970-01-01T00:00:00Z")) { answer, json in
            let data = answer["data"]
            json.object("data") { json in
                json.field("total", data?["total"]?.integer)
                json.object("byStatus") { json in
                    // Only those there are, as its document has it.
                    for (name, count) in data?["byStatus"]?.members.map({ $0 }) ?? [] where count.integer != 0 {
                        json.field(name == "waiting" ? "queued" : name, raw: count.raw)
                    }
                }
                for rate in ["deliveryRate", "failureRate"] {
                    let value = data?[rate]
                    json.field(rate, raw: value?.isNull ?? true ? Array("0".utf8) : value.map { Array($0.raw) })
                }
            }
        }
    }
}
