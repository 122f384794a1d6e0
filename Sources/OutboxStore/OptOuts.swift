package import OutboxCore
import OutboxJSON
import OutboxSystem

/// Somebody who wants no marketing.
package struct OptOut: Equatable, Sendable {
    /// Hexadecimal digits of the hash; the place in the list.
    package var place: String
    /// Nil: the person's data was erased.
    package var recipient: String?
    package var source: OptOutSource
    package var reason: String?
    package var line: String?
    package var createdAt: Timestamp
}

/// The keyed hash an opt-out is known by: it tells whether an address that is given is on the list, and no address.
struct OptOutHash {
    private let key: [UInt8]

    init(idKey: [UInt8]) { key = hmacSHA256(key: idKey, Array("opt-out".utf8)) }

    /// 32 bytes.
    func hash(_ address: String) -> [UInt8] { hmacSHA256(key: key, Array(address.utf8)) }
}

extension Queue {
    func loadOptOuts() throws {
        memory.optOutAccounts = Set(try database.prepare("SELECT DISTINCT account FROM opt_out").all { $0.integer(0) })
    }

    /// Whether a person is on the account's list under one of these addresses.
    func isOptedOut(_ addresses: [String], account: Int64) throws -> Bool {
        guard memory.optOutAccounts.contains(account) else { return false }
        return try Set(addresses).contains { address in
            try limits.optOut.first(.integer(account), .blob(optOutHash.hash(address))) { _ in true } ?? false
        }
    }

    /// Puts a person on the list, under all known names. Answers whether that is news. `wished` is when the person said
    /// so: a wish of before that comes later does not count.
    package func optOut(
        _ address: String, source: OptOutSource, reason: String?, line: Int64?, account: Int64,
        wished: Timestamp? = nil, now: Timestamp
    ) throws -> Bool {
        var isNew = false
        for name in try names(of: address, account) {
            let changed = try limits.saveOptOut.run(
                .integer(account), .blob(optOutHash.hash(name)), .text(name), .integer(source.rawValue),
                .optional(reason), .optional(line), .integer((wished ?? now).milliseconds))
            isNew = isNew || changed == 1
            if changed == 0 {
                try limits.renewOptOut.run(
                    .integer((wished ?? now).milliseconds), .integer(account), .blob(optOutHash.hash(name)))
            }
        }
        memory.optOutAccounts.insert(account)
        if isNew { try tellOptOut(address, stops: true, source, line, account, now) }
        return isNew
    }

    /// Takes a person from the list. Answers whether it was there.
    package func optIn(
        _ address: String, source: OptOutSource, line: Int64?, account: Int64, wished: Timestamp? = nil, now: Timestamp
    ) throws -> Bool {
        guard memory.optOutAccounts.contains(account) else { return false }
        var removed = 0
        for name in try names(of: address, account) {
            removed += try limits.deleteOptOut.run(
                .integer(account), .blob(optOutHash.hash(name)), .integer((wished ?? now).milliseconds))
        }
        if removed > 0 { try tellOptOut(address, stops: false, source, line, account, now) }
        return removed > 0
    }

    private func names(of address: String, _ account: Int64) throws -> Set<String> {
        Set(try kin(of: [address], account) + [address])
    }

    /// Meta's own news of it are told as they come.
    private func tellOptOut(
        _ address: String, stops: Bool, _ source: OptOutSource, _ line: Int64?, _ account: Int64, _ now: Timestamp
    ) throws {
        guard source != .preference else { return }
        let line = line.flatMap { memory.lines[$0] }
        let isUserID = Recipient.isUserID(address)
        var json = JSONWriter()
        json.object {
            $0.field("line", line?.name)
            $0.field("from", isUserID ? nil : address)
            $0.field("userId", isUserID ? address : nil)
            $0.field("marketing", stops ? "stopped" : "resumed")
            $0.field("at", now.rfc3339)
            $0.field("source", source.name)
        }
        try tell(.contactUpdated, line: line, account: account, detail: json.bytes, now: now)
    }

    /// Whoever is on the list under one name is so under the other.
    func passOptOut(from address: String, to person: String, account: Int64) throws {
        guard try isOptedOut([address], account: account) else { return }
        try database.prepare(
            """
            INSERT INTO opt_out (account, hash, recipient, source, reason, line, created_at)
            SELECT account, :new, :name, source, reason, line, created_at FROM opt_out
            WHERE account = :account AND hash = :old ON CONFLICT (account, hash) DO NOTHING
            """
        ).run(
            .blob(optOutHash.hash(person)), .text(person), .integer(account), .blob(optOutHash.hash(address)))
    }

    /// A person's data is erased: who it was is no longer known, that they want no marketing is.
    func forgetOptedOut(_ address: String, account: Int64) throws -> Bool {
        try database.prepare(
            "UPDATE opt_out SET recipient = NULL, reason = NULL WHERE account = :account AND hash = :hash"
        ).run(.integer(account), .blob(optOutHash.hash(address))) > 0
    }
}

extension QueueReader {
    /// Some of an account's list, behind a place.
    package func optOuts(after place: String?, limit: Int, account: Int64) throws -> [OptOut] {
        try database.prepare(
            """
            SELECT hex(o.hash), o.recipient, o.source, o.reason, l.name, o.created_at FROM opt_out AS o
            LEFT JOIN line AS l ON l.id = o.line WHERE o.account = :account AND o.hash > :place
            ORDER BY o.hash LIMIT :limit
            """
        ).all(.integer(account), .blob(bytes(hexadecimal: place ?? "")), .integer(Int64(limit))) { OptOut($0) }
    }

    /// Nil: the person is not on the list.
    package func optOut(of address: String, account: Int64) throws -> OptOut? {
        try database.prepare(
            """
            SELECT hex(o.hash), o.recipient, o.source, o.reason, l.name, o.created_at FROM opt_out AS o
            LEFT JOIN line AS l ON l.id = o.line WHERE o.account = :account AND o.hash = :hash
            """
        ).first(.integer(account), .blob(OptOutHash(idKey: try database.idKey()).hash(address))) { OptOut($0) }
    }
}

extension OptOut {
    fileprivate init(_ row: Row) {
        self.init(
            place: row.text(0), recipient: row.optionalText(1),
            source: OptOutSource(rawValue: row.integer(2)) ?? .caller,
            reason: row.optionalText(3), line: row.optionalText(4), createdAt: Timestamp(milliseconds: row.integer(5)))
    }
}

private func bytes(hexadecimal text: String) -> [UInt8] {
    let digits = text.utf8.compactMap { UInt8(String(Unicode.Scalar($0)), radix: 16) }
    return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}
