import OutboxMeta

/// What links and their pages need of the settings.
struct PageSettings: Sendable {
    /// The app and the configuration Embedded Signup is begun with.
    struct Signup: Sendable {
        var appID: String
        var configID: String
    }

    /// Where people reach the pages, without a slash at the end; nil: no links are made.
    var publicURL: String?
    /// A listener serves them.
    var isOpen: Bool
    var signup: Signup?
    /// Of the Graph API, for Meta's script.
    var version: String

    init(_ settings: Settings, isOpen: Bool) {
        publicURL = settings.publicURL
        self.isOpen = isOpen
        if let app = settings.signupAppID, let config = settings.signupConfigID {
            signup = Signup(appID: app, configID: config)
        }
        version = settings.graph.version
    }

    /// Scheme, host and port, as a browser puts them into `Origin`.
    var origin: String? {
        publicURL.map { url in
            let parts = url.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false)
            let origin = parts.prefix(3).joined(separator: "/").lowercased()
            // The usual port is left out there (RFC 6454, 6.1).
            for (scheme, port) in [("https://", ":443"), ("http://", ":80")]
            where origin.hasPrefix(scheme) && origin.hasSuffix(port) {
                return String(origin.dropLast(port.count))
            }
            return origin
        }
    }
}
