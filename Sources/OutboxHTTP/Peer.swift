import CLinux
import Glibc

/// Who is on the other end, by the word of the kernel at the time of connecting.
package enum Peer: Equatable, Sendable {
    /// A process of this machine on a Unix socket.
    case local(pid: Int32, uid: UInt32, gid: UInt32, groups: [UInt32])
    /// Anything else.
    case remote

    init(socket: Int32) {
        var credentials = ob_ucred()
        var length = socklen_t(MemoryLayout<ob_ucred>.size)
        guard getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0, credentials.pid != 0 else {
            self = .remote
            return
        }
        self = .local(
            pid: credentials.pid, uid: credentials.uid, gid: credentials.gid, groups: Self.groups(of: socket))
    }

    /// The supplementary groups; empty when the kernel does not tell.
    private static func groups(of socket: Int32) -> [UInt32] {
        var groups = [UInt32](repeating: 0, count: 64)
        while true {
            var length = socklen_t(groups.count * 4)
            if getsockopt(socket, SOL_SOCKET, OB_SO_PEERGROUPS, &groups, &length) == 0 {
                return Array(groups.prefix(Int(length) / 4))
            }
            guard errno == ERANGE, groups.count < 65_536 else { return [] }
            groups = [UInt32](repeating: 0, count: max(Int(length) / 4, groups.count * 2))
        }
    }
}
