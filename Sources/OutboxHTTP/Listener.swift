import CLinux
import Glibc
import OutboxSystem

/// A socket that takes connections.
package struct Listener: Sendable {
    package var descriptor: Int32
    /// What the handler calls it.
    package var tag: Int
    /// Removed at the end; nil when systemd or nobody owns the path.
    package var path: String?
    /// Device and inode of what was bound at the path: another process may have taken its place since.
    private var identity: [UInt64]?

    package init(descriptor: Int32, tag: Int, path: String? = nil) {
        self.descriptor = descriptor
        self.tag = tag
        self.path = path
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }
}

/// Why a socket could not be made.
package struct ListenError: Error, CustomStringConvertible {
    package let description: String
}

extension Listener {
    private static let backlog: Int32 = 4096

    /// Binds a Unix socket, taking the place of one that nobody listens on any more.
    package static func unix(path: String, mode: UInt32, tag: Int) throws -> Listener {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure("socket", path) }
        // The file gets its mode as it appears: changed by its name afterwards, it might be another file's.
        let mask = umask(0)
        defer { umask(mask) }
        guard fchmod(descriptor, mode) == 0 else {
            let error = failure("fchmod", path)
            close(descriptor)
            throw error
        }
        let bound = withUnixAddress(path) { address, length in
            if bind(descriptor, address, length) == 0 { return true }
            guard errno == EADDRINUSE, connect(descriptor, address, length) != 0, errno == ECONNREFUSED else {
                return false
            }
            // Left behind by a process that was killed; anything but a socket is somebody's file.
            return isSocket(path) && unlink(path) == 0 && bind(descriptor, address, length) == 0
        }
        guard let bound else {
            close(descriptor)
            throw ListenError(description: "\(path): a socket's path has 1 to 107 bytes")
        }
        guard bound else {
            let error = isSocket(path) ? inUse(path) : failure("bind", path)
            close(descriptor)
            throw error
        }
        guard listen(descriptor, backlog) == 0 else {
            let error = failure("listen", path)
            close(descriptor)
            throw error
        }
        var listener = Listener(descriptor: descriptor, tag: tag, path: path)
        listener.identity = identity(path)
        return listener
    }

    /// Takes the socket's file away, if it still is this one's.
    func removePath() {
        guard let path, let identity, Self.identity(path) == identity else { return }
        unlink(path)
    }

    private static func identity(_ path: String) -> [UInt64]? {
        var info = stat()
        guard lstat(path, &info) == 0 else { return nil }
        return [UInt64(info.st_dev), UInt64(info.st_ino)]
    }

    /// Binds a TCP port of the loopback interface; 0 picks a free one, `port` tells which.
    package static func loopback(port: UInt16, tag: Int) throws -> Listener {
        guard let address = TCPAddress("127.0.0.1:\(port)") else { preconditionFailure("127.0.0.1 is an address") }
        return try tcp(address, tag: tag)
    }

    package static func tcp(_ address: TCPAddress, tag: Int) throws -> Listener {
        let descriptor = socket(address.family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { throw failure("socket", address.description) }
        var yes: Int32 = 1
        setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        let bound = address.withSocketAddress { bind(descriptor, $0, $1) == 0 }
        guard bound, listen(descriptor, backlog) == 0 else {
            let error = failure("bind", address.description)
            close(descriptor)
            throw error
        }
        return Listener(descriptor: descriptor, tag: tag)
    }

    /// The TCP port it listens on; nil for a Unix socket.
    package var port: UInt16? {
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let known = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
        }
        return known && address.sin_family == sa_family_t(AF_INET) ? UInt16(bigEndian: address.sin_port) : nil
    }

    private static func failure(_ call: String, _ what: String) -> ListenError {
        ListenError(description: "\(what): \(call): \(String(cString: strerror(errno)))")
    }

    /// Itself, not what a symbolic link leads to.
    private static func isSocket(_ path: String) -> Bool {
        var info = stat()
        return lstat(path, &info) == 0 && info.st_mode & S_IFMT == S_IFSOCK
    }

    private static func inUse(_ path: String) -> ListenError {
        ListenError(description: "\(path): another process listens on this socket")
    }
}
