import Glibc
import OutboxCore
import OutboxHTTP

/// What local callers may do, by what the kernel says of them: root and the service's own user are admin, and the
/// settings say the rest. What is not named there may nothing.
struct Access: Sendable {
    /// What a caller may do, and in which account.
    struct Standing: Equatable, Sendable {
        var role: Role
        var account: String
    }

    private struct Rule: Sendable {
        var isGroup: Bool
        var id: UInt32
        var standing: Standing
    }

    private let ownUser = getuid()
    /// The first that fits counts: users before groups, then the higher role, then the order in the settings.
    private let rules: [Rule]
    /// What is named in the settings and not there, in words.
    let problems: [String]

    /// A user or group that does not exist lets nobody in.
    init(_ settings: Settings) {
        var rules: [Rule] = []
        var problems: [String] = []
        let sendGroup = AccessEntry(name: settings.sendGroup, isGroup: true, account: Account.defaultName)
        let lists: [(Role, [AccessEntry])] = [
            (.admin, settings.admins), (.send, settings.senders + [sendGroup]), (.read, settings.readers),
        ]
        for (role, entries) in lists {
            for entry in entries {
                let id = entry.isGroup ? groupID(entry.name) : userID(entry.name)
                guard let id else {
                    let what = entry.isGroup ? "group" : "user"
                    problems.append("there is no \(what) \(entry.name): nobody has the role \(role.name) by it")
                    continue
                }
                let standing = Standing(role: role, account: entry.account)
                rules.append(Rule(isGroup: entry.isGroup, id: id, standing: standing))
            }
        }
        self.rules = rules.filter { !$0.isGroup } + rules.filter(\.isGroup)
        self.problems = problems
    }

    func standing(of peer: Peer) -> Standing {
        let nobody = Standing(role: .none, account: Account.defaultName)
        guard case .local(_, let uid, let gid, let groups) = peer else { return nobody }
        if uid == 0 || uid == ownUser { return Standing(role: .admin, account: Account.defaultName) }
        let rule = rules.first { $0.isGroup ? gid == $0.id || groups.contains($0.id) : uid == $0.id }
        return rule?.standing ?? nobody
    }
}

private func userID(_ name: String) -> UInt32? { UInt32(name) ?? getpwnam(name)?.pointee.pw_uid }

private func groupID(_ name: String) -> UInt32? { UInt32(name) ?? getgrnam(name)?.pointee.gr_gid }

/// A user's name, or its number where it has none.
func userName(_ uid: UInt32) -> String { getpwuid(uid).map { String(cString: $0.pointee.pw_name) } ?? "uid \(uid)" }
