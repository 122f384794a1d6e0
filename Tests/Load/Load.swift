import CLinux
import Glibc
import OutboxSystem

/// Loads for benchmarks, on one thread: so many connections, each sending its next request when the last one was
/// answered. Prints `NAME CONNECTIONS per_second p50_us p99_us`.
func runLoad(_ words: [String]) -> Int32 {
    if words.count == 3, words[0] == "fsync", let seconds = Double(words[2]) {
        return measureSync(folder: words[1], seconds: seconds)
    }
    if words.count == 4, words[0] == "first", let count = Int(words[3]) {
        return measureFirstByte(socket: words[1], folder: words[2], count: count)
    }
    if words.count >= 4, words[0] == "ask", let seconds = Double(words[2]) {
        return measureQuestions(socket: words[1], seconds: seconds, questions: Array(words[3...]))
    }
    guard words.count == 4, let kind = LoadKind(rawValue: words[0]), let connections = Int(words[2]),
        let bound = Double(words[3])
    else {
        print(
            """
            usage: outbox-load KIND SOCKET CONNECTIONS SECONDS
                accept  single template messages of 230 bytes to outboxd's line l0, due much later, each to somebody else
                bulk    1,000 of them in a request, a JSON array; ndjson: the same as NDJSON
                xadd    the same bytes to Redis
                put     the same bytes to beanstalkd
            outbox-load send SOCKET CONNECTIONS COUNT   so many single messages as of accept, due at once
            outbox-load ask SOCKET SECONDS NAME=PATH...  GETs in turn over one connection, each answer read whole
            outbox-load fsync FOLDER SECONDS       4 KiB overwritten and synced, again and again
            outbox-load first SOCKET FOLDER COUNT  from a submission to its first byte at Meta's side, one after another,
                in turn with two syncs in FOLDER and one HTTP round trip over loopback
            """)
        return 64
    }
    let load = Load(kind, countMax: kind == .send ? Int(bound) : .max)
    let before = steadyNanoseconds()
    let latencies = load.run(path: words[1], connections: connections, seconds: kind == .send ? 3600 : bound)
    report(
        "\(kind.rawValue) \(connections)", count: latencies.count * kind.messages,
        Double(steadyNanoseconds() - before) / 1e9, latencies)
    return 0
}

func report(_ name: String, count: Int, _ seconds: Double, _ latencies: [UInt64]) {
    let sorted = latencies.sorted()
    func percentile(_ share: Double) -> UInt64 {
        sorted.isEmpty ? 0 : sorted[Int(Double(sorted.count - 1) * share)] / 1000
    }
    print("\(name) \(Int(Double(count) / seconds)) \(percentile(0.5)) \(percentile(0.99))")
}

/// What is sent, and how the end of its answer is known.
enum LoadKind: String {
    case accept, bulk, ndjson, send, xadd, put

    var messages: Int { self == .bulk || self == .ndjson ? 1000 : 1 }

    /// What a message begins with; the rest of the number follows, 7 digits that are written anew each time.
    static let to = #"{"to":"1415"#
    private static let dueNow =
        to + #"0000000","line":"l0","template":{"name":"order_ready","language":"en_US","components":[{"type":"body","#
        + #""parameters":[{"type":"text","text":"Sarah"},{"type":"text","text":"order 1042"}]}]}}"#
    private static let message = dueNow.dropLast() + #","sendAt":"2099-01-01T00:00:00Z"}"#

