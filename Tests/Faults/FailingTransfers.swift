import CCurl
import CFaultVFS
import Glibc
import OutboxHTTP
import OutboxSystem

/// Requests with the n-th allocation of libcurl failing: each ends once, and one that ends as not sent did not arrive.
func failingTransfers(runs: Int) throws -> [String] {
    guard
        curl_global_init_mem(
            Int(CURL_GLOBAL_ALL), fault_curl_malloc, fault_curl_free, fault_curl_realloc, fault_curl_strdup,
            fault_curl_calloc) == CURLE_OK, let server = BodyServer()
    else { return ["no libcurl or no server"] }
    var problems: [String] = []
    // How often there is something to fail.
    problems += transfers(run: 0, server) { fault_arm_curl(.max, 0) }
    let total = fault_curl_seen()
    var ends: [String: Int] = [:]
    for count in [1, 6] as [Int64] {
        for index in 1...Int64(max(1, min(Int64(runs / 2), total))) {
            let nth = Int64(runs / 2) >= total ? index : index * total / Int64(runs / 2)
            let name = "\(count) from allocation \(nth) of \(total)"
            fault_describe(name)
            problems += transfers(run: Int(count * 1_000_000 + nth), server, ends: &ends) { fault_arm_curl(nth, count) }
                .map { "\(name): \($0)" }
            if problems.count > 20 { return problems }
        }
    }
    say("curl: \(ends.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "))")
    if ends["not sent"] == nil || ends["broken"] == nil { problems.append("some kind of end is missing: \(ends)") }
    return problems
}

private func transfers(run: Int, _ server: BodyServer, arms: () -> Void) -> [String] {
    var ends: [String: Int] = [:]
    return transfers(run: run, server, ends: &ends, arms: arms)
}

private func transfers(
    run: Int, _ server: BodyServer, ends: inout [String: Int], arms: () -> Void
) -> [String] {
    let completed = Lock<[(Int, HTTPResult)]>([])
    let bell = Bell()
    let client = HTTPClient<Int>(name: "curl", connectionsMax: 4) { completions in
        completed.withLock { $0 += completions.map { ($0.context, $0.result) } }
        bell.ring()
    }
    func wait(_ count: Int) {
        let end = steadyNanoseconds() + 20_000_000_000
        while completed.withLock({ $0.count }) < count, steadyNanoseconds() < end {
            _ = bell.wait(milliseconds: 1000)
            bell.clear()
        }
    }
    func request(_ index: Int) -> (OutgoingRequest, Int) {
        let body = "<\(run).\(index)>" + String(repeating: "x", count: 300)
        return (
            OutgoingRequest(
                method: "POST", url: "http://127.0.0.1:\(server.port)/\(run)/\(index)",
                headers: ["Content-Type: application/json", "Authorization: Bearer \(run).\(index)"],
                body: Array(body.utf8), timeout: .seconds(5)), index
        )
    }
    arms()
    client.send((0..<6).map(request))
    wait(6)
    fault_disarm_curl()
    client.send([request(6)])
    wait(7)
    client.finish(within: .seconds(5))

    var problems: [String] = []
    let results = completed.withLock { $0 }
    if results.map(\.0).sorted() != Array(0...6) { problems.append("ended: \(results.map(\.0))") }
    for (index, result) in results {
        let arrived = server.arrived("<\(run).\(index)>")
        switch result {
        case .answered(let status, _, _):
            ends["answered", default: 0] += 1
            if status != 200 || arrived != 1 { problems.append("answered \(status), arrived \(arrived) times") }
        case .notSent(let words):
            ends["not sent", default: 0] += 1
            if arrived > 0 || index == 6 { problems.append("\(index) not sent, \(words), arrived \(arrived) times") }
        case .broken(let words):
            ends["broken", default: 0] += 1
            if arrived > 1 || index == 6 { problems.append("\(index) broken, \(words), arrived \(arrived) times") }
        }
    }
    return problems + server.wrong()
}

/// Answers every POST with 200, and knows the beginning of each body it got a byte of.
private final class BodyServer: Sendable {
    let port: UInt16
    private let bodies = Lock<[String: Int]>([:])
    private let wrongs = Lock<[String]>([])

    init?() {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 64) == 0 && getsockname(listener, $0, &length) == 0
            }
        }
        guard bound else { return nil }
        port = UInt16(bigEndian: address.sin_port)
        let server = Unmanaged.passUnretained(self)
        // Lives as long as the process.
        _ = server.retain()
        _ = Thread("server") { [self] in serve(listener) }
    }

    /// How often a body with that beginning came.
    func arrived(_ beginning: String) -> Int { bodies.withLock { $0[beginning] ?? 0 } }

    /// Requests whose head was not as it was given.
    func wrong() -> [String] { wrongs.withLock { $0 } }

    private func serve(_ listener: Int32) {
        var heard: [Int32: [UInt8]] = [:]
        while true {
            var waits = ([listener] + heard.keys).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            poll(&waits, nfds_t(waits.count), -1)
            for wait in waits where wait.revents != 0 {
                if wait.fd == listener {
                    heard[accept(listener, nil, nil)] = []
                    continue
                }
                var piece = [UInt8](repeating: 0, count: 16_384)
                let count = recv(wait.fd, &piece, piece.count, 0)
                if count <= 0 {
                    close(wait.fd)
                    heard[wait.fd] = nil
                    continue
                }
                heard[wait.fd, default: []] += piece[..<count]
                if read(heard[wait.fd] ?? [], wait.fd) {
                    heard[wait.fd] = []
                }
            }
        }
    }

    /// Whether a request is whole; then it is answered.
    private func read(_ bytes: [UInt8], _ descriptor: Int32) -> Bool {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.range(of: "\r\n\r\n") else { return false }
        let body = text[end.upperBound...]
        guard let last = body.firstIndex(of: ">") else { return false }
        let beginning = body[...last]
        guard body.utf8.count >= beginning.utf8.count + 300 else { return false }
        bodies.withLock { $0[String(beginning), default: 0] += 1 }
        let name = beginning.dropFirst().dropLast()
        let head = text[..<end.lowerBound]
        let isWhole =
            head.contains("Authorization: Bearer \(name)") && head.contains("Content-Type: application/json")
            && head.contains("POST /\(name.split(separator: ".").joined(separator: "/")) ") && !head.contains("Expect")
        if !isWhole { wrongs.withLock { $0.append("a request came without all of its head: \(head)") } }
        let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".utf8)
        send(descriptor, answer, answer.count, Int32(MSG_NOSIGNAL))
        return true
    }
}

extension String {
    fileprivate func range(of separator: String) -> Range<Index>? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(separator) { return at..<index(at, offsetBy: separator.count) }
            at = index(after: at)
        }
        return nil
    }
}
