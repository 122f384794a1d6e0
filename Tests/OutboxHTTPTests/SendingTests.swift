import Glibc
import OutboxHTTP
import OutboxSystem
import TestKit
import Testing

/// What the handler did and was told, for the test to see.
private struct Seen: Sendable {
    var written = 0
    var cutOff = 0
    var drained = 0
    var ends = false
}

/// `/count/N` tells N pieces and ends; `/quiet` says hello and nothing more; `/flood` says more whenever it may;
/// `/mute` begins and says nothing.
private final class Teller: HTTPHandler {
    unowned let server: HTTPServer
    let seen: Lock<Seen>
    private var left: [Exchange: Int] = [:]

    init(server: HTTPServer, seen: Lock<Seen>) {
        self.server = server
        self.seen = seen
    }

    func plan(_ head: RequestHead, peer: Peer, listener: Int, _ exchange: Exchange) -> BodyPlan {
        .collect(bytesMax: 1000)
    }

    func received(_ request: HTTPRequest, _ exchange: Exchange) {
        let path = request.head.path.split(separator: "/")
        let head = HTTPResponse(status: 200, headers: [HTTPHeader("content-type", "text/plain")])
        switch path.first {
        case "count":
            guard server.begin(exchange, head, endless: false) else { return }
            left[exchange] = path.count > 1 ? Int(path[1]) : 0
        case "quiet":
            var head = head
            head.body = Array("hello".utf8)
            _ = server.begin(exchange, head, endless: true)
        case "flood":
            guard server.begin(exchange, head, endless: true) else { return }
            left[exchange] = .max
        case "mute": _ = server.begin(exchange, head, endless: true)
        default: server.respond(exchange, HTTPResponse(status: 200, body: Array("plain".utf8)))
        }
    }

    func drained(_ exchange: Exchange) {
        seen.withLock { $0.drained += 1 }
        guard let more = left[exchange] else { return }
        if more == 0 {
            left[exchange] = nil
            return server.end(exchange)
        }
        left[exchange] = more == .max ? .max : more - 1
        let piece = more == .max ? [UInt8](repeating: 0x78, count: 65_536) : Array("piece \(more)\n".utf8)
        seen.withLock { $0.written += piece.count }
        server.write(exchange, piece)
    }

    func cutOff(_ exchange: Exchange) {
        left[exchange] = nil
        seen.withLock { $0.cutOff += 1 }
    }

    func received(piece: [UInt8], _ exchange: Exchange) {}
    func ended(_ exchange: Exchange) {}
    func dropped(_ exchange: Exchange) {}

    func answer(to refusal: HTTPRefusal, listener: Int) -> HTTPResponse { HTTPResponse(status: refusal.status) }

    func bellRang() {
        if seen.withLock({ $0.ends }) { server.stop() } else { server.drain() }
    }

    func timeUp(nowNanoseconds: UInt64) -> UInt64? { nil }
}

private final class Running {
    let folder = TemporaryFolder()
    let seen = Lock(Seen())
    private let bell = Bell()
    private let thread: Thread

    init(_ limits: HTTPLimits = HTTPLimits()) throws {
        let listener = try Listener.unix(path: folder.file("s"), mode: 0o600, tag: 0)
        let (bell, seen) = (bell, seen)
        thread = Thread("teller") {
            let server = HTTPServer(listeners: [listener], bell: bell, limits: limits)
            server.run(Teller(server: server, seen: seen))
        }
    }

    deinit {
        seen.withLock { $0.ends = true }
        bell.ring()
        thread.join()
    }

    var client: RawClient { RawClient(folder.file("s")) }

    func drain() { bell.ring() }

    /// Looks until it holds, for 20 seconds at most.
    func comesTo(_ holds: (Seen) -> Bool) -> Bool {
        for _ in 0..<2000 {
            if seen.withLock({ holds($0) }) { return true }
            usleep(10_000)
        }
        return false
    }
}

private func text(_ chunk: [UInt8]?) -> String? { chunk.map { String(decoding: $0, as: UTF8.self) } }

