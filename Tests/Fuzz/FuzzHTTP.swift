import Glibc

// MARK: What clients say

/// A body is the same however the wire cuts it, and never longer than what came; a head is the same wherever it is cut.
func fuzzHTTP(_ bytes: [UInt8]) {
    let limits = HTTPLimits()
    let head = bytes.withUnsafeBytes { RequestParser.head($0, limits: limits) }
    guard case .complete(let request, let consumed) = head else { return }
    precondition(consumed <= bytes.count && consumed <= limits.headBytesMax)
    for cut in [1, consumed / 2, consumed - 1] where cut < consumed {
        let part = bytes.prefix(cut).withUnsafeBytes { RequestParser.head($0, limits: limits) }
        precondition(part == .needsMore, "the first \(cut) bytes of a right head are refused, or are one")
        let rest = bytes.withUnsafeBytes { RequestParser.head($0, scanned: cut, limits: limits) }
        precondition(rest == head, "read on from \(cut) the head is another")
    }
    check(request, written(request))
    let rest = Array(bytes[consumed...])
    let whole = decode(rest, request.body, step: max(rest.count, 1))
    precondition(whole.body.count <= rest.count)
    for step in [1, 3] { precondition(decode(rest, request.body, step: step) == whole, "cut every \(step) bytes") }
}

/// As another program would write what was understood.
private func written(_ head: RequestHead) -> [UInt8] {
    var text = "\(head.method) \(head.target) \(head.isOld ? "HTTP/1.0" : "HTTP/1.1")\r\n"
    for header in head.headers { text += "\(header.name): \(header.value)\r\n" }
    return Array((text + "\r\n").utf8)
}

private func check(_ head: RequestHead, _ bytes: [UInt8]) {
    // Bytes that are no UTF-8 are longer when they are written.
    guard bytes.count <= HTTPLimits().headBytesMax else { return }
    let again = bytes.withUnsafeBytes { RequestParser.head($0, limits: HTTPLimits()) }
    precondition(again == .complete(head, consumed: bytes.count), "what was read is written and read as another")
    let lengths = head.headers.count { $0.name == "content-length" }
    let codings = head.headers.count { $0.name == "transfer-encoding" }
    precondition(lengths + codings <= 1, "a length that can be read in two ways")
    precondition((head.body == .none) == (lengths + codings == 0))
    _ = head.query
}

private struct Decoded: Equatable {
    var body: [UInt8] = []
    var done = false
    var refused = false
}

private func decode(_ bytes: [UInt8], _ framing: BodyFraming, step: Int) -> Decoded {
    var decoder = BodyDecoder(framing)
    var decoded = Decoded()
    var at = 0
    while at < bytes.count, !decoder.isDone {
        let piece = Array(bytes[at..<min(at + step, bytes.count)])
        var failed = false
        piece.withUnsafeBytes { buffer in
            do throws(HTTPRefusal) {
                at += try decoder.decode(buffer, into: &decoded.body, room: Int.max)
            } catch {
                failed = true
            }
        }
        // What stood before the fault may have been taken or not.
        if failed { return Decoded(refused: true) }
    }
    decoded.done = decoder.isDone
    return decoded
}

/// Paths, parameters and headers of every call that takes some.
func fuzzQuery(_ bytes: [UInt8]) {
    guard
        case .complete(let head, _) = bytes.withUnsafeBytes({
            RequestParser.head($0, limits: HTTPLimits())
        })
    else { return }
    let path = head.path.split(separator: "/", omittingEmptySubsequences: false).dropFirst().compactMap {
        percentDecoded($0)
    }
    do throws(APIError) {
        _ = try Route.of(method: head.method, path: path)
    } catch {
        check(error)
    }
    do throws(APIError) {
        _ = try IdempotencyKey.read(head.headers.filter { $0.name == "idempotency-key" }.map(\.value))
    } catch {
        check(error)
    }
    guard let parameters = head.query else { return }
    attempt { () throws(APIError) in
        let query = try EventQuery.read(parameters, accept: head["accept"], lastEventID: head["last-event-id"])
        precondition(query.after ?? 0 >= 0 && query.limit ?? 1 >= 1)
    }
    attempt { () throws(APIError) in
        let query = try ListQuery.read(parameters)
        precondition((1...ListQuery.limitMax).contains(query.limit))
        precondition(((query.page ?? 1) - 1) * query.limit <= ListQuery.offsetMax)
        for moment in [query.since, query.until].compactMap({ $0 }) {
            precondition(Timestamp(rfc3339: moment.rfc3339) == moment, "a moment is written as another")
        }
    }
    attempt { () throws(APIError) in _ = try DeliveryQuery.read(parameters) }
    attempt { () throws(APIError) in
        let query = try PageQuery.read(parameters, filters: ["line", "contact", "phone"], isCounted: true)
        precondition((0...ListQuery.offsetMax).contains(query.offset))
    }
    attempt { () throws(APIError) in
        let page = try OrganizationPage.read(parameters)
        precondition((0...ListQuery.offsetMax).contains(page.offset))
    }
}

func attempt(_ body: () throws(APIError) -> Void) {
    do throws(APIError) { try body() } catch { check(error) }
}

// MARK: What servers say

/// A server that says the input and closes, and what our client makes of it: an answer within its limits, or none.
func fuzzReply(_ bytes: [UInt8]) {
    let speaker = Speaker.shared
    speaker.says.withLock { $0 = bytes }
    let answerBytesMax = 4096
    var request = OutgoingRequest(
        method: "POST", url: "http://x/", body: [1], timeout: .seconds(5), unixSocket: speaker.path,
        answerBytesMax: answerBytesMax)
    request.cutsAnswer = bytes.first.map { $0 & 1 == 1 } ?? false
    guard case .answered(let status, let headers, let body) = callAndWait(request) else { return }
    precondition(body.count <= answerBytesMax && body.count <= bytes.count)
    precondition(headers.count <= bytes.count, "headers nobody sent")
    _ = outcome(of: .answered(status: status, headers: headers, body: body), parser: parser)
}

private final class Speaker: Sendable {
    static let shared = Speaker()
    let path = "/tmp/outboxd-fuzz-\(getpid())"
    let says = Lock<[UInt8]>([])

    private init() {
        guard let listener = try? Listener.unix(path: path, mode: 0o600, tag: 0) else {
            preconditionFailure("no socket at \(path)")
        }
        _ = fcntl(listener.descriptor, F_SETFL, 0)
        atexit { unlink("/tmp/outboxd-fuzz-\(getpid())") }
        let says = says
        _ = Thread("speaker") {
            var heard = [UInt8](repeating: 0, count: 4096)
            while true {
                let connection = accept(listener.descriptor, nil, nil)
                if connection < 0 { continue }
                recv(connection, &heard, heard.count, 0)
                let bytes = says.withLock { $0 }
                send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL))
                close(connection)
            }
        }
    }
}
