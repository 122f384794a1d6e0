import Glibc

/// Standard output by the piece, for what goes on: whoever listens is noticed when they go.
struct StandardOutput {
    private var bytes: [UInt8] = []

    mutating func add(_ line: some Sequence<UInt8>) {
        bytes += line
        bytes.append(0x0A)
    }

    /// Hands over everything; false when nobody listens any more.
    mutating func flush() -> Bool {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
            if count > 0 {
                sent += count
            } else if count < 0, errno != EINTR {
                return false
            }
        }
        bytes.removeAll(keepingCapacity: true)
        var wait = pollfd(fd: STDOUT_FILENO, events: 0, revents: 0)
        return poll(&wait, 1, 0) <= 0 || wait.revents & Int16(POLLERR) == 0
    }
}
