import Foundation
import OutboxHTTP
import OutboxJSON
import TestKit
import Testing

/// A client of CallMissed's WhatsApp API with a key of its own, pointed at a lab's daemon.
struct CallMissedClient {
    static let base = "/api/v1/whatsapp"
    static let png =
        "\u{89}PNG\r\n\u{1A}\n".unicodeScalars.map { UInt8($0.value) } + [UInt8](repeating: 7, count: 5000)
    /// Whose window opens with `write`.
    static let person = "14155550100"

    typealias Answer = (status: Int, json: JSONValue?, text: String)

    let lab: Lab
    let bearer: String

    init(_ lab: Lab, _ role: String = "admin", named name: String = "client") throws {
        self.lab = lab
        let made = try lab.call(
            "POST", "/v1/keys", #"{"name":"\#(role)-\#(name)","role":"\#(role)","prefix":"cm_"}"#)
        let text = try #require(made.json?[path: "data", "key"]?.string, "\(made.text)")
        #expect(text.wholeMatch(of: /cm_[0-9a-f]{48}/) != nil)
        bearer = "Authorization: Bearer \(text)"
    }

    /// One whose line was connected by the call itself.
    static func connected() throws -> CallMissedClient {
        let client = try CallMissedClient(try Lab(line: nil))
        let made = try client.call(
            "POST", "/onboarding/manual",
            #"{"waba_id":"102290129340398","phone_number_id":"1234567890","access_token":"EAAG"}"#)
        #expect(made.status == 200, "\(made.text)")
        #expect(names(made.json) == ["account", "phone_number", "fully_provisioned", "onboarding_error"])
        #expect(made.json?["fully_provisioned"]?.bool == true, "\(made.text)")
        #expect(made.json?[path: "account", "waba_id"]?.string == "102290129340398")
        #expect(made.json?[path: "phone_number", "phone_number_id"]?.string == "1234567890")
        #expect(try client.lab.call("PUT", "/v1/pools/1234567890", #"{"tier":"TIER_UNLIMITED"}"#).status == 200)
        return client
    }

    static func names(_ value: JSONValue?) -> Set<String> { Set(value?.members.map(\.name) ?? []) }

    func call(_ method: String, _ path: String, _ body: String = "", headers: [String] = []) throws -> Answer {
        try lab.call(method, Self.base + path, body, headers: [bearer] + headers)
    }

    /// The person's window is open; answers WhatsApp's id of what was written.
    func write(_ text: String = "hello") throws -> String {
        let body = #"{"phoneNumberId":"1234567890","from":"\#(Self.person)","text":"\#(text)"}"#
        let id = try #require(try lab.sandbox("POST", "inbound", body)?["id"]?.string)
        #expect(try eventually { try lab.call("GET", "/v1/events?event=message.received").text.contains(id) })
        return id
    }

    /// A form of one file, with fields before it.
    static func form(_ bytes: [UInt8], _ fields: [String: String] = [:], type: String?, named name: String = "a.png")
        -> [UInt8]
    {
        var body: [UInt8] = []
        for (name, value) in fields {
            body += "--B\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n".utf8
        }
        body += "--B\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(name)\"\r\n".utf8
        if let type { body += "Content-Type: \(type)\r\n".utf8 }
        return body + "\r\n".utf8 + bytes + "\r\n--B--\r\n".utf8
    }

    func upload(_ body: [UInt8]) throws -> (status: Int, json: JSONValue?) {
        let request = OutgoingRequest(
            method: "POST", url: "http://x\(Self.base)/media",
            headers: ["Content-Type: multipart/form-data; boundary=B", bearer], body: body, timeout: .seconds(120),
            unixSocket: lab.socket)
        let result = callAndWait(request)
        guard case .answered(let status, _, let bytes) = result else { throw Lab.NoAnswer(result: result) }
        return (status, try? JSONParser().parse(bytes))
    }
}
