import OutboxCore

/// The machine's tz database: /usr/share/zoneinfo, of Debian's package tzdata. Belongs to one thread.
final class ZoneFiles {
    static let folder = "/usr/share/zoneinfo"
    private static let bytesMax = 1 << 20
    private static let knownMax = 1000

    private let folder: String
    private var known: [String: TimeZoneRules?] = [:]

    init(folder: String = ZoneFiles.folder) { self.folder = folder }

    /// Nil: there is no such zone. A file is read once: rules that a later tzdata brings count after a restart.
    func rules(_ name: String) -> TimeZoneRules? {
        if let rules = known[name] { return rules }
        guard !name.isEmpty, !name.hasPrefix("/"), !name.split(separator: "/").contains("..") else { return nil }
        // Many of its names are links into it.
        let rules = readFile("\(folder)/\(name)", bytesMax: Self.bytesMax).flatMap { TimeZoneRules(tzif: $0) }
        if known.count == Self.knownMax { known = [:] }
        known[name] = .some(rules)
        return rules
    }

    /// Quiet hours can be kept.
    var isThere: Bool { rules("Etc/UTC") != nil && rules("Europe/London") != nil }
}
