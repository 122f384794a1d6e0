import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Aircall's WhatsApp Public API: a line's registration and its health. Templates and messages have files of their own.
///
/// An answer is the object itself, without an envelope; a refusal is `{"error": "…", "troubleshoot": "…"}`: what is
/// wrong, and what to do about it.
struct Aircall: Dialect {
    let front: Frontend
    let guest: Guest

    static let takesLogin = true
    /// What a registered line's `callbackUrl` is told.
    private static let events = ["message.status_updated", "message.received"]

    /// A number of theirs: a line of ours.
    struct Number {
        var name: String
        var wabaID: String?
    }

    func translate(_ call: AircallCall, _ request: HTTPRequest) throws(APIError) -> Translation {
        if let plan = front.plan(of: guest), plan.rawValue < Plan.pro.rawValue {
            throw APIError(
                .forbidden,
                "the account's plan is \(plan.name); these calls need pro or above: PUT /v1/accounts/{name} with "
                    + "\"plan\": \"pro\"")
        }
        switch call {
        case .configuration(let id):
            return withNumber(id) { number in
                withRegistration(of: number) { registration in
                    guard let registration else { return Self.unregistered(number) }
                    return .answer(.json(200) { Self.write(url: registration.url, token: nil, to: &$0) })
                }
            }
        case .configure(let id): return configure(id, try AircallConfiguration.read(try front.parse(request.body)))
        case .removeConfiguration(let id):
            return withNumber(id) { number in
                removeRegistration(of: number, otherwise: Self.unregistered(number))
            }
        case .status(let id): return status(of: id)
        case .templates(let id): return try templates(of: id, request.head)
        case .send: return try send(try AircallMessage.read(try front.parse(request.body)), native: false)
        case .sendNative: return try send(try AircallMessage.read(try front.parse(request.body)), native: true)
        }
    }

    // MARK: Words

    static func refusal(_ error: APIError) -> HTTPResponse {
        let words = error.details.map { "\($0.field): \($0.message)" }.joined(separator: "; ")
        var response = refused(
            error.status, reasonPhrase(error.status), words.isEmpty ? error.message : words)
        response.headers += HTTPResponse.error(error).passedHeaders
        return response
    }

    static func refused(_ status: Int, _ error: String, _ troubleshoot: String) -> HTTPResponse {
        .json(status) {
            $0.field("error", error)
            $0.field("troubleshoot", troubleshoot)
        }
    }

    /// `X-AircallApi-Reset` is a time, in seconds since 1970.
    static func headers(_ quota: RateLimits.Quota, now: Timestamp) -> [HTTPHeader] {
        [
            HTTPHeader("x-aircallapi-limit", String(quota.limit)),
            HTTPHeader("x-aircallapi-remaining", String(quota.remaining)),
            HTTPHeader("x-aircallapi-reset", String(now.milliseconds / 1000 + Int64(quota.reset))),
        ]
    }

    private static func unregistered(_ number: Number) -> Translation {
        .answer(
            refused(
                404, reasonPhrase(404),
                "the line \(number.name) is not registered: call POST /v1/numbers/\(number.name)/messages/configuration"
            ))
    }

    // MARK: Lines

    /// The line of this name, or with this `phoneNumberId`.
    func withNumber(
        _ id: String, unknown: APIError? = nil, _ then: @escaping (Number) -> Translation
    ) -> Translation {
        ask(OwnCall(.lines, "/v1/lines")) { answer, _ in
            let lines = answer["data"]?.elements.map { $0 } ?? []
            let line = lines.first { $0["line"]?.string == id } ?? lines.first { $0["phoneNumberId"]?.string == id }
            guard let line, let name = line["line"]?.string else {
                return .answer(Self.refusal(unknown ?? APIError(.notFound, "there is no number \(id)")))
            }
            return then(Number(name: name, wabaID: line["wabaId"]?.string))
        }
    }

    /// The subscription that registers it; nil: it is not registered.
    func withRegistration(
        of number: Number, _ then: @escaping ((id: String, url: String?)?) -> Translation
    ) -> Translation {
        ask(OwnCall(.subscriptions, "/v1/subscriptions")) { answer, _ in
            let own = answer["data"]?.elements.first {
                $0["line"]?.string == number.name && $0["format"]?.string == CallbackFormat.aircall.name
            }
            return then(own?["id"]?.integer.map { (String($0), own?["url"]?.string) })
        }
    }

    /// Nothing is left of it: two that registered it at once made two.
    private func removeRegistration(of number: Number, otherwise: Translation) -> Translation {
        withRegistration(of: number) { registration in
            guard let registration else { return otherwise }
            let path = "/v1/subscriptions/\(registration.id)"
            return ask(OwnCall(.deleteSubscription(registration.id), path)) { _, response in
                removeRegistration(of: number, otherwise: .answer(response))
            }
        }
    }

    private func configure(_ id: String, _ wanted: AircallConfiguration) -> Translation {
        withNumber(id) { number in
            withRegistration(of: number) { registration in
                let path = "/v1/subscriptions" + (registration.map { "/\($0.id)" } ?? "")
                let route = registration.map { Route.putSubscription($0.id) } ?? .subscribe
                let call = OwnCall(route, path) { json in
                    json.field("url", wanted.callbackURL)
                    json.field("line", number.name)
                    json.field("format", CallbackFormat.aircall.name)
                    json.array("events") { for event in Self.events { $0.value(event) } }
                }
                return ask(call, names: ["url": "callbackUrl"]) { answer, response in
                    let data = answer["data"]
                    let secret = data?["secret"]?.string.flatMap { CallbackSecret(text: $0) }
                    let token = secret.map(AircallCallback.token)
                    return .answer(
                        .json(response.status) { Self.write(url: data?["url"]?.string, token: token, to: &$0) })
                }
            }
        }
    }

    /// The token, which callbacks bring, is told when it is made.
    private static func write(url: String?, token: String?, to json: inout JSONWriter) {
        if let token { json.field("token", token) }
        json.field("callbackUrl", url)
        json.field("type", AircallConfiguration.type)
    }

    // MARK: Health

    private func status(of id: String) -> Translation {
        withNumber(id) { number in
            ask(OwnCall(.lineHealth(number.name), "/v1/lines/\(number.name)/health")) { answer, _ in
                ask(OwnCall(.lineWhy(number.name), "/v1/lines/\(number.name)/why")) { why, _ in
                    let health = answer["data"]
                    let standing = AircallStanding(
                        health, pauses: why["data"]?["pauses"], of: number.name, waits: why["data"])
                    return .answer(
                        .json(200) {
                            $0.field("wabaId", number.wabaID)
                            $0.field("status", standing.status)
                            $0.field("canSendMessage", standing.canSend.name)
                            $0.field("qualityRating", health?["qualityRating"]?.string ?? QualityRating.unknown.name)
                            $0.field("messagingLimitTier", why["data"]?["pool"]?["tier"]?.string)
                            $0.field("businessVerificationStatus", nil as String?)
                        })
                }
            }
        }
    }

    static func noAccount(_ number: Number) -> Translation {
        .answer(
            refused(
                400, "WABA not configured",
                "the line \(number.name) has no WhatsApp Business Account: set its wabaId with PUT "
                    + "/v1/lines/\(number.name)"
            ))
    }
}
