import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// `/auth/…`: the account, its key, its line and its webhook.
extension WhatsAPI {
    /// The line that holds the account's credentials, where it has none yet.
    private static let lineName = "main"

    func register(_ body: JSONValue) throws(APIError) -> Translation {
        let given = try HostedBody.read(body, ["name": "Your Name", "email": "you@example.com"])
        let (label, email) = (given[0], given[1])
        guard email.contains("@"), !email.contains(" ") else {
            throw .validation([FieldError("email", "must be an address such as you@example.com")])
        }
        return add(account: Self.slug(label), try: 1, label: label, email: email)
    }

    /// Its names need not be unique: ours get a number.
    private func add(account slug: String, try number: Int, label: String, email: String) -> Translation {
        func name(_ number: Int) -> String { number == 1 ? slug : "\(slug.prefix(27))-\(number)" }
        let number = (number..<1000).first { !front.parts.door.hasAccount(name($0)) } ?? number
        let name = name(number)
        let call = OwnCall(.addAccount, "/v1/accounts") {
            $0.field("name", name)
            $0.field("label", label)
            $0.field("email", email)
            $0.field("plan", Plan.free.name)
        }
        return .ask(call) { response in
            if response.status == 409, number < 1000, front.parts.door.hasAccount(name) {
                return add(account: slug, try: number + 1, label: label, email: email)
            }
            if let error = response.refusal(parser) { return .answer(Self.refusal(error)) }
            var key = OwnCall(.addKey, "/v1/keys") {
                $0.field("name", "registered")
                $0.field("role", Role.admin.name)
            }
            key.account = name
            return pass(key) { answer, json in
                json.field("success", true)
                json.object("data") {
                    $0.field("apiKey", answer["data"]?["key"]?.string)
                    $0.field("plan", Plan.free.name)
                }
            }
        }
    }

    private static func slug(_ label: String) -> String {
        let slug = slugged(label).prefix(32)
        return slug.isEmpty ? "account" : String(slug.last == "-" ? slug.dropLast() : slug)
    }

    func me() -> Translation {
        let account = front.parts.door.directory.accounts.first { $0.id == guest.account }
        return withLine { line in
            withWebhook { _, url in
                let funnel = "/v1/analytics/funnel?since=1970-01-01T00:00:00Z"
                return pass(OwnCall(.analytics(.funnel), funnel)) { answer, json in
                    let sent = answer["data"]?["steps"]?.elements.first { $0["step"]?.string == "sent" }
                    json.object("data") {
                        $0.field("name", account?.profile.label ?? account?.name)
                        $0.field("email", account?.profile.email)
                        $0.field("plan", (account?.profile.plan ?? .enterprise).name)
                        $0.field("messagesSent", sent?["count"]?.integer ?? 0)
                        $0.field("byocConfigured", line != nil)
                        $0.field("webhookUrl", url)
                    }
                }
            }
        }
    }

    func rotateKey() throws(APIError) -> Translation {
        guard case .key(let id, _) = guest.name else {
            throw APIError(
                .unauthorized, "there is no key to rotate: the kernel vouched for you. Give Authorization: Bearer")
        }
        let call = OwnCall(.rotateKey(String(id)), "/v1/keys/\(id)/rotate") { $0.field("overlapSeconds", 0) }
        return pass(call) { answer, json in
            json.field("success", true)
            json.object("data") { $0.field("apiKey", answer["data"]?["key"]?.string) }
        }
    }

    // MARK: Credentials and webhook

    /// The account's line: that named `main`, or the only one.
    func withLine(_ then: @escaping (String?) -> Translation) -> Translation {
        withWholeLine { then($0?["line"]?.string) }
    }

    private func withWholeLine(_ then: @escaping (JSONValue?) -> Translation) -> Translation {
        ask(OwnCall(.lines, "/v1/lines")) { answer, _ in
            let lines = answer["data"]?.elements.map { $0 } ?? []
            return then(lines.first { $0["line"]?.string == Self.lineName } ?? (lines.count == 1 ? lines[0] : nil))
        }
    }

    func putCredentials(_ body: JSONValue) throws(APIError) -> Translation {
        let given = try HostedBody.read(
            body, ["whatsappAccessToken": "EAAc...", "whatsappPhoneNumberId": "1234567890"])
        let (token, number) = (given[0], given[1])
        func write(to json: inout JSONWriter) {
            json.field("phoneNumberId", number)
            json.field("token", token)
        }
        return withWholeLine { known in
            // What else is set of a line that is there stays.
            let call =
                known.map { OwnCall.change($0, "phoneNumberId", "tokenSecret", write: write) }
                ?? OwnCall(.putLine(Self.lineName), "/v1/lines/\(Self.lineName)") {
                    write(to: &$0)
                    // It hands texts to Meta whatever the window, and says 503 while Meta fails.
                    $0.field("closedWindow", "leave")
                    $0.field("whenDown", "refuse")
                }
            let names = ["token": "whatsappAccessToken", "phoneNumberId": "whatsappPhoneNumberId"]
            return ask(call, names: names) { _, _ in Self.done { $0.field("byocConfigured", true) } }
        }
    }

    func verify() -> Translation {
        withLine { name in
            guard let name else {
                return .answer(
                    Self.refusal(
                        .validation([
                            FieldError("whatsappAccessToken", "is missing: give it with PUT /auth/me/credentials")
                        ])))
            }
            return pass(OwnCall(.verifyLine(name), "/v1/lines/\(percentEncoded(name))/verify")) { answer, json in
                json.field("success", true)
                json.field("data", raw: answer["data"]?.raw)
            }
        }
    }

    /// The subscription it stands for: the one to changes of status of every line.
    func withWebhook(_ then: @escaping (_ id: String?, _ url: String?) -> Translation) -> Translation {
        ask(OwnCall(.subscriptions, "/v1/subscriptions")) { answer, _ in
            let own = answer["data"]?.elements.first {
                $0["line"]?.isNull ?? true && $0["format"]?.string == CallbackFormat.outboxd.name
                    && $0["events"]?.elements.map { $0.string } == [Self.event]
            }
            return then(own?["id"]?.integer.map { String($0) } ?? own?["id"]?.string, own?["url"]?.string)
        }
    }

    private static let event = "message.status_updated"

    func putWebhook(_ body: JSONValue) throws(APIError) -> Translation {
        let url = try HostedBody.read(body, ["url": "https://yourapp.com/webhooks/whatsapi"])[0]
        return withWebhook { id, _ in
            let call = OwnCall(
                id.map { .putSubscription($0) } ?? .subscribe, "/v1/subscriptions\(id.map { "/\($0)" } ?? "")"
            ) { json in
                json.field("url", url)
                json.array("events") { $0.value(Self.event) }
            }
            return ask(call) { _, _ in Self.done { $0.field("webhookUrl", url) } }
        }
    }
}
