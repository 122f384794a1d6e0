import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Answers about subscriptions and their deliveries.
extension Answerer {
    func subscriptions() throws -> HTTPResponse {
        let all = try callbacks.subscriptions(account: account)
        let logEnd = try reader.logEnd()
        let counts = try all.map { try callbacks.counts($0.id) }
        return .json(200) { json in
            json.array("data") {
                for (subscription, counts) in zip(all, counts) {
                    subscription.write(
                        to: &$0, logEnd: logEnd, waiting: counts.waiting, failed: counts.failed)
                }
            }
        }
    }

    private func known(_ id: Int64) throws -> Subscription {
        guard let subscription = try callbacks.subscription(id), subscription.account == account else {
            throw APIError(.notFound, "there is no such subscription")
        }
        return subscription
    }

    func subscription(_ id: Int64) throws -> HTTPResponse {
        let subscription = try known(id)
        let counts = try callbacks.counts(id)
        let logEnd = try reader.logEnd()
        return .json(200) {
            subscription.write(
                to: &$0, name: "data", logEnd: logEnd, waiting: counts.waiting, failed: counts.failed)
        }
    }

    func deliveries(_ id: Int64, _ query: DeliveryQuery) throws -> HTTPResponse {
        _ = try known(id)
        let page = try callbacks.deliveries(id, status: query.status, before: query.before, limit: query.limit + 1)
        let shown = page.prefix(query.limit)
        let cursor = page.count > query.limit ? shown.last.map { String($0.delivery.event) } : nil
        return .page(limit: query.limit, cursor: cursor) {
            for (delivery, eventAt) in shown {
                delivery.write(
                    to: &$0, id: eventAt.map { reader.codec.text(event: delivery.event, at: $0) },
                    messageID: delivery.message.map { reader.codec.text($0) })
            }
        }
    }

    /// For `GET /v1/status`.
    func writeCallbacks(to json: inout JSONWriter) throws {
        let all = try callbacks.subscriptions(account: account)
        let counts = try all.map { try callbacks.counts($0.id) }
        json.object {
            $0.field("active", all.count { $0.settings.isActive })
            $0.field("waiting", counts.reduce(0) { $0 + $1.waiting })
            $0.field("givenUp", counts.reduce(0) { $0 + $1.failed })
            $0.array("held") {
                for one in all where one.settings.isActive && one.breaker?.until != nil {
                    $0.value(raw: "\(one.id)".utf8)
                }
            }
            $0.array("inactive") {
                for one in all {
                    guard let reason = one.reason else { continue }
                    $0.object {
                        $0.field("id", one.id)
                        $0.field("reason", reason)
                    }
                }
            }
        }
    }
}