    var request: [UInt8] {
        let thousand = repeatElement(Self.message, count: 1000)
        let count = Self.message.utf8.count
        let text =
            switch self {
            case .accept: httpPost("/v1/messages", String(Self.message))
            case .send: httpPost("/v1/messages", Self.dueNow)
            case .bulk: httpPost("/v1/messages/bulk", #"{"messages":[\#(thousand.joined(separator: ","))]}"#)
            case .ndjson:
                httpPost("/v1/messages/bulk", thousand.joined(separator: "\n"), type: "application/x-ndjson")
            case .xadd:
                "*5\r\n$4\r\nXADD\r\n$5\r\nqueue\r\n$1\r\n*\r\n$1\r\nm\r\n$\(count)\r\n\(Self.message)\r\n"
            case .put: "put 1000 3600 60 \(count)\r\n\(Self.message)\r\n"
            }
        return Array(text.utf8)
    }

    /// Nil: there is more to come. False: it was refused.
    func isAccepted(_ answer: [UInt8]) -> Bool? {
        guard answer.last == 0x0A else { return nil }
        switch self {
        case .accept, .bulk, .ndjson, .send:
            return answer.count > 12 ? answer.starts(with: Array("HTTP/1.1 202".utf8)) : nil
        case .xadd:
            let first = answer.first == UInt8(ascii: "$")
            return first && answer.reduce(0, { $1 == 0x0A ? $0 + 1 : $0 }) < 2 ? nil : first
        case .put: return answer.starts(with: Array("INSERTED".utf8))
        }
    }
}

func httpPost(_ path: String, _ body: String, type: String = "application/json") -> String {
    "POST \(path) HTTP/1.1\r\nHost: x\r\nContent-Type: \(type)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

private final class Load {
    private struct Client {
        var descriptor: Int32
        var request: [UInt8]
        var sent = 0
        var started: UInt64 = 0
        var heard: [UInt8] = []
    }

    private let kind: LoadKind
    private let countMax: Int
    /// Where the last 7 digits of the numbers stand in a request.
    private let digits: [Int]
    /// Differ from one load to the next.
    private var recipients = Int(steadyNanoseconds() / 1_000_000)
    private var begun = 0
    private var clients: [Client] = []
    private var piece = [UInt8](repeating: 0, count: 65_536)

    init(_ kind: LoadKind, countMax: Int) {
        self.kind = kind
        self.countMax = countMax
        let request = kind.request
        let to = Array(LoadKind.to.utf8)
        digits = request.indices.filter { request[$0...].starts(with: to) }.map { $0 + to.count }
    }

    /// Nanoseconds from each request to its answer.
    func run(path: String, connections: Int, seconds: Double) -> [UInt64] {
        let epoll = epoll_create1(0)
        for index in 0..<connections {
            clients.append(Client(descriptor: connectTo(path), request: kind.request))
            var event = epoll_event()
            event.events = EPOLLIN.rawValue | EPOLLOUT.rawValue | EPOLLET.rawValue
            event.data.u32 = UInt32(index)
            epoll_ctl(epoll, EPOLL_CTL_ADD, clients[index].descriptor, &event)
            begin(index)
        }
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        var latencies: [UInt64] = []
        let end = steadyNanoseconds() + UInt64(seconds * 1e9)
        while steadyNanoseconds() < end, latencies.count < countMax {
            let count = epoll_wait(epoll, &events, Int32(events.count), 100)
            for event in events.prefix(Int(max(count, 0))) {
                let index = Int(event.data.u32)
                push(index)
                if let latency = hear(index) {
                    latencies.append(latency)
                    begin(index)
                }
            }
        }
        for client in clients { close(client.descriptor) }
        close(epoll)
        return latencies
    }

    private func begin(_ index: Int) {
        guard begun < countMax else { return }
        begun += 1
        for place in digits {
            recipients += 1
            var number = recipients
            for digit in (place..<place + 7).reversed() {
                clients[index].request[digit] = UInt8(ascii: "0") + UInt8(number % 10)
                number /= 10
            }
        }
        clients[index].sent = 0
        clients[index].started = steadyNanoseconds()
        push(index)
    }

    private func push(_ index: Int) {
        let descriptor = clients[index].descriptor
        while clients[index].sent < clients[index].request.count {
            let at = clients[index].sent
            let count = clients[index].request[at...].withUnsafeBytes {
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            clients[index].sent += count
        }
    }

    /// The latency when a whole answer is there; ends the program when it was refused.
    private func hear(_ index: Int) -> UInt64? {
        while true {
            let count = recv(clients[index].descriptor, &piece, piece.count, 0)
            if count <= 0 { break }
            clients[index].heard += piece[..<count]
            if count < piece.count { break }
        }
        guard let accepted = kind.isAccepted(clients[index].heard) else { return nil }
        guard accepted else {
            print("refused: \(String(decoding: clients[index].heard, as: UTF8.self))")
            exit(1)
        }
        clients[index].heard.removeAll(keepingCapacity: true)
        return steadyNanoseconds() - clients[index].started
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
