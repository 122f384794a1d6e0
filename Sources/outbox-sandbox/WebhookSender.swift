import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxSystem

/// One status on its way to whoever listens for webhooks.
struct OutgoingStatus: Sendable {
    var phoneNumberID: String
    var wamid: String
    var to: String
    var status: String
    var opaque: String?
    var code: Int64?
    /// Of a template; nil: free within the window.
    var category: String?
}

/// Posts signed webhooks, and again until they are answered with 200, as Meta does.
final class WebhookSender {
    private struct Call: Sendable {
        var body: [UInt8]
        var tries = 0
    }

    private let settings: SandboxSettings
    private let client: HTTPClient<Call>
    private let results: Mailbox<(Call, Bool)>
    private var again = Agenda<Call>()
    private var underWay = 0
    /// While nobody hears anything.
    private var held: [Call] = []
    /// Whether webhooks are kept back; what was kept goes out when it ends.
    var isPaused = false {
        didSet {
            guard !isPaused else { return }
            let calls = held
            held = []
            for call in calls { post(call) }
        }
    }
    private(set) var answered = 0
    private(set) var givenUp = 0
    private(set) var dropped = 0
    /// Nothing is posted, now or later.
    var isLosing = false

    /// Statuses in one call, as Meta batches them; its own limit is 1,000.
    private static let statusesPerCall = 100
    /// With waits that grow to ten seconds, some minutes; Meta goes on for days.
    private static let triesMax = 60

    init(_ settings: SandboxSettings, bell: Bell) {
        self.settings = settings
        let results = Mailbox<(Call, Bool)>(bell: bell)
        self.results = results
        client = HTTPClient(name: "webhooks", connectionsMax: 8) { completions in
            results.post(
                completions.map { completion in
                    if case .answered(200, _, _) = completion.result { return (completion.context, true) }
                    return (completion.context, false)
                })
        }
    }

    var waiting: Int { underWay + again.count + held.count }
    var retryAt: UInt64? { again.nextDue }

    func send(_ statuses: [OutgoingStatus]) {
        var rest = statuses[...]
        while !rest.isEmpty {
            let some = rest.prefix(Self.statusesPerCall)
            rest = rest.dropFirst(Self.statusesPerCall)
            for (number, list) in Dictionary(grouping: some, by: \.phoneNumberID) {
                post(Call(body: statusBody(number, list)))
            }
        }
    }

    /// One change of `messages`; `value` writes what stands beside the number.
    func sendMessages(_ phoneNumberID: String, _ value: (inout JSONWriter) -> Void) {
        post(Call(body: messagesBody(phoneNumberID, value)))
    }

    /// One change of the account, a number or a template.
    func sendEvent(field: String, accountID: String, value: JSONValue) {
        post(
            Call(
                body: envelope(accountID, field: field, at: wallClockMilliseconds() / 1000) {
                    $0.field("value", raw: value.raw)
                }))
    }

    private func post(_ call: Call) {
        guard let url = settings.webhookURL else { return }
        if isLosing {
            dropped += 1
            return
        }
        guard !isPaused else { return held.append(call) }
        underWay += 1
        let request = OutgoingRequest(
            method: "POST", url: url,
            headers: [
                "Content-Type: application/json",
                "X-Hub-Signature-256: \(webhookSignature(secret: settings.appSecret, body: call.body))",
            ], body: call.body, unixSocket: settings.webhookSocket)
        client.send([(request, call)])
    }

    func takeResults() {
        for (call, done) in results.take() {
            underWay -= 1
            var call = call
            call.tries += 1
            if done {
                answered += 1
            } else if call.tries >= Self.triesMax {
                givenUp += 1
            } else {
                let wait = min(100 << min(call.tries, 7), 10_000)
                again.add(call, at: steadyNanoseconds() + UInt64(wait) * 1_000_000)
            }
        }
    }

    /// Sends what is due again; answers when the next is.
    func retry(_ now: UInt64) -> UInt64? {
        while let call = again.next(due: now) { post(call) }
        return again.nextDue
    }

    // MARK: Bodies

    private func statusBody(_ phoneNumberID: String, _ statuses: [OutgoingStatus]) -> [UInt8] {
        messagesBody(phoneNumberID) {
            // Since 2026 all but failed statuses come with whom they are about.
            let people = Set(statuses.filter { $0.code == nil }.map(\.to)).sorted()
            if !people.isEmpty { $0.array("contacts") { for person in people { write(contact: person, to: &$0) } } }
            $0.array("statuses") {
                for status in statuses { write(status, to: &$0) }
            }
        }
    }

    private func write(contact person: String, to json: inout JSONWriter) {
        json.object {
            $0.object("profile") { $0.field("name", "Sandbox") }
            if !isUserID(person) { $0.field("wa_id", person) }
            $0.field("user_id", isUserID(person) ? person : userID(ofNumber: person))
        }
    }

    private func write(_ status: OutgoingStatus, to json: inout JSONWriter) {
        json.object {
            $0.field("id", status.wamid)
            $0.field("status", status.status)
            $0.field("timestamp", seconds())
            $0.field(isUserID(status.to) ? "recipient_user_id" : "recipient_id", status.to)
            if let opaque = status.opaque { $0.field("biz_opaque_callback_data", opaque) }
            // On `sent` and one of the others, as Meta has it.
            if status.status == "sent" || status.status == "delivered" {
                $0.object("pricing") {
                    $0.field("billable", status.category != nil)
                    $0.field("pricing_model", "PMP")
                    $0.field("type", status.category == nil ? "free_customer_service" : "regular")
                    $0.field("category", status.category ?? "service")
                }
            }
            guard let code = status.code else { return }
            $0.array("errors") {
                $0.object {
                    $0.field("code", code)
                    $0.field("title", title(code))
                    $0.field("message", title(code))
                    $0.object("error_data") { $0.field("details", title(code)) }
                }
            }
        }
    }

    private func messagesBody(_ phoneNumberID: String, _ value: (inout JSONWriter) -> Void) -> [UInt8] {
        envelope(sandboxAccountID, field: "messages") {
            $0.object("value") {
                $0.field("messaging_product", "whatsapp")
                $0.object("metadata") {
                    $0.field("display_phone_number", "15550100000")
                    $0.field("phone_number_id", phoneNumberID)
                }
                value(&$0)
            }
        }
    }

    /// `at`: Unix time, which news of accounts and templates have.
    private func envelope(
        _ accountID: String, field: String, at: Int64? = nil, _ value: (inout JSONWriter) -> Void
    ) -> [UInt8] {
        var json = JSONWriter(capacity: 1024)
        json.object {
            $0.field("object", "whatsapp_business_account")
            $0.array("entry") {
                $0.object {
                    $0.field("id", accountID)
                    if let at { $0.field("time", at) }
                    $0.array("changes") {
                        $0.object {
                            $0.field("field", field)
                            value(&$0)
                        }
                    }
                }
            }
        }
        return json.bytes
    }

    private func seconds() -> String { String(wallClockMilliseconds() / 1000) }
}

/// Meta's business-scoped user ids: `US.13491208655302741918`.
func isUserID(_ person: String) -> Bool { person.utf8.contains(UInt8(ascii: ".")) }

/// One that is always the same for a number, and tells nothing of it.
private func userID(ofNumber digits: String) -> String {
    // FNV-1a, 64 bits.
    let hash = digits.utf8.reduce(0xCBF2_9CE4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
    return "US.\(hash)"
}
