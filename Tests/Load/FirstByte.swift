import CLinux
import Glibc
import OutboxSystem

/// From a submission to the first byte of its POST, with nothing else going on, in turn with what no road can save: two
/// syncs of the same disk and one HTTP round trip over loopback.
///
/// Plays Meta itself, on a port of its own which it prints first: `port N`. The daemon is to be told of it and to have
/// its line before a byte is written to standard input.
func measureFirstByte(socket path: String, folder: String, count: Int) -> Int32 {
    guard let meta = LoopbackListener() else {
        print("no port on loopback")
        return 1
    }
    print("port \(meta.port)")
    fflush(nil)  // whoever started this reads it from a pipe
    var byte: UInt8 = 0
    _ = read(0, &byte, 1)
    guard var file = SyncedFile(in: folder) else { return 1 }
    let api = connectUnix(path)
    var road: [UInt64] = []
    var floor: [UInt64] = []
    for number in 0..<count {
        // The road of one message.
        let submission = Array(
            httpPost(
                "/v1/messages",
                #"{"to":"1415\#(5_000_000 + number)","template":{"name":"order_ready","language":"en_US"}}"#
            ).utf8)
        let before = steadyNanoseconds()
        sendAll(api, submission)
        let post = meta.request()
        road.append(steadyNanoseconds() - before)
        meta.answer(post, #"{"messaging_product":"whatsapp","messages":[{"id":"wamid.\#(number)"}]}"#)
        receiveAnswer(api)
        usleep(20_000)  // until its outcome is on disk and everybody sleeps again
        // What cannot be saved.
        let start = steadyNanoseconds()
        file.writeOne()
        file.writeOne()
        meta.roundTrip()
        floor.append(steadyNanoseconds() - start)
        usleep(2_000)
    }
    close(api)
    report("first 1", count: road.count, 1, road)
    report("floor 1", count: floor.count, 1, floor)
    return 0
}

func connectUnix(_ path: String) -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    guard withUnixAddress(path, { connect(descriptor, $0, $1) == 0 }) ?? false else {
        print("no connection to \(path)")
        exit(1)
    }
    return descriptor
}

func sendAll(_ descriptor: Int32, _ bytes: [UInt8]) {
    var at = 0
    while at < bytes.count {
        let count = bytes[at...].withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard count > 0 else { fatalExit("the other side went away") }
        at += count
    }
}

/// Blocks until a message with its whole body was read.
private func receiveAnswer(_ descriptor: Int32) {
    var bytes: [UInt8] = []
    var piece = [UInt8](repeating: 0, count: 16_384)
    while true {
        let count = recv(descriptor, &piece, piece.count, 0)
        guard count > 0 else { fatalExit("the other side went away") }
        bytes += piece[..<count]
        let text = String(decoding: bytes, as: UTF8.self)
        guard let end = text.utf8RangeOfHeadEnd else { continue }
        guard text.declaredLength.map({ bytes.count >= end + $0 }) ?? true else { continue }
        return
    }
}

func fatalExit(_ words: String) -> Never {
    print(words)
    exit(1)
}

extension String {
    fileprivate var utf8RangeOfHeadEnd: Int? {
        let bytes = Array(utf8)
        guard bytes.count >= 4 else { return nil }
        return (4...bytes.count).first { Array(bytes[($0 - 4)..<$0]) == Array("\r\n\r\n".utf8) }
    }

    fileprivate var declaredLength: Int? {
        let lines = lowercased().split(separator: "\r\n")
        return lines.first { $0.hasPrefix("content-length:") }.flatMap {
            Int($0.dropFirst(15).drop { $0 == " " })
        }
    }
}

/// Meta's side, on loopback.
private final class LoopbackListener {
    let port: UInt16
    private let listener: Int32
    private var open: [Int32] = []
    private var client: Int32?
    private var echo: Thread?

    init?() {
        let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        self.listener = listener
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, size) }
        }
        var length = size
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        port = UInt16(bigEndian: address.sin_port)
        guard bound == 0, listen(listener, 64) == 0 else { return nil }
    }

    /// Waits for the first bytes of the next POST and answers whose connection it is; what is no POST is answered.
    func request() -> Int32 {
        while true {
            var waits = ([listener] + open).map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            poll(&waits, UInt(waits.count), -1)
            for wait in waits where wait.revents != 0 {
                if wait.fd == listener {
                    open.append(accept(listener, nil, nil))
                    continue
                }
                var piece = [UInt8](repeating: 0, count: 16_384)
                let count = recv(wait.fd, &piece, piece.count, 0)
                if count <= 0 {
                    open.removeAll { $0 == wait.fd }
                    close(wait.fd)
                } else if piece.starts(with: Array("POST".utf8)) {
                    return wait.fd
                } else {
                    answer(wait.fd, #"{"data":[]}"#)
                }
            }
        }
    }

    func answer(_ descriptor: Int32, _ body: String) {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        sendAll(descriptor, Array((head + body).utf8))
    }

    /// One request and its answer over a connection of its own, to a thread that does nothing else.
    func roundTrip() {
        let client = self.client ?? connectToSelf()
        self.client = client
        sendAll(client, Array(httpPost("/", "{}").utf8))
        receiveAnswer(client)
    }

    private func connectToSelf() -> Int32 {
        let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        _ = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        let server = accept(listener, nil, nil)
        echo = Thread("echo") { answerAll(on: server) }
        return client
    }
}

/// Answers every request that comes in one piece.
private func answerAll(on descriptor: Int32) {
    let answer = Array("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".utf8)
    var piece = [UInt8](repeating: 0, count: 16_384)
    while recv(descriptor, &piece, piece.count, 0) > 0 { sendAll(descriptor, answer) }
}
