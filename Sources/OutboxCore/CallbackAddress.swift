/// The address of a web server that is told of events.
package enum CallbackAddress {
    package static let bytesMax = 2048

    /// What speaks against an address; nil: it may be called. https anywhere, http only to this machine itself unless
    /// `allowsHTTP`.
    ///
    /// Stricter than RFC 3986, so that nobody reads it differently: no user, no escapes or odd spellings in the host.
    package static func problem(_ url: String, allowsHTTP: Bool) -> String? {
        guard (1...bytesMax).contains(url.utf8.count) else { return "must have 1 to \(bytesMax) bytes" }
        guard url.utf8.allSatisfy({ (0x21...0x7E).contains($0) && !Array("\\\"<>^`{|}#".utf8).contains($0) }) else {
            return "must be a URL in printable ASCII, without spaces, \\ and #; write other characters as %XX"
        }
        let isPlain = url.hasPrefix("http://")
        guard isPlain || url.hasPrefix("https://") else {
            return "must begin with https:// (or http:// for this machine itself)"
        }
        let authority = url.dropFirst(isPlain ? 7 : 8).prefix { $0 != "/" && $0 != "?" }
        guard !authority.contains("@") else {
            return "must not hold a user or password: calls are signed, see outboxd-api(7)"
        }
        guard let (host, port) = split(authority), isHost(host) else {
            return "must name a host: a name, an IPv4 address in four numbers, or an IPv6 address in brackets"
        }
        if let port, !isPort(port) { return "must have a port from 1 to 65535" }
        if let address = literal(host), let problem = CallbackTarget.problem(address) {
            return "must lead to a web server: \(problem)"
        }
        guard isPlain, !allowsHTTP, !isLoopback(host) else { return nil }
        return "must be https, or http to localhost, 127.0.0.0/8 or [::1]: events would cross the network in clear "
            + "(a daemon started with allow-http-callbacks = yes takes it)"
    }

    /// An http address of this machine itself is not asked for by way of a proxy.
    package static func isLocal(_ url: String) -> Bool {
        guard url.hasPrefix("http://") else { return false }
        return split(url.dropFirst(7).prefix { $0 != "/" && $0 != "?" }).map { isLoopback($0.host) } ?? false
    }

    /// What the journal may show of it.
    package static func host(_ url: String) -> String {
        let rest = url.split(separator: "/", maxSplits: 2, omittingEmptySubsequences: false)
        return rest.count > 2 ? String(rest[2].prefix { $0 != "/" && $0 != "?" }) : ""
    }

    private static func split(_ authority: Substring) -> (host: Substring, port: Substring?)? {
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            let rest = authority[authority.index(after: end)...]
            guard rest.isEmpty || rest.hasPrefix(":") else { return nil }
            return (authority[...end], rest.isEmpty ? nil : rest.dropFirst())
        }
        let parts = authority.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        return (parts[0], parts.count > 1 ? parts[1] : nil)
    }

    private static func isPort(_ text: Substring) -> Bool {
        guard let number = Int(text), !text.hasPrefix("0"), !text.hasPrefix("+") else { return false }
        return (1...65_535).contains(number)
    }

    private static func isHost(_ host: Substring) -> Bool {
        if host.hasPrefix("[") {
            return literal(host) != nil
        }
        let labels = host.split(separator: ".", omittingEmptySubsequences: false)
        guard (1...253).contains(host.utf8.count),
            labels.allSatisfy({ (1...63).contains($0.utf8.count) && $0.utf8.allSatisfy(isNameByte) })
        else { return false }
        // libc takes 0x7f.1 and 2130706433 for addresses.
        guard let last = labels.last, last.utf8.first.map({ (0x30...0x39).contains($0) }) ?? false else { return true }
        return quad(host) != nil
    }

    /// The bytes of a host that is an address itself.
    private static func literal(_ host: Substring) -> [UInt8]? {
        host.hasPrefix("[") ? CallbackTarget.sixteen(host.dropFirst().dropLast()) : quad(host)
    }

    /// Four decimal numbers without leading zeros, which would be octal.
    static func quad(_ host: Substring) -> [UInt8]? {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        let numbers = parts.compactMap { part -> UInt8? in
            guard part.utf8.allSatisfy({ (0x30...0x39).contains($0) }), part == "0" || !part.hasPrefix("0") else {
                return nil
            }
            return UInt8(part)
        }
        return parts.count == 4 && numbers.count == 4 ? numbers : nil
    }

    private static func isLoopback(_ host: Substring) -> Bool {
        host.lowercased() == "localhost" || host == "[::1]" || quad(host)?.first == 127
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        (0x30...0x39).contains(byte) || (0x61...0x7A).contains(byte | 0x20) || byte == 0x2D || byte == 0x5F
    }
}
