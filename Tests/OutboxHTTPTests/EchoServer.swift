import Foundation
import Glibc
import OutboxHTTP
import OutboxSystem
import TestKit

/// How a server is told to end.
enum Ending { case no, drain, stop }

/// Answers every request with what it understood; `/stream` is handed over piece by piece, `/never` waits.
private final class Echo: HTTPHandler {
    unowned let server: HTTPServer
    private var streamed: [Exchange: Int] = [:]
    let ending: Lock<Ending>

    private let ownMax: Int
    private let strangersMax: Int?
    private let bodyBytesMax: Int

    init(server: HTTPServer, ending: Lock<Ending>, ownMax: Int, strangersMax: Int?, bodyBytesMax: Int) {
        self.ownMax = ownMax
        self.strangersMax = strangersMax
        self.bodyBytesMax = bodyBytesMax
        self.server = server
        self.ending = ending
    }

    func plan(_ head: RequestHead, peer: Peer, listener: Int, _ exchange: Exchange) -> BodyPlan {
        if head.path == "/refuse" { return .refuse(HTTPResponse(status: 403, body: Array("no".utf8))) }
        switch head.path {
        case "/stream": return .stream(hasLeastRate: false)
        case "/file": return .stream(hasLeastRate: true)
        default: return .collect(bytesMax: bodyBytesMax)
        }
    }

    func received(_ request: HTTPRequest, _ exchange: Exchange) {
        if request.head.path == "/never" { return }
        let text = "\(request.head.method) \(request.head.target) \(String(decoding: request.body, as: UTF8.self))"
        server.respond(exchange, HTTPResponse(status: 200, body: Array(text.utf8)))
    }

    func received(piece: [UInt8], _ exchange: Exchange) {
        streamed[exchange, default: 0] += piece.count
        server.resume(exchange)
    }

    func ended(_ exchange: Exchange) {
        server.respond(exchange, HTTPResponse(status: 200, body: Array("\(streamed[exchange] ?? 0)".utf8)))
    }

    func dropped(_ exchange: Exchange) { streamed[exchange] = nil }

    func connectionsMax(for peer: Peer, listener: Int) -> Int { ownMax }

    func strangersMax(for peer: Peer, listener: Int) -> Int? { strangersMax }

    func answer(to refusal: HTTPRefusal, listener: Int) -> HTTPResponse {
        HTTPResponse(status: refusal.status, body: Array(refusal.message.utf8))
    }

    func bellRang() {
        switch ending.withLock({ $0 }) {
        case .no: break
        case .drain: server.drain()
        case .stop: server.stop()
        }
    }

    func timeUp(nowNanoseconds: UInt64) -> UInt64? { nil }
}

/// A running echo server on a socket of its own.
final class EchoServer {
    let folder = TemporaryFolder()
    private let bell = Bell()
    private let ending = Lock(Ending.no)
    private let thread: OutboxSystem.Thread

    var path: String { folder.file("s") }
    var other: String { folder.file("o") }

    /// It listens at `path` and, under another tag, at `other`.
    init(
        _ limits: HTTPLimits = HTTPLimits(), ownMax: Int = .max, strangersMax: Int? = nil, bodyBytesMax: Int = 1000
    ) throws {
        let listeners = [
            try Listener.unix(path: folder.file("s"), mode: 0o600, tag: 0),
            try Listener.unix(path: folder.file("o"), mode: 0o666, tag: 1),
        ]
        let (bell, ending) = (bell, ending)
        thread = OutboxSystem.Thread("echo") {
            let server = HTTPServer(listeners: listeners, bell: bell, limits: limits)
            server.run(
                Echo(
                    server: server, ending: ending, ownMax: ownMax, strangersMax: strangersMax,
                    bodyBytesMax: bodyBytesMax))
        }
    }

    deinit {
        end(.stop)
        thread.join()
    }

    func end(_ way: Ending) {
        ending.withLock { $0 = way }
        bell.ring()
    }
}
