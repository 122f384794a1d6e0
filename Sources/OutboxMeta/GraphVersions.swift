package import OutboxCore

/// How long Meta answers each version of the Graph API: "Versions" in the Graph API changelog
/// (developers.facebook.com/docs/graph-api/changelog/versions), as of October 2026. Afterwards calls of an old version
/// are answered as the oldest one that is left, whose answers may differ.
package enum GraphVersions {
    /// The last day, RFC 3339 at midnight UTC; nil: Meta has not said yet.
    private static let ends: [(version: String, end: String?)] = [
        ("v26.0", nil), ("v25.0", "2028-07-29"), ("v24.0", "2028-02-18"), ("v23.0", "2027-10-08"),
        ("v22.0", "2027-05-20"), ("v21.0", "2027-01-21"), ("v20.0", "2026-09-24"), ("v19.0", "2026-05-21"),
        ("v18.0", "2026-01-26"), ("v17.0", "2025-09-12"), ("v16.0", "2025-05-14"), ("v15.0", "2024-11-20"),
    ]

    package enum Life: Equatable, Sendable {
        case unknown
        /// No end is known yet.
        case open
        case until(Timestamp)
    }

    package static func life(of version: String) -> Life {
        guard let entry = ends.first(where: { $0.version == version }) else { return .unknown }
        guard let end = entry.end, let moment = Timestamp(rfc3339: "\(end)T00:00:00Z") else { return .open }
        return .until(moment)
    }
}
