import Glibc
import OutboxAPI
import OutboxHTTP

/// What a caller may do, by what the kernel says of it: root and the service's own user are admin, members of one
/// group may send, others nothing.
struct Access: Sendable {
    private let ownUser = getuid()
    private let sendGroup: UInt32?

    /// A group that does not exist lets nobody in.
    init(sendGroup: String) { self.sendGroup = getgrnam(sendGroup)?.pointee.gr_gid }

    func role(of peer: Peer) -> Role {
        guard case .local(_, let uid, let gid, let groups) = peer else { return .none }
        if uid == 0 || uid == ownUser { return .admin }
        if let sendGroup, gid == sendGroup || groups.contains(sendGroup) { return .send }
        return .none
    }
}