@Suite struct SendingTests {
    @Test func piecesComeAsChunksAndTheConnectionServesOn() throws {
        let running = try Running()
        let client = running.client
        client.say("GET /count/3 HTTP/1.1\r\nHost: x\r\n\r\nGET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
        let head = try #require(client.hearHead())
        #expect(head.contains("transfer-encoding: chunked") && !head.contains("content-length"))
        for index in [3, 2, 1] { #expect(text(client.hearChunk()) == "piece \(index)\n") }
        #expect(client.hearChunk() == [])
        #expect(client.hear()?.body == "plain")
        client.say("GET /count/0 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        #expect(client.hearHead()?.contains("connection: close") == true)
        #expect(client.hearChunk() == [])
        #expect(client.isEnded())
    }

    @Test func anOldClientHearsTheEndByTheClosing() throws {
        let running = try Running()
        let client = running.client
        client.say("GET /count/2 HTTP/1.0\r\n\r\n")
        let head = try #require(client.hearHead())
        #expect(!head.contains("chunked") && head.contains("connection: close"))
        #expect(text(client.hearEverything()) == "piece 2\npiece 1\n")
    }

    @Test func headGetsTheHeadAlone() throws {
        let running = try Running()
        let client = running.client
        for path in ["/flood", "/count/2"] {
            client.say("HEAD \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(client.hearHead()?.contains("transfer-encoding: chunked") == true)
        }
        client.say("GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hear()?.body == "plain")
        #expect(running.seen.withLock { $0.written } == 0)
    }

    @Test func whoGoesIsMissedThoughNothingIsWritten() throws {
        let running = try Running()
        for path in ["/mute", "/quiet"] {
            let before = running.seen.withLock { $0.cutOff }
            do {
                let client = running.client
                client.say("GET \(path) HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(client.hearHead() != nil)
            }
            #expect(running.comesTo { $0.cutOff == before + 1 })
        }
    }

    @Test func aHalfClosedClientHasNotGone() throws {
        let running = try Running()
        let client = running.client
        client.say("GET /count/1000 HTTP/1.1\r\nHost: x\r\n\r\n")
        client.endSpeaking()
        #expect(client.hearHead() != nil)
        for _ in 0..<1000 { #expect(client.hearChunk()?.isEmpty == false) }
        #expect(client.hearChunk() == [])
        #expect(client.isEnded())
        #expect(running.seen.withLock { $0.cutOff } == 0)
    }

    @Test func aQuietAnswerOutlivesEveryDeadline() throws {
        var limits = HTTPLimits()
        (limits.idleSeconds, limits.stallSeconds, limits.headSeconds) = (0.2, 0.2, 0.2)
        let running = try Running(limits)
        let client = running.client
        client.say("GET /quiet HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hearHead() != nil)
        #expect(text(client.hearChunk()) == "hello")
        // Others come and are thrown out meanwhile.
        for _ in 0..<5 { #expect(running.client.isEnded()) }
        client.setPatience(milliseconds: 100)
        #expect(client.hearChunk() == nil)
        #expect(running.seen.withLock { $0.cutOff } == 0)
    }

    @Test func whoTakesNothingIsCutOffAndCostsNoMemory() throws {
        var limits = HTTPLimits()
        limits.stallSeconds = 0.3
        let running = try Running(limits)
        let client = running.client
        client.say("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(running.comesTo { $0.cutOff == 1 })
        // What the kernel took, and the piece that waited.
        #expect(running.seen.withLock { $0.written } < 4 << 20)
        let other = running.client
        other.say("GET /plain HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(other.hear()?.body == "plain")
    }

    @Test func aSlowReaderIsWaitedFor() throws {
        let running = try Running()
        let client = running.client
        client.say("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hearHead() != nil)
        for _ in 0..<100 { #expect(client.hearChunk()?.count == 65_536) }
        let written = running.seen.withLock { $0.written }
        #expect(written < 100 * 65_536 + 4 << 20)
    }

    @Test func theServersEndEndsAnswersWithoutOne() throws {
        let running = try Running()
        let (quiet, flood, mute) = (running.client, running.client, running.client)
        quiet.say("GET /quiet HTTP/1.1\r\nHost: x\r\n\r\n")
        flood.say("GET /flood HTTP/1.1\r\nHost: x\r\n\r\n")
        mute.say("GET /mute HTTP/1.1\r\nHost: x\r\n\r\n")
        for client in [quiet, flood, mute] { #expect(client.hearHead() != nil) }
        #expect(text(quiet.hearChunk()) == "hello")
        running.drain()
        #expect(quiet.hearChunk() == [])
        #expect(mute.hearChunk() == [])
        var chunk = flood.hearChunk()
        while let piece = chunk, !piece.isEmpty { chunk = flood.hearChunk() }
        #expect(chunk == [])
        for client in [quiet, flood, mute] { #expect(client.isEnded()) }
        #expect(running.comesTo { $0.cutOff == 3 })
    }

    @Test func theServersEndLetsOthersComeToTheirs() throws {
        let running = try Running()
        let client = running.client
        client.say("GET /count/20000 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hearHead() != nil)
        running.drain()
        for _ in 0..<20_000 where client.hearChunk()?.isEmpty != false {
            Issue.record("it ended early")
            return
        }
        #expect(client.hearChunk() == [])
        #expect(client.isEnded())
    }

    @Test func manyGoOnAtOnce() throws {
        let running = try Running()
        let clients = (0..<200).map { _ in running.client }
        for client in clients { client.say("GET /count/50 HTTP/1.1\r\nHost: x\r\n\r\n") }
        for client in clients {
            #expect(client.hearHead() != nil)
            for index in (1...50).reversed() { #expect(text(client.hearChunk()) == "piece \(index)\n") }
            #expect(client.hearChunk() == [])
        }
    }
}
