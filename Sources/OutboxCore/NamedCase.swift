/// An enum whose cases are known outside by names: their own, unless it says otherwise.
package protocol NamedCase: CaseIterable, Sendable {
    var name: String { get }
}

extension NamedCase {
    package var name: String { String(describing: self) }

    package init?(name: String) {
        guard let value = Self.allCases.first(where: { $0.name == name }) else { return nil }
        self = value
    }
}
