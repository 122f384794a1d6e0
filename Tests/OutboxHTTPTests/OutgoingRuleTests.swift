import Glibc
import OutboxHTTP
import OutboxSystem
import TestKit
import Testing

/// A port of the loopback interface that answers whoever connects with `answer`, and counts them.
private final class Port: Sendable {
    let number: UInt16
    private let listener: Listener
    private let thread: Thread
    private let count = Lock(0)

    var connections: Int { count.withLock { $0 } }

    init(_ answer: @escaping @Sendable (Int32) -> Void) throws {
        let listener = try Listener.loopback(port: 0, tag: 0)
        self.listener = listener
        number = listener.port ?? 0
        _ = fcntl(listener.descriptor, F_SETFL, 0)
        let count = count
        thread = Thread("port") {
            while true {
                let connection = accept(listener.descriptor, nil, nil)
                if connection < 0 { return }
                count.withLock { $0 += 1 }
                answer(connection)
                close(connection)
            }
        }
    }

    deinit {
        shutdown(listener.descriptor, Int32(SHUT_RDWR))
        thread.join()
        close(listener.descriptor)
    }
}

private func say(_ connection: Int32, _ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return send(connection, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count
}

@Suite struct OutgoingRuleTests {
    private func post(_ port: Port, host: String = "localhost", headers: [String] = []) -> OutgoingRequest {
        var request = OutgoingRequest(
            method: "POST", url: "http://\(host):\(port.number)/", headers: headers, body: Array("{}".utf8),
            timeout: .seconds(10))
        request.bypassesProxy = true
        return request
    }

    private static let fine = "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n"

    /// The rule is asked about the address behind the name, and a refused one sees no connection.
    @Test func theAddressThatIsConnectedToIsTheOneThatIsChecked() throws {
        let port = try Port { _ = say($0, Self.fine) }
        let asked = Lock<[[UInt8]]>([])
        var request = post(port)
        request.refusesAddress = { address in
            asked.withLock { $0.append(address) }
            return "\(address.count) bytes are refused"
        }
        guard case .notSent(let words) = callAndWait(request) else {
            Issue.record("it was sent")
            return
        }
        #expect(words.hasSuffix("bytes are refused") && port.connections == 0)
        #expect(asked.withLock { $0 }.contains([127, 0, 0, 1]))
        // Only one of the name's addresses may be called.
        request.refusesAddress = { $0.count == 16 ? "not this one" : nil }
        guard case .answered(204, _, _) = callAndWait(request) else {
            Issue.record("it was not answered")
            return
        }
        #expect(port.connections == 1)
    }

    @Test func aRedirectLeadsNowhere() throws {
        let inner = try Port { _ = say($0, Self.fine) }
        let location = "http://127.0.0.1:\(inner.number)/"
        let outer = try Port {
            _ = say($0, "HTTP/1.1 307 Temporary Redirect\r\nLocation: \(location)\r\nContent-Length: 0\r\n\r\n")
        }
        guard case .answered(307, _, _) = callAndWait(post(outer)) else {
            Issue.record("no redirect came")
            return
        }
        #expect(inner.connections == 0)
    }

    @Test(arguments: ["Authorization: Bearer a\r\nX-Evil: 1", "Authorization: Bearer a\nb", "X: \u{7F}", "X: a\0b"])
    func aHeaderHoldsNoLineEnd(_ header: String) throws {
        let port = try Port { _ = say($0, Self.fine) }
        guard case .notSent(let words) = callAndWait(post(port, headers: [header])) else {
            Issue.record("it was sent")
            return
        }
        #expect(words.contains(header.prefix { $0 != ":" }) && !words.contains("Bearer") && port.connections == 0)
    }

    /// A head without end costs neither memory nor time.
    @Test func anEndlessHeadIsBrokenOff() throws {
        let port = try Port { connection in
            guard say(connection, "HTTP/1.1 200 OK\r\n") else { return }
            for _ in 0..<100_000 where !say(connection, "X-Filler: \(String(repeating: "f", count: 1000))\r\n") {
                return
            }
        }
        guard case .broken = callAndWait(post(port)) else {
            Issue.record("it was not broken off")
            return
        }
    }

    @Test func theMemoryIsPrivate() {
        keepMemoryPrivate()
        #expect(isMemoryPrivate)
    }
}
