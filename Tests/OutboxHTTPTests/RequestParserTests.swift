import OutboxHTTP
import Testing

private func parse(_ text: String, _ limits: HTTPLimits = HTTPLimits()) -> RequestParser.Head {
    Array(text.utf8).withUnsafeBytes { RequestParser.head($0, limits: limits) }
}

@Suite struct RequestParserTests {
    @Test func readsARequest() {
        let text = "POST /v1/messages?a=1%202&b=x+y HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nX-Y:  z \r\n\r\nhello"
        guard case .complete(let head, let consumed) = parse(text) else {
            Issue.record("not read")
            return
        }
        #expect(consumed == text.utf8.count - 5)
        #expect(head.method == "POST" && head.path == "/v1/messages" && head.body == .length(5) && head.keepAlive)
        #expect(head["x-y"] == "z")
        #expect(head.query?.map { "\($0.name)=\($0.value)" } == ["a=1 2", "b=x y"])
    }

    @Test func waitsForTheRestWhereverItIsCut() {
        let text = "GET / HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n"
        for end in 0..<text.utf8.count {
            #expect(parse(String(decoding: text.utf8.prefix(end), as: UTF8.self)) == .needsMore, "cut at \(end)")
        }
    }

    @Test(arguments: [
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: x\r\nConnection: Keep-Alive, Close\r\n\r\n", false),
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", true), ("GET / HTTP/1.0\r\n\r\n", false),
    ])
    func keepsTheConnectionOrNot(_ text: String, _ keeps: Bool) {
        guard case .complete(let head, _) = parse(text) else {
            Issue.record("not read: \(text)")
            return
        }
        #expect(head.keepAlive == keeps)
    }

    /// What can be read in two ways is refused.
    @Test(arguments: [
        ("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /\r\nHost: x\r\n\r\n", 400), ("GET / HTTP/2.0\r\nHost: x\r\n\r\n", 505),
        ("GET / HTTP/1.1 \r\nHost: x\r\n\r\n", 400), ("GET / http/1.1\r\nHost: x\r\n\r\n", 400),
        ("G@T / HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET x HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET http://x/ HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET /\u{7f} HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        ("GET /é HTTP/1.1\r\nHost: x\r\n\r\n", 400), ("GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: x\r\n folded\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\nA: b\u{0}c\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: x\r\n: v\r\n\r\n", 400), ("GET / HTTP/1.1\r\nHost: x\r\nnocolon\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n", 413),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501),
        ("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        ("POST / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417),
    ])
    func refusesWhatIsAmbiguous(_ text: String, _ status: Int) {
        guard case .refused(let refusal) = parse(text) else {
            Issue.record("not refused: \(text.debugDescription)")
            return
        }
        #expect(refusal.status == status, "\(text.debugDescription): \(refusal.message)")
    }

    @Test func limitsTheHead() {
        let long = "GET / HTTP/1.1\r\nHost: x\r\nA: \(String(repeating: "a", count: 20_000))"
        guard case .refused(let refusal) = parse(long) else {
            Issue.record("not refused")
            return
        }
        #expect(refusal.status == 431)
        let many = "GET / HTTP/1.1\r\nHost: x\r\n" + String(repeating: "a: b\r\n", count: 64) + "\r\n"
        guard case .refused(let tooMany) = parse(many) else {
            Issue.record("not refused")
            return
        }
        #expect(tooMany.status == 431)
    }
}

@Suite struct BodyDecoderTests {
    private func decode(_ text: String, _ framing: BodyFraming, step: Int) throws -> (
        body: String, left: Int, done: Bool
    ) {
        var decoder = BodyDecoder(framing)
        var body: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty, !decoder.isDone {
            let piece = Array(rest.prefix(step))
            let used = try piece.withUnsafeBytes { try decoder.decode($0, into: &body, room: Int.max) }
            rest = rest.dropFirst(used)
        }
        return (String(decoding: body, as: UTF8.self), rest.count, decoder.isDone)
    }

    @Test(arguments: [1, 2, 3, 7, 1000])
    func readsChunksHoweverTheyAreCut(_ step: Int) throws {
        let text = "5\r\nhello\r\n00A\r\n, wide wor\r\n2\r\nld\r\n0\r\n\r\nGET"
        let (body, left, done) = try decode(text, .chunked, step: step)
        #expect(body == "hello, wide world" && done && left == 3)
    }

    @Test(arguments: [1, 3, 1000])
    func readsByLength(_ step: Int) throws {
        let (body, left, done) = try decode("hello!!", .length(5), step: step)
        #expect(body == "hello" && left == 2 && done)
    }

    @Test(arguments: [
        "\r\n", "g\r\n", "5 \r\nhello\r\n", "5;x=1\r\nhello\r\n", "5\nhello", "5\r\nhelloX\r\n", "5\r\nhello\n",
        "0\r\nTrailer: x\r\n\r\n", "0\r\n\n", "-1\r\n", "0x5\r\nhello\r\n", "fffffffffffff\r\n", "+5\r\n", "٥\r\n",
    ])
    func refusesOtherChunks(_ text: String) {
        #expect(throws: HTTPRefusal.self) { try decode(text, .chunked, step: 1000) }
        #expect(throws: HTTPRefusal.self) { try decode(text, .chunked, step: 1) }
    }

    @Test func stopsWhenThereIsNoRoom() throws {
        var decoder = BodyDecoder(.chunked)
        var body: [UInt8] = []
        let text = Array("5\r\nhello\r\n0\r\n\r\n".utf8)
        let used = try text.withUnsafeBytes { try decoder.decode($0, into: &body, room: 3) }
        #expect(body.count == 3 && used == 6 && !decoder.isDone)
    }
}
