/// What a caller may do; each may do what the ones before may. The numbers are stored; they never change their meaning.
package enum Role: Int64, NamedCase, Comparable {
    case none = 0
    case read = 1
    case send = 2
    case admin = 3

    package static func < (a: Role, b: Role) -> Bool { a.rawValue < b.rawValue }

    /// Those that can be given.
    package static let given: [Role] = [.read, .send, .admin]
}
