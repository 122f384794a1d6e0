/// A bearer key: stands for its account with one role. Of the key itself a hash alone is known.
package struct AccessKey: Equatable, Sendable {
    package var id: Int64
    package var account: Int64
    /// For people: whose it is.
    package var name: String
    package var role: Role
    package var prefix: Prefix
    /// SHA-256 of the key's text.
    package var hash: [UInt8]
    /// The one it had before, and until when that one counts too.
    package var old: Old?
    package var createdAt: Timestamp
    package var createdBy: String
    package var rotatedAt: Timestamp?
    package var lastUsedAt: Timestamp?

    package struct Old: Equatable, Sendable {
        package var hash: [UInt8]
        package var until: Timestamp

        package init(hash: [UInt8], until: Timestamp) {
            self.hash = hash
            self.until = until
        }
    }

    package init(
        id: Int64, account: Int64, name: String, role: Role, prefix: Prefix = .outboxd, hash: [UInt8], old: Old? = nil,
        createdAt: Timestamp, createdBy: String, rotatedAt: Timestamp? = nil, lastUsedAt: Timestamp? = nil
    ) {
        self.id = id
        self.account = account
        self.name = name
        self.role = role
        self.prefix = prefix
        self.hash = hash
        self.old = old
        self.createdAt = createdAt
        self.createdBy = createdBy
        self.rotatedAt = rotatedAt
        self.lastUsedAt = lastUsedAt
    }

    /// What a key begins with: clients of hosted systems look at it, outboxd takes each for any call. The numbers are
    /// stored; they never change their meaning.
    package enum Prefix: Int64, NamedCase {
        case outboxd = 0
        case callMissed = 1
        case organization = 2

        package var name: String {
            switch self {
            case .outboxd: "sk_live_"
            case .callMissed: "cm_"
            case .organization: "sk_org_"
            }
        }
    }

    /// Random bytes in it; twice as many hexadecimal digits.
    package static let byteCount = 24

    /// Whether a text looks like a key at all.
    package static func isKey(_ text: String) -> Bool {
        Prefix.allCases.contains { prefix in
            let digits = text.utf8.dropFirst(prefix.name.utf8.count)
            return text.hasPrefix(prefix.name) && digits.count == 2 * byteCount
                && digits.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
        }
    }
}
