import Foundation
import OutboxCore
import OutboxJSON
import OutboxSystem
import TestKit
import Testing

/// A client of the API with organisation keys, pointed at outboxd.
@Suite(.serialized) struct OrganizationTests {
    private func keys(_ value: JSONValue?) -> Set<String> { Set(value?.members.map(\.name) ?? []) }

    private static let identity: Set<String> = [
        "contactId", "contactIdentifier", "contactIdentifierType", "contactReplyTo", "contactPhone", "contactName",
        "businessScopedUserId", "username",
    ]

    /// A lab with a key as the clients have them.
    private final class Client {
        let lab: Lab
        private let bearer: String

        init(_ lab: Lab, role: String = "admin", account: String = "default") throws {
            self.lab = lab
            let made = try lab.call(
                "POST", "/v1/keys", #"{"name":"client \#(role)","role":"\#(role)","prefix":"sk_org_"}"#,
                headers: ["Outboxd-Account: \(account)"])
            let key = try #require(made.json?[path: "data", "key"]?.string, "\(made.text)")
            #expect(key.wholeMatch(of: /sk_org_[0-9a-f]{48}/) != nil)
            bearer = "Authorization: Bearer \(key)"
        }

        func call(_ method: String, _ path: String, _ body: String = "", _ more: [String] = [])
            throws -> (status: Int, json: JSONValue?, text: String)
        {
            try lab.call(method, path, body, headers: [bearer, "Content-Type: application/json"] + more)
        }
    }

    private func phone(_ client: Client) throws -> JSONValue {
        let listed = try client.call("GET", "/v1/phones")
        return try #require(listed.json?["data"]?.list.first, "\(listed.text)")
    }

    /// `X-Webhook-Signature` as the text of the secret makes it.
    private func signature(_ call: CallbackEar.Call, _ secret: String) -> String {
        "sha256=" + hexadecimal(hmacSHA256(key: Array(secret.utf8), call.body))
    }

    @Test func theQuickStartRunsAsItIsWritten() throws {
        let lab = try Lab()
        let client = try Client(lab)
        let ear = try CallbackEar()
        let secret = "whsec_your_secret_key"
        let webhook = try client.call(
            "POST", "/v1/outgoing-webhooks",
            #"{"url":"\#(ear.url)","events":["message.received","message.sent"],"secret":"\#(secret)"}"#)
        #expect(webhook.status == 201, "\(webhook.text)")
        #expect(webhook.json?[path: "data", "secret"]?.string == secret)
        let asWritten = """
            {
                "url": "https://yourapp.com/webhooks/whatsapp",
                "events": ["message.received", "message.sent"],
                "secret": "whsec_your_secret_key"
              }
            """
        let other = try client.call("POST", "/v1/outgoing-webhooks", asWritten)
        #expect(
            other.status == 201
                && other.json?[path: "data", "events"]?.list.map(\.string) == ["message.received", "message.sent"])
        let otherID = try #require(other.json?[path: "data", "id"]?.string)
        #expect(try client.call("DELETE", "/v1/outgoing-webhooks/\(otherID)").status == 200)
        let listed = try #require(try client.call("GET", "/v1/phones").json)
        #expect(
            keys(listed) == ["data", "meta"]
                && keys(listed[path: "meta", "pagination"]) == ["page", "limit", "total", "hasMore"])
        #expect(listed[path: "meta", "pagination", "limit"]?.integer == 50)
        let phone = try self.phone(client)
        let id = try #require(phone["id"]?.string)
        #expect(UUID(uuidString: id) != nil && phone["metaPhoneNumberId"]?.string == "106")

