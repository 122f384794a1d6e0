import Foundation
import Glibc
import OutboxHTTP
import OutboxSystem
import TestKit
import Testing

private enum Ending { case no, drain, stop }

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
        return head.path == "/stream" ? .stream : .collect(bytesMax: bodyBytesMax)
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
private final class Running {
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

@Suite struct ServerTests {
    @Test func answersOneAfterTheOtherOnOneConnection() throws {
        let running = try Running()
        let client = RawClient(running.path)
        for index in 0..<3 {
            client.say("POST /\(index) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
            #expect(client.hear()?.body == "POST /\(index) ab")
        }
    }

    @Test func whoHasConnectedMayStillAskWhenTheServerStops() throws {
        var limits = HTTPLimits()
        (limits.drainSeconds, limits.firstRequestSeconds) = (60, 60)
        let running = try Running(limits)
        let (served, fresh, asking) = (RawClient(running.path), RawClient(running.path), RawClient(running.path))
        served.say("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(served.hear()?.body == "GET /1 ")
        asking.say("POST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
        running.end(.drain)
        #expect(served.isClosed(), "idle, and served before")
        fresh.say("GET /3 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(fresh.hear()?.body == "GET /3 ")
        asking.say("b")
        #expect(asking.hear()?.body == "POST /2 ab")
    }

    @Test func pipelinedRequestsAreAnsweredInTheirOrder() throws {
        let running = try Running()
        let client = RawClient(running.path)
        let count = 5000
        client.say((0..<count).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
        for index in 0..<count { #expect(client.hear()?.body == "GET /\(index) ") }
    }

    @Test func aRequestMayComeByteByByte() throws {
        let running = try Running()
        let client = RawClient(running.path)
        for byte in "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".utf8 {
            client.say([byte])
        }
        #expect(client.hear()?.body == "POST / abc")
    }

    @Test func aStreamHasNoEndButItsOwn() throws {
        let running = try Running()
        let client = RawClient(running.path)
        let piece = String(repeating: "x", count: 100_000)
        client.say("POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<50 { client.say("186a0\r\n\(piece)\r\n") }
        client.say("0\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hear()?.body == "5000000")
        #expect(client.hear()?.body == "GET /after ")
    }

    @Test func a100ContinueComesBeforeTheBody() throws {
        let running = try Running()
        let client = RawClient(running.path)
        client.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        #expect(client.hear()?.status == 100)
        client.say("abc")
        #expect(client.hear()?.body == "POST / abc")
    }

    @Test func headHasNoBody() throws {
        let running = try Running()
        let client = RawClient(running.path)
        client.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hear(hasBody: false)?.status == 200)
        #expect(client.hear()?.body == "GET /2 ")
    }

    @Test func aTooLongBodyIsRefusedHoweverItIsFramed() throws {
        let running = try Running()
        for framing in ["Content-Length: 1001", "Transfer-Encoding: chunked"] {
            let client = RawClient(running.path)
            client.say("POST / HTTP/1.1\r\nHost: x\r\n\(framing)\r\n\r\n3e9\r\n" + String(repeating: "x", count: 1001))
            let answer = try #require(client.hear())
            #expect(answer.status == 413 && answer.head.contains("connection: close"))
        }
    }

    @Test func garbageAndTenMegabytesOfHeadersGetAnAnswer() throws {
        let running = try Running()
        let other = RawClient(running.path)
        let garbage = RawClient(running.path)
        garbage.say([0x16, 0x03, 0x01, 0x02, 0x00])
        #expect(garbage.hear()?.status == 400)
        #expect(garbage.isEnded())
        let huge = RawClient(running.path)
        huge.say("GET / HTTP/1.1\r\nHost: x\r\n")
        for _ in 0..<160 where huge.say("A: \(String(repeating: "a", count: 65_536))\r\n") {}
        #expect(huge.hear()?.status == 431)
        other.say("GET /still-here HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(other.hear()?.body == "GET /still-here ")
    }

    @Test func aRefusedClientSeesTheAnswerThoughItStillSends() throws {
        let running = try Running()
        let client = RawClient(running.path)
        client.say("POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n")
        client.say(String(repeating: "x", count: 400_000))
        #expect(client.hear()?.status == 403)
    }

    @Test func whoSaysNothingOrHalfARequestIsDropped() throws {
        var limits = HTTPLimits()
        limits.headSeconds = 0.3
        limits.idleSeconds = 0.3
        limits.stallSeconds = 0.3
        let running = try Running(limits)
        let silent = RawClient(running.path)
        let halfHead = RawClient(running.path)
        halfHead.say("GET / HTT")
        let halfBody = RawClient(running.path)
        halfBody.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        #expect(silent.isEnded())
        #expect(halfHead.hear()?.status == 408)
        #expect(halfBody.hear()?.status == 408)
    }

    @Test func slowHeadersDoNotProlongTheirTime() throws {
        var limits = HTTPLimits()
        limits.headSeconds = 0.5
        let running = try Running(limits)
        let client = RawClient(running.path)
        client.say("GET / HTTP/1.1\r\n")
        var said = 0
        while client.say("a: b\r\n"), said < 400 {
            said += 1
            usleep(20_000)
        }
        #expect(client.hear()?.status == 408)
    }

    @Test func aDrippedBodyDoesNotProlongItsTimeForEver() throws {
        var limits = HTTPLimits()
        limits.bodySeconds = 0.5
        let running = try Running(limits)
        let client = RawClient(running.path)
        client.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n")
        var said = 0
        while client.say("x"), said < 400 {
            said += 1
            usleep(20_000)
        }
        #expect(client.hear()?.status == 408)
    }

    @Test func halfClosedClientsGetTheirAnswer() throws {
        let running = try Running()
        let client = RawClient(running.path)
        client.say("GET /last HTTP/1.1\r\nHost: x\r\n\r\n")
        client.endSpeaking()
        #expect(client.hear()?.body == "GET /last ")
        #expect(client.isEnded())
    }

    @Test func whatWasSentBeforeTheHalfCloseIsAnswered() throws {
        let running = try Running()
        let client = RawClient(running.path)
        client.say((0..<5).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined() + "GET /half HT")
        client.endSpeaking()
        for index in 0..<5 { #expect(client.hear()?.body == "GET /\(index) ") }
        #expect(client.isEnded())
    }

    @Test func aRefusalAfterAHeadHasItsBody() throws {
        let running = try Running()
        let client = RawClient(running.path)
        client.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hear(hasBody: false)?.status == 200)
        client.say("BROKEN\r\n\r\n")
        #expect(client.hear()?.body.isEmpty == false)
    }

    @Test func tooManyConnectionsAreToldSo() throws {
        var limits = HTTPLimits()
        (limits.connectionsMax, limits.spareIdleSeconds) = (3, 60)
        let running = try Running(limits)
        let first = (0..<3).map { _ in RawClient(running.path) }
        for client in first {
            client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(client.hear()?.status == 200)
        }
        let fourth = RawClient(running.path)
        #expect(fourth.hear()?.status == 503)
        first[0].say("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(first[0].hear()?.status == 200)
    }

    @Test func whoIdlesMakesRoomForWhoAsks() throws {
        var limits = HTTPLimits()
        (limits.connectionsMax, limits.spareIdleSeconds) = (3, 0.05)
        let running = try Running(limits)
        let busy = RawClient(running.path)
        busy.say("GET /never HTTP/1.1\r\nHost: x\r\n\r\n")
        let idle = (0..<2).map { _ in RawClient(running.path) }
        for client in idle {
            client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(client.hear()?.status == 200)
        }
        usleep(100_000)
        idle[0].say("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(idle[0].hear()?.body == "GET /1 ")
        let fourth = RawClient(running.path)
        fourth.say("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(fourth.hear()?.body == "GET /2 ")
        #expect(idle[1].isEnded(), "the one that idled longest")
        busy.setPatience(milliseconds: 50)
        #expect(!busy.isClosed(), "its answer is awaited")
    }

    @Test func bodiesCountUntilTheyAreAnsweredAlsoWhenTheirClientHasGone() throws {
        var limits = HTTPLimits()
        limits.bodyBytesInMemoryMax = 20_000
        let running = try Running(limits, bodyBytesMax: 10_000)
        func post(_ path: String) -> RawClient {
            let client = RawClient(running.path)
            let body = String(repeating: "x", count: 9000)
            client.say("POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: 9000\r\n\r\n\(body)")
            return client
        }
        for _ in 0..<10 { #expect(post("/").hear()?.status == 200) }
        let waiting = post("/never")
        // One that went: its body is still with the handler.
        do { _ = post("/never") }
        _ = waiting
        #expect(post("/").hear()?.status == 503)
    }

    @Test func whoDoesNotTakeAnswersMayNotAskForMore() throws {
        var limits = HTTPLimits()
        limits.stallSeconds = 0.5
        let running = try Running(limits)
        let greedy = RawClient(running.path)
        greedy.setPatience(milliseconds: 300)
        let request = Array("GET /\(String(repeating: "x", count: 8000)) HTTP/1.1\r\nHost: x\r\n\r\n".utf8)
        var taken = 0
        // The kernel's buffers hold some; then the server stops reading, and in the end closes.
        while taken < 1000, greedy.say(request) { taken += 1 }
        #expect(taken < 1000)
        let client = RawClient(running.path)
        client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hear()?.status == 200)
    }

    @Test func oneUserHasNoMoreConnectionsThanAllowed() throws {
        var limits = HTTPLimits()
        limits.spareIdleSeconds = 60
        let running = try Running(limits, ownMax: 2)
        let clients = (0..<2).map { _ in RawClient(running.path) }
        for client in clients {
            client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            #expect(client.hear()?.status == 200)
        }
        let third = RawClient(running.path)
        #expect(third.hear()?.status == 503)
    }

    @Test func brokenChunksDoNotWearAwayTheLimitOnMemory() throws {
        var limits = HTTPLimits()
        limits.bodyBytesInMemoryMax = 2000
        let running = try Running(limits)
        for path in ["/", "/stream"] {
            for _ in 0..<50 {
                let client = RawClient(running.path)
                client.say("POST \(path) HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1f4\r\n")
                client.say(String(repeating: "x", count: 500) + "oops")
                #expect(client.hear()?.status == 400)
            }
        }
        let waiting = (0..<3).map { _ in RawClient(running.path) }
        for client in waiting {
            client.say(
                "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "x", count: 900))
        }
        #expect(waiting[2].hear()?.status == 503)
        // Whoever fills one socket's share does not keep the other's callers out.
        let elsewhere = RawClient(running.other)
        elsewhere.say(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n" + String(repeating: "x", count: 1000))
        #expect(elsewhere.hear()?.status == 200)
    }

    @Test func strangersTogetherHaveSoManyConnections() throws {
        let running = try Running(strangersMax: 3)
        for _ in 0..<2 {
            let clients = (0..<3).map { _ in RawClient(running.path) }
            for client in clients {
                client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                #expect(client.hear()?.status == 200)
            }
            #expect(RawClient(running.path).hear()?.status == 503)
            for client in clients {
                client.say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                #expect(client.hear()?.status == 200 && client.isClosed())
            }
        }
    }

    @Test func aSocketHasItsModeFromTheStartAndGoesWithItsServerAlone() throws {
        let running = try Running()
        func mode(_ path: String) -> mode_t {
            var info = stat()
            return lstat(path, &info) == 0 ? info.st_mode & 0o7777 : 0
        }
        #expect(mode(running.path) == 0o600 && mode(running.other) == 0o666)
        // Somebody else has taken one of the places.
        #expect(unlink(running.other) == 0)
        try "another's".write(toFile: running.other, atomically: true, encoding: .utf8)
        running.end(.stop)
        while mode(running.path) != 0 { usleep(1000) }
        #expect(try String(contentsOfFile: running.other, encoding: .utf8) == "another's")
    }

    @Test func aClientThatLeavesWithoutItsAnswerDisturbsNobody() throws {
        let running = try Running()
        for _ in 0..<50 { RawClient(running.path).say("GET /never HTTP/1.1\r\nHost: x\r\n\r\n") }
        let client = RawClient(running.path)
        client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hear()?.status == 200)
    }

    @Test func aSocketInUseIsNotTaken() throws {
        let running = try Running()
        #expect(throws: ListenError.self) { try Listener.unix(path: running.path, mode: 0o600, tag: 0) }
    }
}
