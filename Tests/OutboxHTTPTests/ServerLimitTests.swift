import Foundation
import Glibc
import OutboxHTTP
import OutboxSystem
import TestKit
import Testing

/// Clients that ask for too much, too slowly, or not as HTTP has it.
@Suite struct ServerLimitTests {
    @Test func aTooLongBodyIsRefusedHoweverItIsFramed() throws {
        let running = try EchoServer()
        for framing in ["Content-Length: 1001", "Transfer-Encoding: chunked"] {
            let client = RawClient(running.path)
            client.say("POST / HTTP/1.1\r\nHost: x\r\n\(framing)\r\n\r\n3e9\r\n" + String(repeating: "x", count: 1001))
            let answer = try #require(client.hear())
            #expect(answer.status == 413 && answer.head.contains("connection: close"))
        }
    }

    @Test func garbageAndTenMegabytesOfHeadersGetAnAnswer() throws {
        let running = try EchoServer()
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
        let running = try EchoServer()
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
        let running = try EchoServer(limits)
        let silent = RawClient(running.path)
        let halfHead = RawClient(running.path)
        halfHead.say("GET / HTT")
        let halfBody = RawClient(running.path)
        halfBody.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
        #expect(silent.isEnded())
        #expect(halfHead.hear()?.status == 408)
        #expect(halfBody.hear()?.status == 408)
    }

    /// Says the rest of a request in drips; it is not waited for longer than the whole may take.
    @Test(arguments: [
        ("GET / HTTP/1.1\r\n", "a: b\r\n"), ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "x"),
        ("POST /file HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n", "x"),
        ("POST /file HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
    ])
    func dripsDoNotProlongTheTimeOfTheWhole(start: String, drip: String) throws {
        var limits = HTTPLimits()
        (limits.headSeconds, limits.bodySeconds) = (0.5, 0.5)
        let running = try EchoServer(limits)
        let client = RawClient(running.path)
        client.say(start)
        var said = 0
        while client.say(drip), said < 400 {
            said += 1
            usleep(20_000)
        }
        #expect(client.hear()?.status == 408)
    }

    /// A body that is produced line by line, and a file that keeps the rate.
    @Test(arguments: [("/stream", "x"), ("/file", String(repeating: "x", count: 65_536))])
    func whoeverMaySendSlowlyMay(_ path: String, _ piece: String) throws {
        var limits = HTTPLimits()
        limits.bodySeconds = 0.1
        let running = try EchoServer(limits)
        let client = RawClient(running.path)
        let length = 10 * piece.utf8.count
        client.say("POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Length: \(length)\r\n\r\n\(piece)")
        for _ in 1..<10 {
            usleep(30_000)
            client.say(piece)
        }
        #expect(client.hear()?.status == 200)
    }

    @Test func aRefusalAfterAHeadHasItsBody() throws {
        let running = try EchoServer()
        let client = RawClient(running.path)
        client.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hear(hasBody: false)?.status == 200)
        client.say("BROKEN\r\n\r\n")
        #expect(client.hear()?.body.isEmpty == false)
    }

    @Test func tooManyConnectionsAreToldSo() throws {
        var limits = HTTPLimits()
        (limits.connectionsMax, limits.spareIdleSeconds) = (3, 60)
        let running = try EchoServer(limits)
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
        let running = try EchoServer(limits)
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
        let running = try EchoServer(limits, bodyBytesMax: 10_000)
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
        let running = try EchoServer(limits)
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
        let running = try EchoServer(limits, ownMax: 2)
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
        let running = try EchoServer(limits)
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
        let running = try EchoServer(strangersMax: 3)
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
}