        var health: JSONValue?
        #expect(
            try eventually {
                health = try client.call("GET", "/v1/phones/\(id)/health").json?["data"]
                return health?[path: "capabilities", "canReceiveMessages"]?.bool == true
            })
        #expect(
            health?["isRegistered"]?.bool == true && health?[path: "capabilities", "canSendMessages"]?.bool == true
                && health?[path: "capabilities", "canSendTemplates"]?.bool == true)

        let sent = try client.call(
            "POST", "/v1/phones/\(id)/messages", #"{"type": "text", "to": "5491155551234", "text": "Hello!"}"#)
        #expect(sent.status == 202, "\(sent.text)")
        #expect(
            keys(sent.json?["data"]) == [
                "id", "phoneNumberId", "direction", "type", "to", "status", "scheduledFor",
            ])
        let message = try #require(sent.json?[path: "data", "id"]?.string)
        try lab.wait(message, for: "read")
        try lab.sandbox(
            "POST", "inbound",
            #"{"phoneNumberId":"106","userId":"AR.ABC123","username":"customer.name","text":"hi"}"#)
        #expect(eventually { ear.calls.count >= 2 })
        // Delivered and read were not asked for.
        #expect(ear.calls.compactMap { $0.json?["event"]?.string }.sorted() == ["message.received", "message.sent"])
        for call in ear.calls {
            #expect(call.headers["x-webhook-signature"] == signature(call, secret))
            #expect(call.headers["x-webhook-event"] == call.json?["event"]?.string)
            #expect(call.json.map { keys($0) } == ["event", "timestamp", "organizationId", "data"])
            #expect(Self.identity.isSubset(of: keys(call.json?["data"])))
            #expect(call.json?[path: "data", "phoneNumberId"]?.string == id)
        }
        let told = try #require(ear.calls.compactMap(\.json).first { $0["event"]?.string == "message.sent" }?["data"])
        #expect(told["messageId"]?.string == message && told["text"]?.string == "Hello!")
        #expect(told["contactReplyTo"]?.string == "5491155551234" && told["direction"]?.string == "outbound")

        // Somebody of whom no phone number is known.
        let received = try #require(
            ear.calls.compactMap(\.json).first { $0["event"]?.string == "message.received" }?["data"])
        #expect(received["contactPhone"]?.isNull == true && received["username"]?.string == "customer.name")
        #expect(
            received["contactIdentifier"]?.string == "AR.ABC123"
                && received["contactIdentifierType"]?.string == "bsuid"
                && received["contactReplyTo"]?.string == "AR.ABC123")
        #expect(received["text"]?.string == "hi" && received["metaPhoneNumberId"]?.string == "106")
        let contact = try #require(received["contactId"]?.string)
        for to in ["AR.ABC123", contact] {
            let reply = try client.call(
                "POST", "/v1/phones/\(id)/messages",
                #"{"type":"text","to":"\#(to)","text":"Thanks, we received your message."}"#)
            #expect(reply.status == 202, "\(reply.text)")
            #expect(reply.json?[path: "data", "to"]?.string == "AR.ABC123")
        }
        #expect(eventually { ear.calls.count >= 4 })
        let answered = try #require(ear.calls.last?.json?["data"])
        #expect(answered["contactId"]?.string == contact && answered["conversationId"]?.string != nil)
    }

    @Test func aPhoneIsReadInPages() throws {
        let lab = try Lab()
        let client = try Client(lab)
        let id = try #require(try phone(client)["id"]?.string)
        for number in 0..<3 {
            try lab.sandbox(
                "POST", "inbound", #"{"phoneNumberId":"106","from":"1415555010\#(number)","text":"hello \#(number)"}"#)
            #expect(
                try eventually {
                    try client.call("GET", "/v1/phones/\(id)/conversations").text.contains("1415555010\(number)")
                })
        }
        let sent = try client.call(
            "POST", "/v1/phones/106/messages", #"{"type":"text","to":"14155550100","text":{"body":"Hello!"}}"#)
        let last = try #require(sent.json?[path: "data", "id"]?.string, "\(sent.text)")
        try lab.wait(last, for: "read")

        func page(_ path: String) throws -> (items: [JSONValue], pagination: JSONValue) {
            let answer = try client.call("GET", path)
            #expect(answer.status == 200, "\(answer.text)")
            return (answer.json?["data"]?.list ?? [], try #require(answer.json?[path: "meta", "pagination"]))
        }
        let first = try page("/v1/phones/main/messages?page=1&limit=3")
        #expect(first.items.count == 3 && first.pagination["total"]?.integer == 4)
        #expect(first.pagination["hasMore"]?.bool == true && first.items[0]["id"]?.string == last)
        #expect(first.items[0]["text"]?.string == "Hello!" && first.items[0]["direction"]?.string == "outbound")
        // Whom it was sent to is known, for they wrote.
        let second = try page("/v1/phones/\(id)/messages?page=2&limit=3")
        #expect(second.items.count == 1 && second.pagination["hasMore"]?.bool == false)
        #expect(second.items[0]["contactId"]?.string == first.items[0]["contactId"]?.string)
        #expect(second.items[0]["text"]?.string == "hello 0")
        #expect(try page("/v1/phones/\(id)/messages?page=9").items.isEmpty)

        let conversations = try page("/v1/phones/\(id)/conversations?limit=2")
        #expect(conversations.items.count == 2 && conversations.pagination["total"]?.integer == 3)
        #expect(conversations.pagination["hasMore"]?.bool == true)
        let oldest = try page("/v1/phones/\(id)/conversations?limit=2&page=2").items
        #expect(oldest.count == 1 && oldest[0]["contactPhone"]?.string == "14155550100")
        let conversation = try #require(oldest[0]["id"]?.string)
        let one = try client.call("GET", "/v1/phones/\(id)/conversations/\(conversation)").json?["data"]
        #expect(one?["isWindowOpen"]?.bool == true && one?["phoneNumberId"]?.string == id)
        let messages = try page("/v1/phones/\(id)/conversations/\(conversation)/messages?limit=1")
        #expect(messages.items.count == 1 && messages.pagination["total"]?.integer == 2)
        #expect(messages.items[0]["conversationId"]?.string == conversation)
        #expect(messages.items[0]["contactIdentifier"]?.string == "14155550100")
        #expect(try page("/v1/phones/\(id)/conversations/\(conversation)/messages?page=2&limit=1").items.count == 1)

        // Another line's conversation is not this phone's.
        #expect(
            try lab.call("PUT", "/v1/lines/second", #"{"phoneNumberId":"107","token":"t",\#(Lab.freely)}"#).status
                == 201)
        #expect(try client.call("GET", "/v1/phones/second/conversations/\(conversation)").status == 404)
        let phones = try page("/v1/phones?limit=1&page=2")
        #expect(phones.items[0]["name"]?.string == "second" && phones.pagination["total"]?.integer == 2)
        #expect(phones.items[0]["id"]?.string != id)
        // The same after a restart.
        #expect(lab.stopDaemon() == 0)
        try lab.startDaemon()
        #expect(try client.call("GET", "/v1/phones/\(id)").json?[path: "data", "name"]?.string == "main")
    }

    @Test func everyKindIsSent() throws {
        let lab = try Lab()
        let client = try Client(lab)
        try lab.sandbox("POST", "inbound", #"{"phoneNumberId":"106","from":"14155550100","text":"hello"}"#)
        #expect(try eventually { try client.call("GET", "/v1/phones/106/conversations").text.contains("14155550100") })
        let received = try client.call("GET", "/v1/phones/106/messages").json?["data"]?.list.first
        let answered = try #require(received?["whatsappMessageId"]?.string)
        let button = #"{"type":"reply","reply":{"id":"a","title":"Yes"}}"#
        let contents = [
            #""type":"text","text":"Hello!","context":{"message_id":"\#(answered)"}"#,
            #""type":"template","template":{"name":"hello_world","language":{"code":"en_US"}}"#,
            #""type":"template","template":{"name":"hello_world","language":"en_US"}"#,
            #""type":"image","image":{"link":"https://example.com/a.jpg","caption":"A"}"#,
            #""type":"video","video":{"link":"https://example.com/a.mp4"}"#,
            #""type":"audio","audio":{"link":"https://example.com/a.ogg"}"#,
            #""type":"document","document":{"link":"https://example.com/a.pdf","filename":"a.pdf"}"#,
            #""type":"sticker","sticker":{"link":"https://example.com/a.webp"}"#,
            #""type":"location","location":{"latitude":-34.6,"longitude":-58.4,"name":"Home"}"#,
            #""type":"contacts","contacts":[{"name":{"formatted_name":"Ann Lee"},"phones":[{"phone":"+14155550101"}]}]"#,
            #""type":"reaction","reaction":{"messageId":"\#(answered)","emoji":"👍"}"#,
            #""type":"interactive","interactive":{"type":"button","body":{"text":"Well?"},"action":{"buttons":[\#(button)]}}"#,
        ]
        for content in contents {
            let sent = try client.call("POST", "/v1/phones/106/messages", #"{"to":"14155550100",\#(content)}"#)
            let id = try #require(sent.json?[path: "data", "id"]?.string, "\(content): \(sent.text)")
            // Of a reaction nobody hears that it was read.
            let message = try lab.wait(id, for: content.contains("reaction") ? "sent" : "read")
            #expect(message["type"]?.string == sent.json?[path: "data", "type"]?.string)
        }
        let listed = try client.call("GET", "/v1/phones/106/messages?limit=200").json?["data"]?.list ?? []
        #expect(listed.count == contents.count + 1)
        #expect(listed.first { $0["type"]?.string == "image" }?[path: "content", "caption"]?.string == "A")
        #expect(listed.first { $0["type"]?.string == "template" }?[path: "content", "name"]?.string == "hello_world")
        let key = ["Idempotency-Key: 1"]
        let text = #"{"type":"text","to":"14155550100","text":"once"}"#
        let once = try client.call("POST", "/v1/phones/106/messages", text, key).json?[path: "data", "id"]?.string
        #expect(
            try client.call("POST", "/v1/phones/106/messages", text, key).json?[path: "data", "id"]?.string == once)
    }

    @Test func aLookHasMetaAskedForTheNextOne() throws {
        let lab = try Lab()
        let client = try Client(lab)
        func health() throws -> JSONValue? { try client.call("GET", "/v1/phones/106/health").json?["data"] }
        #expect(try eventually { try health()?["lastSyncedAt"]?.string != nil })
        let known = try health()?["lastSyncedAt"]?.string
        #expect(try eventually { try health()?["lastSyncedAt"]?.string != known })
        try lab.sandbox("PUT", "numbers/106", #"{"status":"DISCONNECTED"}"#)
        #expect(try eventually { try health()?[path: "capabilities", "canReceiveMessages"]?.bool == false })
    }

    @Test func aWebhookIsChangedInParts() throws {
        let lab = try Lab()
        let client = try Client(lab)
        let ear = try CallbackEar()
        // A subscription of outboxd's own is none of them.
        #expect(try lab.call("POST", "/v1/subscriptions", #"{"url":"http://127.0.0.1:9/"}"#).status == 201)
        let made = try client.call("POST", "/v1/outgoing-webhooks", #"{"url":"\#(ear.url)","events":["*"]}"#)
        let id = try #require(made.json?[path: "data", "id"]?.string, "\(made.text)")
        #expect(made.json?[path: "data", "secret"]?.string?.hasPrefix("whsec_") == true)
        let list = try client.call("GET", "/v1/outgoing-webhooks").json
        #expect(list?["data"]?.list.count == 1 && list?[path: "meta", "pagination", "total"]?.integer == 1)
        #expect(list?["data"]?.list[0]["secret"] == nil)
        #expect(list?["data"]?.list[0]["events"]?.list.map(\.string) == ["*"])

        let path = "/v1/outgoing-webhooks/\(id)"
        var changed = try client.call("PATCH", path, #"{"events":["message.read"],"secret":"a key of my own, ü"}"#)
        #expect(changed.status == 200 && changed.json?[path: "data", "url"]?.string == ear.url, "\(changed.text)")
        // The same again is no mistake.
        #expect(try client.call("PATCH", path, #"{"secret":"a key of my own, ü"}"#).status == 200)
        changed = try client.call("PUT", path, #"{"isActive":false}"#)
        #expect(changed.json?[path: "data", "isActive"]?.bool == false)
        #expect(changed.json?[path: "data", "events"]?.list.map(\.string) == ["message.read"])
        #expect(try client.call("PUT", path, #"{"isActive":true}"#).status == 200)
        let sent = try client.call("POST", "/v1/phones/106/messages", #"{"to":"14155550100","text":"Hello!"}"#)
        let message = try #require(sent.json?[path: "data", "id"]?.string)
        #expect(eventually { !ear.calls.isEmpty })
        let call = try #require(ear.calls.first)
        #expect(call.json?["event"]?.string == "message.read")
        #expect(call.json?[path: "data", "messageId"]?.string == message)
        #expect(call.headers["x-webhook-signature"] == signature(call, "a key of my own, ü"))
        let tested = try client.call("POST", "\(path)/test").json?["data"]
        #expect(tested?["success"]?.bool == true && ear.calls.last?.json?["event"]?.string == "test")
        #expect(ear.calls.last.map { $0.headers["x-webhook-signature"] == signature($0, "a key of my own, ü") } == true)

        // Kept as secrets are: in a file that a restart reads again.
        #expect(lab.stopDaemon() == 0)
        try lab.startDaemon()
        #expect(try client.call("POST", "\(path)/test").json?[path: "data", "success"]?.bool == true)
        #expect(ear.calls.last.map { $0.headers["x-webhook-signature"] == signature($0, "a key of my own, ü") } == true)
        #expect(try client.call("DELETE", path).json?[path: "data", "deleted"]?.bool == true)
        #expect(try client.call("GET", path).status == 404)
        #expect(try client.call("GET", "/v1/outgoing-webhooks").json?["data"]?.list.isEmpty == true)
        // Texts that are no keys of the standard's are of this format alone.
        #expect(
            try lab.call(
                "POST", "/v1/subscriptions", #"{"url":"http://127.0.0.1:9/","secret":"whsec_your_secret_key"}"#
            ).status == 400)
        #expect(
            try lab.call("POST", "/v1/subscriptions/1/rotate", #"{"secret":"whsec_your_secret_key"}"#).status == 400)
    }

    @Test func everyRefusalIsInItsWords() throws {
        let lab = try Lab()
        let client = try Client(lab)
        func refused(
            _ status: Int, _ code: String, _ method: String, _ path: String, _ body: String = "",
            by other: Client? = nil, _ headers: [String] = []
        ) throws {
            let answer =
                headers.isEmpty
                ? try (other ?? client).call(method, path, body) : try lab.call(method, path, body, headers: headers)
            #expect(answer.status == status, "\(method) \(path): \(answer.text)")
            #expect(keys(answer.json) == ["error"] && keys(answer.json?["error"]) == ["message", "code"])
            #expect(answer.json?[path: "error", "code"]?.string == code, "\(answer.text)")
            #expect(answer.json?[path: "error", "message"]?.string?.isEmpty == false)
        }
        let path = "/v1/phones/106/messages"
        for body in [
            "{", "[1]", "{}", #"{"to":"x","text":"a"}"#, #"{"to":"14155550100","type":"text"}"#,
            #"{"to":"14155550100","text":"a","line":"main"}"#, #"{"to":"14155550100","type":"image","image":{}}"#,
        ] { try refused(400, "VALIDATION_ERROR", "POST", path, body) }
        for query in ["page=0", "limit=201", "page=500&limit=200", "cursor=1"] {
            try refused(400, "VALIDATION_ERROR", "GET", "\(path)?\(query)")
        }
        for body in [
            "{}", #"{"url":"nowhere","events":["*"]}"#, #"{"url":"http://127.0.0.1:9/","events":["message.eaten"]}"#,
            #"{"url":"http://127.0.0.1:9/","events":["*"],"secret":"short"}"#,
            #"{"url":"http://127.0.0.1:9/","events":["*"],"color":"red"}"#,
        ] { try refused(400, "VALIDATION_ERROR", "POST", "/v1/outgoing-webhooks", body) }
        let tooLong = try client.call("POST", path, #"{"to":"14155550100","text":5}"#)
        #expect(tooLong.json?[path: "error", "message"]?.string?.contains("text") == true, "\(tooLong.text)")
        try refused(
            401, "UNAUTHORIZED", "GET", "/v1/phones", "",
            ["Authorization: Bearer sk_org_\(String(repeating: "0", count: 48))"])
        try refused(403, "FORBIDDEN", "POST", path, "{}", by: try Client(lab, role: "read"))
        for path in [
            "/v1/phones/550e8400-e29b-41d4-a716-446655440000", "/v1/phones/none/health", "/v1/phones/none/messages",
            "/v1/phones/106/conversations/550e8400-e29b-41d4-a716-446655440000",
            "/v1/outgoing-webhooks/550e8400-e29b-41d4-a716-446655440000",
        ] { try refused(404, "NOT_FOUND", "GET", path) }
        // A secret that cannot be kept.
        try FileManager.default.moveItem(atPath: "\(lab.state)/secrets", toPath: "\(lab.state)/elsewhere")
        try refused(
            500, "INTERNAL_ERROR", "POST", "/v1/outgoing-webhooks", #"{"url":"http://127.0.0.1:9/","events":["*"]}"#)
        try FileManager.default.moveItem(atPath: "\(lab.state)/elsewhere", toPath: "\(lab.state)/secrets")
        // A phone of another account is none.
        #expect(try lab.call("POST", "/v1/accounts", #"{"name":"shop"}"#).status == 201)
        let id = try #require(try phone(client)["id"]?.string)
        try refused(404, "NOT_FOUND", "GET", "/v1/phones/\(id)", by: try Client(lab, role: "send", account: "shop"))
        let text = #"{"to":"14155550100","text":"a"}"#
        #expect(try client.call("POST", path, text, ["Idempotency-Key: 1"]).status == 202)
        let other = try client.call("POST", path, #"{"to":"14155550100","text":"b"}"#, ["Idempotency-Key: 1"])
        #expect(other.status == 409 && other.json?[path: "error", "code"]?.string == "CONFLICT")
    }
}
