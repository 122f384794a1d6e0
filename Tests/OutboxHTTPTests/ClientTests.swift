import Foundation
import Glibc
import OutboxHTTP
import OutboxSystem
import TestKit
import Testing

/// A server that does to each request, counted from 1 over all connections, what the test says.
private final class Scripted: @unchecked Sendable {
    enum Deed {
        case answer(String)
        /// Write this and close.
        case say(String)
        /// Write this and keep the connection open.
        case begin(String)
        case reset
        /// Say nothing and keep the connection open.
        case stall
    }

    let folder = TemporaryFolder()
    private let listener: Listener
    private let thread: OutboxSystem.Thread
    private let requests = Lock(0)

    var path: String { folder.file("s") }
    var count: Int { requests.withLock { $0 } }

    init(_ script: @escaping @Sendable (Int) -> Deed) throws {
        let listener = try Listener.unix(path: folder.file("s"), mode: 0o600, tag: 0)
        self.listener = listener
        let requests = requests
        // The listener does not block by itself; here it shall.
        _ = fcntl(listener.descriptor, F_SETFL, 0)
        thread = OutboxSystem.Thread("scripted") {
            while true {
                let connection = accept(listener.descriptor, nil, nil)
                if connection < 0 { return }
                // Ends with its connection.
                _ = OutboxSystem.Thread("scripted one") { serve(connection, requests, script) }
            }
        }
    }

    deinit {
        shutdown(listener.descriptor, Int32(SHUT_RDWR))
        thread.join()
        close(listener.descriptor)
    }
}

