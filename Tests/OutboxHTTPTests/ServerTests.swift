import Foundation
import Glibc
import OutboxHTTP
import OutboxSystem
import TestKit
import Testing

@Suite struct ServerTests {
    @Test func answersOneAfterTheOtherOnOneConnection() throws {
        let running = try EchoServer()
        let client = RawClient(running.path)
        for index in 0..<3 {
            client.say("POST /\(index) HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab")
            #expect(client.hear()?.body == "POST /\(index) ab")
        }
    }

    @Test func aHeadThatIsRepeatedIsReadAsBefore() throws {
        let running = try EchoServer()
        let client = RawClient(running.path)
        let head = "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n"
        let other = "POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n"
        for (pieces, body) in [
            ([head + "ab"], "ab"), ([head + "cd"], "cd"), ([other + "abc"], "abc"), ([head, "ef"], "ef"),
            ([String(head.dropLast(5)), String(head.suffix(5)), "g", "h"], "gh"),
        ] {
            for piece in pieces { client.say(piece) }
            #expect(client.hear()?.body == "POST /1 \(body)")
        }
    }

    @Test func whoHasConnectedMayStillAskWhenTheServerStops() throws {
        var limits = HTTPLimits()
        (limits.drainSeconds, limits.firstRequestSeconds) = (60, 60)
        let running = try EchoServer(limits)
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
        let running = try EchoServer()
        let client = RawClient(running.path)
        let count = 5000
        client.say((0..<count).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined())
        for index in 0..<count { #expect(client.hear()?.body == "GET /\(index) ") }
    }

    @Test func aRequestMayComeByteByByte() throws {
        let running = try EchoServer()
        let client = RawClient(running.path)
        for byte in "POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n".utf8 {
            client.say([byte])
        }
        #expect(client.hear()?.body == "POST / abc")
    }

    @Test func aStreamHasNoEndButItsOwn() throws {
        let running = try EchoServer()
        let client = RawClient(running.path)
        let piece = String(repeating: "x", count: 100_000)
        client.say("POST /stream HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in 0..<50 { client.say("186a0\r\n\(piece)\r\n") }
        client.say("0\r\n\r\nGET /after HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hear()?.body == "5000000")
        #expect(client.hear()?.body == "GET /after ")
    }

    @Test func a100ContinueComesBeforeTheBody() throws {
        let running = try EchoServer()
        let client = RawClient(running.path)
        client.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        #expect(client.hear()?.status == 100)
        client.say("abc")
        #expect(client.hear()?.body == "POST / abc")
    }

    @Test func headHasNoBody() throws {
        let running = try EchoServer()
        let client = RawClient(running.path)
        client.say("HEAD / HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hear(hasBody: false)?.status == 200)
        #expect(client.hear()?.body == "GET /2 ")
    }

    @Test func halfClosedClientsGetTheirAnswer() throws {
        let running = try EchoServer()
        let client = RawClient(running.path)
        client.say("GET /last HTTP/1.1\r\nHost: x\r\n\r\n")
        client.endSpeaking()
        #expect(client.hear()?.body == "GET /last ")
        #expect(client.isEnded())
    }

    @Test func whatWasSentBeforeTheHalfCloseIsAnswered() throws {
        let running = try EchoServer()
        let client = RawClient(running.path)
        client.say((0..<5).map { "GET /\($0) HTTP/1.1\r\nHost: x\r\n\r\n" }.joined() + "GET /half HT")
        client.endSpeaking()
        for index in 0..<5 { #expect(client.hear()?.body == "GET /\(index) ") }
        #expect(client.isEnded())
    }

    @Test func aSocketHasItsModeFromTheStartAndGoesWithItsServerAlone() throws {
        let running = try EchoServer()
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
        let running = try EchoServer()
        for _ in 0..<50 { RawClient(running.path).say("GET /never HTTP/1.1\r\nHost: x\r\n\r\n") }
        let client = RawClient(running.path)
        client.say("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        #expect(client.hear()?.status == 200)
    }

    @Test func aSocketInUseIsNotTaken() throws {
        let running = try EchoServer()
        #expect(throws: ListenError.self) { try Listener.unix(path: running.path, mode: 0o600, tag: 0) }
    }
}
