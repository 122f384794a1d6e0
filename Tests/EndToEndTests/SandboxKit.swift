import Foundation
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxSystem
import TestKit
import Testing

/// A sandbox alone, without outboxd; the test is the sender and hears the webhooks.
final class SandboxLab {
    let folder = TemporaryFolder()
    let hooks: WebhookEar
    private let program: Program
    private let port: Int

    init(_ arguments: String...) throws {
        let secret = "sandbox-lab-secret"
        let socket = folder.file("w.sock")
        hooks = try WebhookEar(socket: socket, secret: secret)
        let portFile = folder.file("port")
        program = try Program(
            "outbox-sandbox",
            [
                "--port", "0", "--port-file", portFile, "--webhook-url", "http://localhost/", "--webhook-socket",
                socket, "--app-secret", secret, "--delivered-after", "0", "--read-after", "-1",
            ] + arguments, output: folder.file("sandbox.log"))
        var port: Int?
        _ = eventually {
            port = (try? String(contentsOfFile: portFile, encoding: .utf8)).flatMap { Int($0.dropLast()) }
            return port != nil
        }
        self.port = try #require(port, "the sandbox did not start: \(program.words)")
    }

    deinit { program.kill(SIGKILL) }

    struct Answer {
        var status: Int
        var json: JSONValue?

        /// Meta's error code; nil when there is none.
        var code: Int64? { json?[path: "error", "code"]?.integer }
        var wamid: String? { json?["messages"]?.list.first?["id"]?.string }
    }

    func call(_ method: String, _ path: String, _ body: String = "", token: String? = "t") throws -> Answer {
        try call(method, url: "http://127.0.0.1:\(port)\(path)", body, token: token)
    }

    func call(_ method: String, url: String, _ body: String = "", token: String? = "t") throws -> Answer {
        let request = OutgoingRequest(
            method: method, url: url, headers: token.map { ["Authorization: Bearer \($0)"] } ?? [],
            body: Array(body.utf8), timeout: .seconds(30))
        let result = callAndWait(request)
        guard case .answered(let status, _, let bytes) = result else {
            throw Lab.Missing(what: "\(method) \(url): \(result) \(program.words.suffix(1000))")
        }
        return Answer(status: status, json: try? JSONParser().parse(bytes))
    }

    /// Sends a text, or what `content` says: `"type":"…","…":{…}`.
    @discardableResult
    func send(
        _ to: String, from phoneNumberID: String = "106", content: String = #""type":"text","text":{"body":"hi"}"#,
        opaque: String? = nil
    ) throws -> Answer {
        let opaque = opaque.map { #","biz_opaque_callback_data":"\#($0)""# } ?? ""
        return try call(
            "POST", "/v25.0/\(phoneNumberID)/messages",
            #"{"messaging_product":"whatsapp","to":"+\#(to)",\#(content)\#(opaque)}"#)
    }

    /// A template message; `components` is JSON, an array.
    @discardableResult
    func sendTemplate(
        _ to: String, name: String = "order_ready", language: String = "en_US", components: String = "[]"
    ) throws -> Answer {
        let template = #"{"name":"\#(name)","language":{"code":"\#(language)"},"components":\#(components)}"#
        return try send(to, content: #""type":"template","template":\#(template)"#)
    }

    func inbound(_ from: String, to phoneNumberID: String = "106", _ fields: String = "") throws {
        let body = #"{"phoneNumberId":"\#(phoneNumberID)","from":"\#(from)"\#(fields)}"#
        #expect(try call("POST", "/sandbox/inbound", body).status == 202)
    }

    func summary() throws -> JSONValue {
        try #require(try call("GET", "/sandbox/summary").json?["data"])
    }

    func violations(_ name: String) throws -> Int64? { try summary()[path: "violations", name]?.integer }

    /// The statuses of a message as they were heard.
    func statuses(_ wamid: String?) -> [JSONValue] {
        hooks.values.flatMap { $0["statuses"]?.list ?? [] }.filter { $0["id"]?.string == wamid }
    }
}

/// Listens for webhooks on a socket, checks how they are signed and answers 200.
final class WebhookEar {
    private let bell = Bell()
    private let ending = Lock(false)
    private let heard = Lock<[JSONValue]>([])
    private let thread: OutboxSystem.Thread

    init(socket: String, secret: String) throws {
        let listener = try Listener.unix(path: socket, mode: 0o600, tag: 0)
        let (bell, ending, heard) = (bell, ending, heard)
        thread = OutboxSystem.Thread("ear") {
            let server = HTTPServer(listeners: [listener], bell: bell)
            server.run(Ear(server: server, secret: secret, ending: ending, heard: heard))
        }
    }

    deinit {
        ending.withLock { $0 = true }
        bell.ring()
        thread.join()
    }

    /// Every change in the order heard: `{"field":"…","value":{…}}`, below its account's entry.
    var entries: [JSONValue] { heard.withLock { $0 }.flatMap { $0["entry"]?.list ?? [] } }
    var changes: [JSONValue] { entries.flatMap { $0["changes"]?.list ?? [] } }
    var values: [JSONValue] { changes.compactMap { $0["value"] } }

    private final class Ear: HTTPHandler {
        unowned let server: HTTPServer
        let secret: String
        let ending: Lock<Bool>
        let heard: Lock<[JSONValue]>

        init(server: HTTPServer, secret: String, ending: Lock<Bool>, heard: Lock<[JSONValue]>) {
            (self.server, self.secret, self.ending, self.heard) = (server, secret, ending, heard)
        }

        func plan(_ head: RequestHead, peer: Peer, listener: Int, _ exchange: Exchange) -> BodyPlan {
            .collect(bytesMax: 3 << 20)
        }

        func received(_ request: HTTPRequest, _ exchange: Exchange) {
            let signed = isSigned(request.body, header: request.head["x-hub-signature-256"], secret: secret)
            if signed, let body = try? JSONParser().parse(request.body) { heard.withLock { $0.append(body) } }
            server.respond(exchange, HTTPResponse(status: signed ? 200 : 401))
        }

        func received(piece: [UInt8], _ exchange: Exchange) {}
        func ended(_ exchange: Exchange) {}
        func dropped(_ exchange: Exchange) {}

        func answer(to refusal: HTTPRefusal, listener: Int) -> HTTPResponse { HTTPResponse(status: refusal.status) }

        func bellRang() { if ending.withLock({ $0 }) { server.stop() } }

        func timeUp(nowNanoseconds: UInt64) -> UInt64? { nil }
    }
}
