import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON

/// Business accounts and their numbers.
extension CallMissed {
    // MARK: Lists

    /// One for each business account that a line names, the newest first.
    func accounts() -> Translation {
        withLines { lines in
            var seen: Set<String> = []
            let newest = lines.sorted { ($0["createdAt"]?.string ?? "") > ($1["createdAt"]?.string ?? "") }
            return Self.list { json in
                for line in newest {
                    guard let waba = line["wabaId"]?.string, seen.insert(waba).inserted else { continue }
                    write(account: waba, since: line["createdAt"]?.string, to: &json)
                }
            }
        }
    }

    private func write(account waba: String?, since: String?, to json: inout JSONWriter, name: String? = nil) {
        json.object(name) {
            $0.field("id", waba.map(CallMissedID.account))
            $0.field("waba_id", waba)
            // Meta is not asked for these.
            for unknown in ["business_id", "name", "currency", "review_status"] { $0.field(unknown, nil as String?) }
            $0.field("account_status", "ACTIVE")
            $0.field("account_restriction_reason", nil as String?)
            $0.field("payment_setup_complete", nil as String?)
            $0.field("is_active", true)
            $0.field("created_at", since)
        }
    }

    func numbers() -> Translation {
        withLines { lines in
            let newest = lines.sorted { ($0["createdAt"]?.string ?? "") > ($1["createdAt"]?.string ?? "") }
            return withStandings(newest[...], []) { numbers in
                Self.list { json in for number in numbers { number.write(to: &json) } }
            }
        }
    }

    /// A line with what Meta last said of its number, and the bots it may have.
    struct Number {
        var line: JSONValue
        var health: JSONValue?
        var subscriptions: [JSONValue]

        func write(to json: inout JSONWriter, name: String? = nil) {
            let id = line["phoneNumberId"]?.string ?? ""
            let status = health?["status"]?.string
            json.object(name) {
                $0.field("id", CallMissedID.phone(id))
                $0.field("account_id", line["wabaId"]?.string.map(CallMissedID.account))
                $0.field("bot_id", line["bot"]?.integer.map(CallMissedID.bot))
                $0.field("phone_number_id", id)
                for unknown in ["display_phone_number", "verified_name", "code_verification_status"] {
                    $0.field(unknown, nil as String?)
                }
                $0.field("quality_rating", health?["qualityRating"]?.string ?? "UNKNOWN")
                $0.field("messaging_limit_tier", health?["messagingLimitTier"]?.string)
                $0.field("throughput_level", (health?["messagesPerSecond"]?.integer ?? 0) > 80 ? "HIGH" : "STANDARD")
                $0.field(
                    "registration_status",
                    status.map { $0 == "NOT_REGISTERED" ? "DEREGISTERED" : "REGISTERED" } ?? "PENDING")
                $0.field("registration_error", health?["reasons"]?.elements.first { _ in true }?.string)
                $0.field("name_status", nil as String?)
                $0.field("ai_autoreply_enabled", line["autoReply"]?["enabled"]?.bool ?? true)
                $0.field("is_active", true)
                $0.field("created_at", line["createdAt"]?.string)
                $0.field("line", line["line"]?.string)
                $0.array("available_bots") { json in
                    for subscription in subscriptions where isBot(subscription) {
                        json.object {
                            $0.field("id", subscription["id"]?.integer.map(CallMissedID.bot))
                            $0.field("url", subscription["url"]?.string)
                        }
                    }
                }
            }
        }

        /// Whether it is told what the line receives.
        private func isBot(_ subscription: JSONValue) -> Bool {
            let isOfLine = subscription["line"].map { $0.isNull || $0.string == line["line"]?.string } ?? true
            let events = subscription["events"]?.elements.compactMap { $0.string }
            return isOfLine && (events.map { $0.isEmpty || $0.contains("message.received") } ?? true)
        }
    }

    private func withStandings(
        _ lines: ArraySlice<JSONValue>, _ done: [Number], _ then: @escaping ([Number]) -> Translation
    ) -> Translation {
        guard !lines.isEmpty else { return then(done) }
        return ask(OwnCall(.subscriptions, "/v1/subscriptions")) { answer, _ in
            withHealth(lines, answer["data"]?.elements.map { $0 } ?? [], done, then)
        }
    }

    private func withHealth(
        _ lines: ArraySlice<JSONValue>, _ subscriptions: [JSONValue], _ done: [Number],
        _ then: @escaping ([Number]) -> Translation
    ) -> Translation {
        guard let line = lines.first, let name = line["line"]?.string else { return then(done) }
        func goOn(_ health: JSONValue?) -> Translation {
            let number = Number(line: line, health: health, subscriptions: subscriptions)
            return withHealth(lines.dropFirst(), subscriptions, done + [number], then)
        }
        // A line that was just removed has none.
        func without(_ error: APIError) -> Translation { goOn(nil) }
        return ask(OwnCall(.lineHealth(name), "/v1/lines/\(name)/health"), refused: without) { answer, _ in
            goOn(answer["data"])
        }
    }

    private func answer(_ line: JSONValue, _ response: HTTPResponse) -> Translation {
        withStandings([line], []) { numbers in
            var json = JSONWriter()
            for number in numbers { number.write(to: &json) }
            var told = HTTPResponse(status: 200, headers: [HTTPResponse.jsonType], body: json.bytes + [0x0A])
            told.headers += response.passedHeaders
            return .answer(told)
        }
    }

    // MARK: Bots

    func linkBot(_ phone: String, _ bot: String?) -> Translation {
        withLine(phone) { line in
            withBot(bot) { id in
                let call = OwnCall.change(line, "bot") { $0.field("bot", id) }
                return ask(call) { answer, response in self.answer(answer["data"] ?? line, response) }
            }
        }
    }

