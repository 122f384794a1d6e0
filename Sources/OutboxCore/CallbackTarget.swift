/// Where a call to a subscription's endpoint may arrive, whatever name led there: the rule for the very address that
/// is connected to, so that neither a name nor an answer of the name service that changes leads elsewhere.
package enum CallbackTarget {
    /// What speaks against an address of 4 or 16 bytes in network order; nil: it may be connected to.
    ///
    /// Addresses of no single machine, of the link alone (169.254.0.0/16, fe80::/10) and those under which clouds keep
    /// the machine's own credentials are never called; nor are the IPv6 forms that lead to such an IPv4 address.
    /// `onlyLoopback`: and nothing but this machine itself.
    package static func problem(_ address: [UInt8], onlyLoopback: Bool = false) -> String? {
        if onlyLoopback, !isLoopback(address) { return "\(text(address)) is not this machine itself" }
        let reason =
            address.count == 4
            ? problem(four: address)
            : problem(sixteen: address) ?? embedded(in: address).lazy.compactMap { problem(four: $0) }.first
        return reason.map { "\(text(address)) \($0) and is never called" }
    }

    private static let linkLocal = "is an address of the local link"
    private static let nobody = "is an address of no machine"
    private static let many = "is an address of many machines"
    private static let metadata = "is where a cloud keeps the machine's credentials"

    private static func problem(four: [UInt8]) -> String? {
        switch (four[0], four[1], four[2], four[3]) {
        case (0, _, _, _): nobody
        case (169, 254, _, _): linkLocal
        case (224...239, _, _, _): many
        case (240...255, _, _, _): nobody
        // Alibaba Cloud, Azure, Oracle Cloud; all others are of the link.
        case (100, 100, 100, 200), (168, 63, 129, 16), (192, 0, 0, 192): metadata
        default: nil
        }
    }

    private static func problem(sixteen: [UInt8]) -> String? {
        guard sixteen.count == 16 else { return nobody }
        if sixteen.allSatisfy({ $0 == 0 }) { return nobody }
        if sixteen[0] == 0xFF { return many }
        // fe80::/10, and fec0::/10 as it was called before.
        if sixteen[0] == 0xFE, sixteen[1] >= 0x80 { return linkLocal }
        // AWS keeps fd00:ec2::/32 for an instance's own services; Google fd20:ce::254.
        if sixteen.starts(with: [0xFD, 0x00, 0x0E, 0xC2]) { return metadata }
        let google: [UInt8] = [0xFD, 0x20, 0x00, 0xCE, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x02, 0x54]
        return sixteen == google ? metadata : nil
    }

    /// The IPv4 addresses a gateway or the kernel itself would make of an IPv6 address.
    private static func embedded(in sixteen: [UInt8]) -> [[UInt8]] {
        guard sixteen.count == 16, !isLoopback(sixteen) else { return [] }
        let last = Array(sixteen[12...])
        let isZero = { (range: Range<Int>) in sixteen[range].allSatisfy { $0 == 0 } }
        // ::ffff:a.b.c.d (mapped), ::ffff:0:a.b.c.d (translated), ::a.b.c.d (compatible): RFC 4291, RFC 7915.
        if isZero(0..<8),
            isZero(8..<12) || sixteen[8..<12] == [0, 0, 0xFF, 0xFF] || sixteen[8..<12] == [0xFF, 0xFF, 0, 0]
        {
            return [last]
        }
        // NAT64: RFC 6052, 2.2. Of 64:ff9b:1::/48 (RFC 8215) nobody tells how long the prefix is: whatever it could be.
        if sixteen.starts(with: [0x00, 0x64, 0xFF, 0x9B, 0, 1]) {
            let places = [[6, 7, 9, 10], [7, 9, 10, 11], [9, 10, 11, 12], [12, 13, 14, 15]]
            return places.map { $0.map { sixteen[$0] } }.filter { $0[0] != 0 }
        }
        if sixteen.starts(with: [0x00, 0x64, 0xFF, 0x9B]) { return [last] }
        // 6to4: RFC 3056.
        if sixteen.starts(with: [0x20, 0x02]) { return [Array(sixteen[2..<6])] }
        // Teredo, the client's address inverted: RFC 4380.
        if sixteen.starts(with: [0x20, 0x01, 0, 0]) { return [last.map { ~$0 }] }
        // ISATAP: RFC 5214.
        if [0, 2].contains(sixteen[8]), sixteen[9...11] == [0, 0x5E, 0xFE] { return [last] }
        return []
    }

    package static func isLoopback(_ address: [UInt8]) -> Bool {
        address.count == 4 ? address[0] == 127 : address.dropLast().allSatisfy { $0 == 0 } && address.last == 1
    }

    // MARK: Text

    private static func text(_ address: [UInt8]) -> String {
        if address.count == 4 { return address.map { String($0) }.joined(separator: ".") }
        return stride(from: 0, to: address.count - 1, by: 2).map {
            String(Int(address[$0]) << 8 | Int(address[$0 + 1]), radix: 16)
        }.joined(separator: ":")
    }

    /// The 16 bytes of an IPv6 address as RFC 4291, 2.2, writes it, without a zone; nil for anything else.
    package static func sixteen(_ text: some StringProtocol) -> [UInt8]? {
        let halves = text.split(separator: "::", omittingEmptySubsequences: false).map { String($0) }
        guard halves.count <= 2 else { return nil }
        var parts: [[UInt8]] = []
        for (index, half) in halves.enumerated() {
            guard let bytes = groups(half, mayEndInFour: index == halves.count - 1) else { return nil }
            parts.append(bytes)
        }
        let count = parts.joined().count
        if parts.count == 1 { return count == 16 ? parts[0] : nil }
        return count <= 14 ? parts[0] + [UInt8](repeating: 0, count: 16 - count) + parts[1] : nil
    }

    private static func groups(_ text: String, mayEndInFour: Bool) -> [UInt8]? {
        if text.isEmpty { return [] }
        let words = text.split(separator: ":", omittingEmptySubsequences: false)
        var bytes: [UInt8] = []
        for (index, word) in words.enumerated() {
            if mayEndInFour, index == words.count - 1, word.contains(".") {
                guard let four = CallbackAddress.quad(word) else { return nil }
                bytes += four
                continue
            }
            guard (1...4).contains(word.utf8.count), word.utf8.allSatisfy({ $0 != 0x2B && $0 != 0x2D }),
                let number = UInt16(word, radix: 16)
            else { return nil }
            bytes += [UInt8(number >> 8), UInt8(number & 0xFF)]
        }
        return bytes
    }
}
