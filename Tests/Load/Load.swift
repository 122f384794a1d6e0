import CLinux
import Glibc
import OutboxSystem

/// A load on outboxd's socket, for benchmarks: so many connections, each sending its next request when the last one
/// was answered, on one thread.
///
/// outbox-load accept SOCKET CONNECTIONS SECONDS     single template messages of 230 bytes, due much later
/// outbox-load bulk SOCKET CONNECTIONS SECONDS       1,000 of them per request
/// outbox-load fsync FOLDER SECONDS                  4 KiB overwritten and synced, again and again
///
/// Prints `NAME per_second p50_us p99_us`.
func runLoad(_ words: [String]) -> Int32 {
    if words.count == 3, words[0] == "fsync", let seconds = Double(words[2]) {
        return measureSync(folder: words[1], seconds: seconds)
    }
    guard words.count == 4, words[0] == "accept" || words[0] == "bulk", let connections = Int(words[2]),
        let seconds = Double(words[3])
    else {
        print("usage: outbox-load accept|bulk SOCKET CONNECTIONS SECONDS, outbox-load fsync FOLDER SECONDS")
        return 64
    }
    let load = Load(request: words[0] == "bulk" ? bulkRequest : singleRequest)
    let (answers, latencies) = load.run(path: words[1], connections: connections, seconds: seconds)
    report("\(words[0]) \(connections)", count: answers * (words[0] == "bulk" ? 1000 : 1), seconds, latencies)
    return 0
}

private func report(_ name: String, count: Int, _ seconds: Double, _ latencies: [UInt64]) {
    let sorted = latencies.sorted()
    func percentile(_ share: Double) -> UInt64 {
        sorted.isEmpty ? 0 : sorted[Int(Double(sorted.count - 1) * share)] / 1000
    }
    print("\(name) \(Int(Double(count) / seconds)) \(percentile(0.5)) \(percentile(0.99))")
}

private let message =
    #"{"to":"14155552671","template":{"name":"order_ready","language":"en_US","components":[{"type":"body","#
    + #""parameters":[{"type":"text","text":"Sarah"},{"type":"text","text":"order 1042"}]}]},"sendAt":"2099-01-01T00:00:00Z"}"#

private func request(_ path: String, _ body: String) -> [UInt8] {
    Array(
        "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
            .utf8)
}

private var singleRequest: [UInt8] { request("/v1/messages", message) }
private var bulkRequest: [UInt8] {
    request("/v1/messages/bulk", #"{"messages":[\#(Array(repeating: message, count: 1000).joined(separator: ","))]}"#)
}

private final class Load {
    private let request: [UInt8]
    private var sent: [Int32: Int] = [:]
    private var started: [Int32: UInt64] = [:]
    private var heard: [Int32: [UInt8]] = [:]

    init(request: [UInt8]) { self.request = request }

    func run(path: String, connections: Int, seconds: Double) -> (answers: Int, latencies: [UInt64]) {
        let epoll = epoll_create1(0)
        for _ in 0..<connections {
            let descriptor = connectTo(path)
            var event = epoll_event()
            event.events = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLET.rawValue
            event.data.fd = descriptor
            epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event)
            begin(descriptor)
        }
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        var latencies: [UInt64] = []
        var answers = 0
        let end = steadyNanoseconds() + UInt64(seconds * 1e9)
        while steadyNanoseconds() < end {
            let count = epoll_wait(epoll, &events, Int32(events.count), 100)
            for event in events.prefix(Int(max(count, 0))) {
                let descriptor = event.data.fd
                push(descriptor)
                if let latency = hear(descriptor) {
                    latencies.append(latency)
                    answers += 1
                    begin(descriptor)
                }
            }
        }
        for descriptor in sent.keys { close(descriptor) }
        close(epoll)
        return (answers, latencies)
    }

    private func begin(_ descriptor: Int32) {
        sent[descriptor] = 0
        started[descriptor] = steadyNanoseconds()
        push(descriptor)
    }

    private func push(_ descriptor: Int32) {
        guard var at = sent[descriptor], at < request.count else { return }
        while at < request.count {
            let count = request[at...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { break }
            at += count
        }
        sent[descriptor] = at
    }

    /// The latency when a whole answer is there; ends the program when it is no 202.
    private func hear(_ descriptor: Int32) -> UInt64? {
        var piece = [UInt8](repeating: 0, count: 8192)
        while true {
            let count = recv(descriptor, &piece, piece.count, 0)
            if count <= 0 { break }
            heard[descriptor, default: []] += piece[..<count]
        }
        guard let bytes = heard[descriptor], bytes.last == 0x0A, bytes.count > 12 else { return nil }
        guard bytes.starts(with: Array("HTTP/1.1 202".utf8)) else {
            print("refused: \(String(decoding: bytes, as: UTF8.self))")
            exit(1)
        }
        heard[descriptor] = []
        return steadyNanoseconds() - (started[descriptor] ?? 0)
    }
}

private func connectTo(_ path: String) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    let connected = withUnixAddress(path) { connect(descriptor, $0, $1) == 0 } ?? false
    guard connected else {
        print("no connection to \(path)")
        exit(1)
    }
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    return descriptor
}

private func measureSync(folder: String, seconds: Double) -> Int32 {
    let path = "\(folder)/fsync.tmp"
    let descriptor = open(path, O_RDWR | O_CREAT | O_TRUNC, 0o600)
    guard descriptor >= 0 else {
        print("no file at \(path)")
        return 1
    }
    defer {
        close(descriptor)
        unlink(path)
    }
    let page = [UInt8](repeating: 1, count: 4096)
    for index in 0..<1000 { pwrite(descriptor, page, page.count, Int(index) * 4096) }
    fsync(descriptor)
    var latencies: [UInt64] = []
    let end = steadyNanoseconds() + UInt64(seconds * 1e9)
    while steadyNanoseconds() < end {
        let before = steadyNanoseconds()
        pwrite(descriptor, page, page.count, latencies.count % 1000 * 4096)
        fdatasync(descriptor)
        latencies.append(steadyNanoseconds() - before)
    }
    report("fsync 1", count: latencies.count, seconds, latencies)
    return 0
}
