import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON

/// Webhooks: subscriptions of the format `organization`, to all lines of the account.
extension Organization {
    /// Fields of a subscription by their names here.
    private static let names = ["active": "isActive"]

    private func withWebhooks(_ then: @escaping ([JSONValue]) -> Translation) -> Translation {
        ask(OwnCall(.subscriptions, "/v1/subscriptions")) { answer, _ in
            then(
                (answer["data"]?.elements.map { $0 } ?? []).filter {
                    $0["format"]?.string == CallbackFormat.organization.name
                })
        }
    }

    func withWebhook(_ id: String, _ then: @escaping (JSONValue) -> Translation) -> Translation {
        withWebhooks { webhooks in
            let found = webhooks.first { $0["id"]?.integer.map(ids.webhook) == id.lowercased() }
            guard let found else { return Self.refuse(APIError(.notFound, "there is no such webhook")) }
            return then(found)
        }
    }

    func webhooks(_ page: OrganizationPage) -> Translation {
        withWebhooks { webhooks in list(webhooks, page) { write($0, to: &$1) } }
    }

    func addWebhook(_ body: OrganizationWebhookBody) -> Translation {
        let call = OwnCall(.subscribe, "/v1/subscriptions") {
            writeSettings(nil, body, to: &$0)
            if let secret = body.secret { $0.field("secret", secret) }
        }
        return ask(call, names: Self.names) { answer, response in
            .answer(.json(response.status) { json in if let made = answer["data"] { write(made, to: &json, "data") } })
        }
    }

    /// What the body does not name stays. A new secret counts alone, at once.
    func changeWebhook(_ id: String, _ body: OrganizationWebhookBody) -> Translation {
        withWebhook(id) { webhook in
            let number = webhook["id"]?.integer.map { String($0) } ?? ""
            let call = OwnCall(.putSubscription(number), "/v1/subscriptions/\(number)") {
                writeSettings(webhook, body, to: &$0)
            }
            return ask(call, names: Self.names) { answer, _ in
                let done = Translation.answer(
                    .json(200) { json in if let changed = answer["data"] { write(changed, to: &json, "data") } })
                guard let secret = body.secret else { return done }
                // Of two that sign already one has to go first.
                return endOldSecret(number) {
                    let rotate = OwnCall(.rotateSecret(number), "/v1/subscriptions/\(number)/rotate") {
                        $0.field("secret", secret)
                    }
                    return .ask(rotate) { response in
                        guard let error = response.refusal(parser) else { return endOldSecret(number) { done } }
                        let isSame = error.details == [FieldError("secret", SubscriptionSecrets.sameWords)]
                        return isSame ? done : Self.refuse(error)
                    }
                }
            }
        }
    }

    private func endOldSecret(_ number: String, _ then: @escaping () -> Translation) -> Translation {
        .ask(OwnCall(.deleteOldSecret(number), "/v1/subscriptions/\(number)/old-secret")) { response in
            guard let error = response.refusal(parser), error.code != .notFound else { return then() }
            return Self.refuse(error)
        }
    }

    func deleteWebhook(_ id: String) -> Translation {
        withWebhook(id) { webhook in
            let number = webhook["id"]?.integer.map { String($0) } ?? ""
            return ask(OwnCall(.deleteSubscription(number), "/v1/subscriptions/\(number)")) { _, _ in
                .answer(
                    .json(200) {
                        $0.object("data") {
                            $0.field("id", id.lowercased())
                            $0.field("deleted", true)
                        }
                    })
            }
        }
    }

    func testWebhook(_ id: String) -> Translation {
        withWebhook(id) { webhook in
            let number = webhook["id"]?.integer.map { String($0) } ?? ""
            return ask(OwnCall(.testCallback(number), "/v1/subscriptions/\(number)/test")) { answer, _ in
                .answer(
                    .json(200) {
                        $0.object("data") {
                            $0.field("success", raw: answer["data"]?["delivered"]?.raw)
                            $0.field("statusCode", raw: answer["data"]?["httpStatus"]?.raw)
                            $0.field("error", raw: answer["data"]?["error"]?.raw)
                            $0.field("durationMs", raw: answer["data"]?["milliseconds"]?.raw)
                        }
                    })
            }
        }
    }

    /// A subscription's settings, from what it was and what is asked for.
    private func writeSettings(_ old: JSONValue?, _ body: OrganizationWebhookBody, to json: inout JSONWriter) {
        if let url = body.url { json.field("url", url) } else { json.field("url", raw: old?["url"]?.raw) }
        json.field("format", CallbackFormat.organization.name)
        json.field("active", body.isActive ?? old?["active"]?.bool ?? true)
        if let line = old?["line"], !line.isNull { json.field("line", raw: line.raw) }
        if let events = body.events {
            guard !events.contains(OrganizationWebhookBody.allEvents) else { return }
            json.array("events") { for event in events { $0.value(event) } }
        } else if let events = old?["events"], !events.isNull {
            json.field("events", raw: events.raw)
        }
    }

    /// With its secret where it was just made.
    func write(_ webhook: JSONValue, to json: inout JSONWriter, _ name: String? = nil) {
        json.object(name) {
            $0.field("id", webhook["id"]?.integer.map(ids.webhook))
            $0.field("url", raw: webhook["url"]?.raw)
            if let events = webhook["events"], !events.isNull {
                $0.field("events", raw: events.raw)
            } else {
                $0.array("events") { $0.value(OrganizationWebhookBody.allEvents) }
            }
            $0.field("isActive", raw: webhook["active"]?.raw)
            $0.field("inactiveReason", raw: webhook["inactiveReason"]?.raw)
            if let secret = webhook["secret"] { $0.field("secret", raw: secret.raw) }
            $0.field("lastDeliveredAt", raw: webhook["lastDeliveredAt"]?.raw)
            $0.field("lastError", raw: webhook["lastError"]?.raw)
            $0.field("createdAt", raw: webhook["createdAt"]?.raw)
            $0.field("updatedAt", raw: webhook["updatedAt"]?.raw)
        }
    }
}
