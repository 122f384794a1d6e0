import Glibc
import OutboxSystem
import Testing

/// Stands between the daemon and the sandbox, passes everything on, and breaks the next sends off where it is told.
final class CutProxy: @unchecked Sendable {
    /// How far an exchange gets.
    enum Point: String, CaseIterable, Sendable {
        /// Connected, nothing read.
        case connected
        /// Half of the request read; the sandbox sees nothing of it.
        case requestHalf
        /// All of the request read; the sandbox sees nothing of it.
        case requestWhole
        /// The sandbox has answered; nothing of that comes back.
        case taken
        case headersHalf
        case bodyHalf

        /// Whether the message got to the sandbox.
        var isTaken: Bool { self == .taken || self == .headersHalf || self == .bodyHalf }
    }

    enum Manner: String, CaseIterable, Sendable {
        case close
        case reset
        /// Goes no further until the test says `letGo`, then closes.
        case stall
    }

    struct Cut: Sendable {
        var point: Point
        var manner: Manner
    }

    private struct State {
        var cut: Cut?
        var reached = 0
        var isStalled = true
    }

    private let listener: Int32
    private let sandboxPort: Int
    private let state = Lock(State())
    private let thread: OutboxSystem.Thread
    let port: Int

    init(to sandboxPort: Int) throws {
        self.sandboxPort = sandboxPort
        let listener = try #require(loopbackSocket())
        self.listener = listener
        var address = loopback(0)
        try #require(withAddress(&address) { bind(listener, $0, $1) } == 0 && listen(listener, 64) == 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        _ = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(listener, $0, &length) }
        }
        port = Int(UInt16(bigEndian: address.sin_port))
        let state = state
        thread = OutboxSystem.Thread("proxy") {
            while true {
                let client = accept(listener, nil, nil)
                if client < 0 { return }
                // Ends with its connection.
                _ = OutboxSystem.Thread("proxied") { Proxied(client, sandboxPort, state).run() }
            }
        }
    }

    deinit {
        letGo()
        shutdown(listener, Int32(SHUT_RDWR))
        thread.join()
        Glibc.close(listener)
    }

    /// Breaks off every send from now on; nil: none.
    func set(_ cut: Cut?) {
        state.withLock {
            $0.cut = cut
            $0.isStalled = true
        }
    }

    /// Ends what is stalled.
    func letGo() { state.withLock { $0.isStalled = false } }

    /// How many sends were broken off, or are stalled.
    var reached: Int { state.withLock { $0.reached } }

    // MARK: One connection

    private static let patience = 60_000

    /// One connection of the daemon's.
    private struct Proxied {
        let client: Int32
        let port: Int
        let state: Lock<State>

        init(_ client: Int32, _ port: Int, _ state: Lock<State>) {
            (self.client, self.port, self.state) = (client, port, state)
        }

        func run() {
            defer { Glibc.close(client) }
            guard let server = loopbackSocket() else { return }
            defer { Glibc.close(server) }
            var address = loopback(port)
            guard withAddress(&address, { connect(server, $0, $1) }) == 0 else { return }
            while true {
                var cut = state.withLock { $0.cut }
                // Whether it is a send shows only in the request: nothing else comes while a cut is set.
                if let cut, cut.point == .connected { return end(cut) }
                guard let request = readMessage(client) else { return }
                if !request.starts(with: Array("POST ".utf8)) { cut = nil }
                if let cut, cut.point == .requestHalf || cut.point == .requestWhole { return end(cut) }
                guard write(server, request[...]), let answer = readMessage(server) else { return }
                guard let cut else {
                    guard write(client, answer[...]) else { return }
                    continue
                }
                let head = headLength(answer) ?? answer.count
                switch cut.point {
                case .headersHalf: _ = write(client, answer.prefix(head / 2))
                case .bodyHalf: _ = write(client, answer.prefix(head + (answer.count - head) / 2))
                case .connected, .requestHalf, .requestWhole, .taken: break
                }
                return end(cut)
            }
        }

        private func end(_ cut: Cut) {
            state.withLock { $0.reached += 1 }
            switch cut.manner {
            case .close: break
            case .reset:
                var linger = linger(l_onoff: 1, l_linger: 0)
                setsockopt(client, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
            case .stall:
                for _ in 0..<(CutProxy.patience / 10) {
                    if !state.withLock({ $0.isStalled }) { return }
                    usleep(10_000)
                }
            }
        }
    }
}

private func loopbackSocket() -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    return descriptor < 0 ? nil : descriptor
}

private func loopback(_ port: Int) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = UInt16(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return address
}

private func withAddress(_ address: inout sockaddr_in, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
}

private func write(_ descriptor: Int32, _ bytes: ArraySlice<UInt8>) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
        let count = rest.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        guard count > 0 else { return false }
        rest = rest.dropFirst(count)
    }
    return true
}

private func headLength(_ bytes: [UInt8]) -> Int? {
    let end = Array("\r\n\r\n".utf8)
    return bytes.indices.first { bytes[$0...].starts(with: end) }.map { $0 + end.count }
}

/// A request or an answer with its body, whose length its head gives; nil when the other side went.
private func readMessage(_ descriptor: Int32) -> [UInt8]? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65_536)
    while true {
        if let head = headLength(bytes) {
            let lines = String(decoding: bytes[..<head], as: UTF8.self).lowercased().split(separator: "\r\n")
            let length = lines.first { $0.hasPrefix("content-length:") }
                .flatMap { Int($0.dropFirst("content-length:".count).filter { $0 != " " }) }
            if bytes.count >= head + (length ?? 0) { return bytes }
        }
        let count = recv(descriptor, &buffer, buffer.count, 0)
        guard count > 0 else { return nil }
        bytes += buffer[..<count]
    }
}