    /// The subscription a bot is; nil: there shall be none.
    private func withBot(_ bot: String?, _ then: @escaping (Int64?) -> Translation) -> Translation {
        guard let bot else { return then(nil) }
        guard let id = CallMissedID.subscription(ofBot: bot) else {
            return Self.refuse(
                APIError(.notFound, "there is no such bot: GET /api/v1/whatsapp/phone_numbers lists them"))
        }
        return ask(OwnCall(.subscription(String(id)), "/v1/subscriptions/\(id)")) { _, _ in then(id) }
    }

    func setAutoReply(_ phone: String, _ enabled: Bool) -> Translation {
        withLine(phone) { line in
            let call = OwnCall.change(line, "autoReply") {
                $0.object("autoReply") {
                    $0.field("enabled", enabled)
                    $0.field("text", line["autoReply"]?["text"]?.string)
                }
            }
            return ask(call) { answer, response in self.answer(answer["data"] ?? line, response) }
        }
    }

    // MARK: Onboarding

    /// The line is there from the moment Meta took the token; what fails behind that is told, and can be done again.
    func connect(_ connection: CallMissedConnection) -> Translation {
        withBot(connection.bot) { bot in
            withLines { lines in
                let known = lines.first { $0["phoneNumberId"]?.string == connection.phoneNumberID }
                let name = known?["line"]?.string ?? connection.phoneNumberID
                switch connection.proof {
                case .token(let token):
                    let look = OwnCall(.onboardingNumbers, "/v1/onboarding/numbers") {
                        $0.field("token", token)
                        $0.field("wabaId", connection.wabaID)
                    }
                    return ask(look) { _, _ in
                        ask(put(name, known, connection, token, bot), refused: Self.connected) { answer, _ in
                            provision(name, connection, answer)
                        }
                    }
                case .code(let code):
                    let call = OwnCall(.onboardingExchange, "/v1/onboarding/exchange") {
                        $0.field("code", code)
                        $0.field("appId", connection.appID)
                        $0.field("line", name)
                        $0.field("phoneNumberId", connection.phoneNumberID)
                        $0.field("wabaId", connection.wabaID)
                    }
                    return ask(call, refused: Self.connected) { answer, _ in
                        guard let bot, let line = answer["data"] else { return provision(name, connection, answer) }
                        return ask(OwnCall.change(line, "bot") { $0.field("bot", bot) }) { answer, _ in
                            provision(name, connection, answer)
                        }
                    }
                }
            }
        }
    }

    /// Of a number whose line is another account's.
    private static func connected(_ error: APIError) -> Translation {
        let isTaken = error.code == .validation && error.details.contains { $0.field == "phoneNumberId" }
        return refuse(isTaken ? APIError(.conflict, "the number is connected to another account already") : error)
    }

    private func put(
        _ name: String, _ known: JSONValue?, _ connection: CallMissedConnection, _ token: String, _ bot: Int64?
    ) -> OwnCall {
        func write(_ json: inout JSONWriter) {
            json.field("wabaId", connection.wabaID)
            json.field("token", token)
            if let bot { json.field("bot", bot) }
        }
        if let known {
            return bot == nil
                ? OwnCall.change(known, "wabaId", "tokenSecret", write: write)
                : OwnCall.change(known, "wabaId", "tokenSecret", "bot", write: write)
        }
        return OwnCall(.putLine(name), "/v1/lines/\(name)") {
            $0.field("phoneNumberId", connection.phoneNumberID)
            write(&$0)
        }
    }

    /// Subscribes the app, registers the number where a PIN was given, and looks whether anything is missing.
    private func provision(_ name: String, _ connection: CallMissedConnection, _ made: JSONValue) -> Translation {
        let place = "/v1/lines/\(name)"
        let look = OwnCall(.verifyLine(name), "\(place)/verify")
        func told(_ ready: Bool, _ problem: String?) -> Translation {
            guard let line = made["data"] else {
                return Self.refuse(APIError(.internalError, "outboxd's own answer could not be read"))
            }
            return withStandings([line], []) { numbers in
                Self.done { json in
                    write(
                        account: line["wabaId"]?.string, since: line["createdAt"]?.string, to: &json, name: "account")
                    for number in numbers { number.write(to: &json, name: "phone_number") }
                    json.field("fully_provisioned", ready)
                    json.field("onboarding_error", problem)
                }
            }
        }
        func verify(_ problem: String?) -> Translation {
            func unseen(_ error: APIError) -> Translation { told(false, problem ?? error.message) }
            return ask(look, refused: unseen) { answer, _ in
                let checks = answer["data"]?["checks"]?.elements.map { $0 } ?? []
                let found = checks.first { $0["verdict"]?.string == "problem" }
                let words = found.map { "\($0["text"]?.string ?? ""); \($0["remedy"]?.string ?? "")" }
                return told(problem == nil && answer["data"]?["ready"]?.bool ?? false, problem ?? words)
            }
        }
        func register(_ problem: String?) -> Translation {
            guard let pin = connection.pin else { return verify(problem) }
            func refused(_ error: APIError) -> Translation { verify(problem ?? error.message) }
            let call = OwnCall(.registerLine(name), "\(place)/register") { $0.field("pin", pin) }
            return ask(call, refused: refused) { _, _ in verify(problem) }
        }
        func refused(_ error: APIError) -> Translation { register(error.message) }
        return ask(OwnCall(.subscribeLine(name), "\(place)/subscribe"), refused: refused) { _, _ in register(nil) }
    }
}
