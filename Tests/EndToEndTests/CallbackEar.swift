import Foundation
import OutboxHTTP
import OutboxJSON
import OutboxSystem
import TestKit

/// A web server that is told of events, on a port of the loopback interface.
final class CallbackEar: Sendable {
    struct Call: Sendable {
        var id: String
        var timestamp: String
        var signatures: [String]
        var body: [UInt8]
        /// All of them, by name in lower case.
        var headers: [String: String] = [:]

        var json: JSONValue? { try? JSONParser().parse(body) }
        var sequence: Int64 { json?["seq"]?.integer ?? 0 }
    }

    private struct State {
        var calls: [Call] = []
        var ending = false
        var answer: @Sendable (Call) -> HTTPResponse = { _ in HTTPResponse(status: 204) }
    }

    private let bell = Bell()
    private let state = Lock(State())
    private let thread: OutboxSystem.Thread
    let port: UInt16

    init(port: UInt16 = 0) throws {
        let listener = try Listener.loopback(port: port, tag: 0)
        self.port = listener.port ?? 0
        let (bell, state) = (bell, state)
        thread = OutboxSystem.Thread("ear") {
            let server = HTTPServer(listeners: [listener], bell: bell)
            server.run(Ear(server: server, state: state))
        }
    }

    deinit { end() }

    /// Nobody listens any more.
    func end() {
        state.withLock { $0.ending = true }
        bell.ring()
        thread.join()
    }

    var url: String { "http://127.0.0.1:\(port)/hook" }
    var calls: [Call] { state.withLock { $0.calls } }

    func answer(_ body: @escaping @Sendable (Call) -> HTTPResponse) { state.withLock { $0.answer = body } }

    private final class Ear: HTTPHandler {
        unowned let server: HTTPServer
        let state: Lock<State>

        init(server: HTTPServer, state: Lock<State>) { (self.server, self.state) = (server, state) }

        func plan(_ head: RequestHead, peer: Peer, listener: Int, _ exchange: Exchange) -> BodyPlan {
            .collect(bytesMax: 1 << 20)
        }

        func received(_ request: HTTPRequest, _ exchange: Exchange) {
            let call = Call(
                id: request.head["webhook-id"] ?? "", timestamp: request.head["webhook-timestamp"] ?? "",
                signatures: (request.head["webhook-signature"] ?? "").split(separator: " ").map(String.init),
                body: request.body,
                headers: Dictionary(request.head.headers.map { ($0.name, $0.value) }) { first, _ in first })
            let answer = state.withLock { state in
                state.calls.append(call)
                return state.answer
            }
            server.respond(exchange, answer(call))
        }

        func received(piece: [UInt8], _ exchange: Exchange) {}
        func ended(_ exchange: Exchange) {}
        func dropped(_ exchange: Exchange) {}
        func answer(to refusal: HTTPRefusal, listener: Int) -> HTTPResponse { HTTPResponse(status: refusal.status) }
        func bellRang() { if state.withLock({ $0.ending }) { server.stop() } }
        func timeUp(nowNanoseconds: UInt64) -> UInt64? { nil }
    }
}
