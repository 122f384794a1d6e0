/// The owner of lines, messages and everything else: what belongs to another one is not found.
package struct Account: Equatable, Sendable {
    package var id: Int64
    package var name: String
    package var createdAt: Timestamp
    package var profile: Profile

    /// What may be changed of it.
    package struct Profile: Equatable, Sendable {
        /// Whose it is, in words.
        package var label: String?
        package var email: String?
        package var plan: Plan?

        package init(label: String? = nil, email: String? = nil, plan: Plan? = nil) {
            self.label = label
            self.email = email
            self.plan = plan
        }
    }

    package init(id: Int64, name: String, createdAt: Timestamp, profile: Profile = Profile()) {
        self.profile = profile
        self.id = id
        self.name = name
        self.createdAt = createdAt
    }

    /// The one that is there from the start, whose admins look after the process.
    package static let defaultID: Int64 = 1
    package static let defaultName = "default"

    package static let nameRule = "must be 1 to 32 of a-z, A-Z, 0-9, _ and -"

    package static func isName(_ name: String) -> Bool {
        (1...32).contains(name.utf8.count)
            && name.utf8.allSatisfy {
                (0x61...0x7A).contains($0 | 0x20) && $0 < 0x80 || (0x30...0x39).contains($0) || $0 == 0x5F
                    || $0 == 0x2D
            }
    }

    /// What the names of secrets begin with that belong to an account; the default one's have no such beginning.
    package static func secretPrefix(_ name: String) -> String {
        name == defaultName ? "" : "account.\(name)."
    }
}