private func serve(_ connection: Int32, _ requests: Lock<Int>, _ script: (Int) -> Scripted.Deed) {
    var stays = false
    defer { if !stays { close(connection) } }
    while readRequest(connection) {
        let number = requests.withLock { requests in
            requests += 1
            return requests
        }
        func say(_ text: String) {
            let bytes = Array(text.utf8)
            _ = send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        }
        switch script(number) {
        case .answer(let body): say("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)")
        case .say(let text):
            say(text)
            return
        case .begin(let text):
            say(text)
            stays = true
            return
        case .reset:
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(connection, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
            return
        case .stall:
            stays = true
            return
        }
    }
}

/// Takes a request with a Content-Length body off the connection; false at its end.
private func readRequest(_ connection: Int32) -> Bool {
    var bytes: [UInt8] = []
    while true {
        var piece = [UInt8](repeating: 0, count: 4096)
        let count = recv(connection, &piece, piece.count, 0)
        if count <= 0 { return false }
        bytes += piece[..<count]
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { continue }
        let length =
            text[..<end.lowerBound].split(separator: "\r\n").compactMap { line in
                line.lowercased().hasPrefix("content-length:") ? Int(line.dropFirst(16)) : nil
            }.first ?? 0
        if text[end.upperBound...].utf8.count >= length { return true }
    }
}

private func post(_ path: String, timeout: Duration = .seconds(10), body: String = "{}") -> OutgoingRequest {
    OutgoingRequest(
        method: "POST", url: "http://x/", body: Array(body.utf8), timeout: timeout, unixSocket: path,
        answerBytesMax: 100_000)
}

/// Sends one after the other over one client, so that connections are kept.
private func sendInTurn(_ requests: [OutgoingRequest]) -> [HTTPResult] {
    let bell = Bell()
    let results = Mailbox<HTTPResult>(bell: bell)
    let client = HTTPClient<Int>(name: "test", connectionsMax: 4) { ends in results.post(ends.map(\.result)) }
    var list: [HTTPResult] = []
    for request in requests {
        client.send([(request, 0)])
        _ = bell.wait(milliseconds: 20_000)
        bell.clear()
        list += results.take()
    }
    client.finish(within: .seconds(1))
    return list
}

private struct Unexpected: Error {}

@Suite struct ClientTests {
    @Test func aLongAnswerIsBrokenOrCut() throws {
        let server = try Scripted { _ in .answer(String(repeating: "a", count: 200_000)) }
        var request = post(server.path)
        guard case .broken = callAndWait(request) else { throw Unexpected() }
        request.cutsAnswer = true
        guard case .answered(200, _, let body) = callAndWait(request) else { throw Unexpected() }
        #expect(body.count == request.answerBytesMax)
    }

    /// Stalls, or is cut: what the head says counts where that suffices.
    @Test func anAnswersHeadMaySuffice() throws {
        let begun = "\r\nContent-Length: 10\r\nx-a: b\r\n\r\n12345"
        let server = try Scripted { number in
            let head = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 \(number > 4 ? "410 Gone" : "201 Created")\(begun)"
            switch number % 2 {
            case _ where number > 6: return .begin("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Len")
            case 0: return .begin(head)
            default: return .say(head)
            }
        }
        var request = post(server.path, timeout: .milliseconds(400))
        for _ in 1...2 { guard case .broken = callAndWait(request) else { throw Unexpected() } }
        request.headSuffices = true
        for status in [201, 201, 410, 410] {
            guard case .answered(status, let headers, let body) = callAndWait(request) else { throw Unexpected() }
            #expect(headers.contains { $0.name == "x-a" && $0.value == "b" } && body == Array("12345".utf8))
        }
        guard case .broken = callAndWait(request) else { throw Unexpected() }
    }

    @Test func otherProtocolsAreNotSpoken() throws {
        let server = try Scripted { _ in .answer("n") }
        var request = post(server.path)
        request.protocols = "https"
        guard case .notSent = callAndWait(request) else { throw Unexpected() }
        #expect(server.count == 0)
    }

    @Test func connectionsAreKeptAndAnswersRead() throws {
        let server = try Scripted { .answer("n\($0)") }
        let results = sendInTurn([post(server.path), post(server.path)])
        guard case .answered(200, let headers, let body) = results[1] else {
            Issue.record("\(results)")
            return
        }
        #expect(String(decoding: body, as: UTF8.self) == "n2" && headers.contains(HTTPHeader("content-length", "2")))
    }

    /// libcurl by itself would send the POST again when a kept connection dies before the answer.
    @Test(arguments: [0, 10, 100_000])
    func aPostIsNeverRepeatedWhenItsKeptConnectionDies(_ bodyBytes: Int) throws {
        let server = try Scripted { $0 == 2 ? .say("") : .answer("ok") }
        let body = String(repeating: "x", count: bodyBytes)
        let results = sendInTurn([post(server.path), post(server.path, body: body), post(server.path)])
        #expect(server.count == 3)
        guard case .broken = results[1], case .answered = results[2] else {
            Issue.record("\(results)")
            return
        }
    }

    @Test(arguments: [
        "", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhe",
    ])
    func aBrokenAnswerIsNoAnswer(_ text: String) throws {
        let server = try Scripted { _ in .say(text) }
        let result = sendInTurn([post(server.path)])[0]
        guard case .broken = result else {
            Issue.record("\(text.debugDescription): \(result)")
            return
        }
        #expect(server.count == 1)
    }

    @Test func aResetAndASilenceAreBroken() throws {
        let server = try Scripted { $0 == 1 ? .reset : .stall }
        for result in sendInTurn([post(server.path), post(server.path, timeout: .milliseconds(300))]) {
            guard case .broken = result else {
                Issue.record("\(result)")
                continue
            }
        }
    }

    @Test func whoCannotConnectHasNotSent() {
        for url in ["http://127.0.0.1:9/", "http://no-such-host.invalid/"] {
            let result = callAndWait(OutgoingRequest(method: "POST", url: url, body: [1], timeout: .seconds(5)))
            guard case .notSent = result else {
                Issue.record("\(url): \(result)")
                continue
            }
        }
    }

    /// A server that does not speak TLS: the handshake fails, nothing of the request was written.
    @Test func aFailedHandshakeHasNotSent() throws {
        let server = try Scripted { _ in .say("no TLS here") }
        var request = post(server.path, timeout: .seconds(2))
        request.url = "https://x/"
        guard case .notSent = callAndWait(request) else {
            Issue.record("taken for sent")
            return
        }
    }

    @Test func trailersBelongToAnAnswer() throws {
        let server = try Scripted { _ in
            .say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Trailer: 1\r\n\r\n")
        }
        guard case .answered(200, _, let body) = callAndWait(post(server.path)) else {
            Issue.record("not read")
            return
        }
        #expect(String(decoding: body, as: UTF8.self) == "ok")
    }

    @Test func aTooLongAnswerIsBroken() throws {
        let server = try Scripted { _ in .answer(String(repeating: "x", count: 100_001)) }
        guard case .broken = callAndWait(post(server.path)) else {
            Issue.record("read whole")
            return
        }
    }

    @Test func whatIsUnderWayAtTheEndIsReportedBroken() throws {
        let server = try Scripted { _ in .stall }
        let results = Lock<[HTTPResult]>([])
        let client = HTTPClient<Int>(name: "test", connectionsMax: 4) { ends in
            results.withLock { $0 += ends.map(\.result) }
        }
        client.send([(post(server.path), 1)])
        while server.count == 0 { usleep(1000) }
        client.finish(within: .milliseconds(50))
        guard case .broken = results.withLock({ $0.first }) else {
            Issue.record("not reported")
            return
        }
    }

    /// Whoever waited for a connection does not catch up on those of its lane before it.
    @Test func thoseOfALaneKeepTheirDistanceWhenTheyWaitedForAConnection() throws {
        let arrivals = Lock<[UInt64]>([])
        let server = try Scripted { number in
            if number == 1 { return .stall }
            arrivals.withLock { $0.append(steadyNanoseconds()) }
            return .answer("ok")
        }
        let ends = Lock<[(Int, UInt64)]>([])
        let bell = Bell()
        let client = HTTPClient<Int>(name: "test", connectionsMax: 1) { completions in
            ends.withLock { $0 += completions.map { ($0.context, steadyNanoseconds()) } }
            bell.ring()
        }
        let lane = HTTPLane(id: 1, interval: 30_000_000, burst: 1)
        let slow = post(server.path, timeout: .milliseconds(300))
        client.send([(slow, 0, HTTPPlace(lane: HTTPLane(id: 2, interval: 1, burst: 1)))])
        client.send((1...3).map { (post(server.path), $0, HTTPPlace(moment: UInt64($0), lane: lane)) })
        let patience = steadyNanoseconds() + 20_000_000_000
        while ends.withLock({ $0.count }) < 4, steadyNanoseconds() < patience {
            _ = bell.wait(milliseconds: 1000)
            bell.clear()
        }
        client.finish(within: .seconds(1))
        let ended = ends.withLock { $0 }
        #expect(ended.map(\.0) == [0, 1, 2, 3])
        let came = arrivals.withLock { $0 }
        let free = try #require(ended.first).1
        #expect(came.count == 3 && came[0] >= free && came[1] >= free + 30_000_000 && came[2] >= free + 60_000_000)
    }

    /// Limits are counted to the latest end an attempt can have: it does not wait for ever.
    @Test func whatFindsNoConnectionInTimeIsNotSent() throws {
        let arrived = Lock(0)
        let server = try Scripted { number in
            if number == 1 { return .stall }
            arrived.withLock { $0 += 1 }
            return .answer("ok")
        }
        let ends = Lock<[Int: HTTPResult]>([:])
        let bell = Bell()
        let client = HTTPClient<Int>(name: "test", connectionsMax: 1) { completions in
            ends.withLock { for one in completions { $0[one.context] = one.result } }
            bell.ring()
        }
        func lane(_ waitMax: UInt64) -> HTTPLane { HTTPLane(id: 1, interval: 1, burst: 1, waitMax: waitMax) }
        let now = steadyNanoseconds()
        client.send([(post(server.path, timeout: .seconds(3)), 0, HTTPPlace(moment: now, lane: lane(.max)))])
        client.send([
            (post(server.path), 1, HTTPPlace(moment: now + 1, lane: lane(100_000_000))),
            (post(server.path), 2, HTTPPlace(moment: now + 2, lane: lane(.max))),
        ])
        let patience = steadyNanoseconds() + 20_000_000_000
        while ends.withLock({ $0.count }) < 3, steadyNanoseconds() < patience {
            _ = bell.wait(milliseconds: 1000)
            bell.clear()
        }
        client.finish(within: .seconds(1))
        let ended = ends.withLock { $0 }
        #expect(ended[1] == .notSent("no connection became free in time"))
        guard case .broken? = ended[0], case .answered? = ended[2] else {
            Issue.record("\(ended)")
            return
        }
        #expect(arrived.withLock { $0 } == 1)
    }

    // MARK: Answers heard as they come

    private func hear(_ server: Scripted, quietMax: Duration? = nil, _ goesOn: (String) -> Bool = { _ in true })
        -> (result: HTTPResult, pieces: [String])
    {
        var request = OutgoingRequest(method: "GET", url: "http://x/", timeout: .zero, unixSocket: server.path)
        request.quietMax = quietMax
        var pieces: [String] = []
        let result = callAndHear(request) { bytes in
            pieces.append(String(decoding: bytes, as: UTF8.self))
            return goesOn(pieces.joined())
        }
        return (result, pieces)
    }

    @Test func piecesAreHeardAsTheyCome() throws {
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n2\r\nbc\r\n"
        let whole = hear(try Scripted { _ in .say(chunks + "0\r\n\r\n") })
        #expect(whole.pieces.first == "" && whole.pieces.joined() == "abc")
        guard case .answered(200, _, []) = whole.result else {
            Issue.record("\(whole.result)")
            return
        }
        let broken = hear(try Scripted { _ in .say(chunks) })
        #expect(broken.pieces.joined() == "abc")
        guard case .broken = broken.result else {
            Issue.record("no end is no end: \(broken.result)")
            return
        }
        let stopped = hear(try Scripted { _ in .say(chunks + "0\r\n\r\n") }) { $0.isEmpty }
        guard case .broken = stopped.result else {
            Issue.record("\(stopped.result)")
            return
        }
    }

    @Test func aRefusalIsNotHeardButStandsInTheResult() throws {
        let refused = hear(try Scripted { _ in .say("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno") })
        #expect(refused.pieces.isEmpty)
        guard case .answered(400, _, let body) = refused.result, body == Array("no".utf8) else {
            Issue.record("\(refused.result)")
            return
        }
    }

    @Test func whoSaysNothingForTooLongIsGivenUp() throws {
        let stalled = hear(try Scripted { _ in .stall }, quietMax: .seconds(1))
        guard case .broken = stalled.result else {
            Issue.record("\(stalled.result)")
            return
        }
    }
}
