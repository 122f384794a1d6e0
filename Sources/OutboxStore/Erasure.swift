package import OutboxCore

/// What was removed of one person.
package struct ErasureReport: Equatable, Sendable {
    /// Something that stays for now.
    package struct Kept: Equatable, Sendable {
        /// `messages`, `received`, `events`, `limits`, `webhooks`, `space` or `log`.
        package var what: String
        package var count: Int64
        package var why: String
        /// When asking again finds it gone or removes it; nil: nobody knows.
        package var until: Timestamp?
    }

    package var messages: Int64 = 0
    package var received: Int64 = 0
    package var conversations: Int64 = 0
    package var contacts: Int64 = 0
    /// Files that went to nobody else.
    package var files: Int64 = 0
    /// Events of no message.
    package var events: Int64 = 0
    /// Bodies of Meta's calls that could not be applied.
    package var webhooks: Int64 = 0
    package var kept: [Kept] = []

    package init() {}

    mutating func keep(_ what: String, _ why: String, until: Timestamp? = nil, count: Int64 = 1) {
        guard let index = kept.firstIndex(where: { $0.what == what && $0.why == why }) else {
            return kept.append(Kept(what: what, count: count, why: why, until: until))
        }
        kept[index].count += count
        kept[index].until = [kept[index].until, until].compactMap { $0 }.max()
    }
}

/// Removing all that is stored of one person, in steps small enough for sends to go on between them.
///
/// What cannot go yet is named with the reason: asking again later removes the rest. One that ends with the process is
/// begun anew by whoever asks again.
package struct Erasure: Equatable, Sendable {
    enum Phase { case names, messages, received, events, people, limits, space, log, done }

    package let account: Int64
    var phase = Phase.names
    /// Every name of the person: digits, user id, @username.
    var addresses: [String]
    /// Ids under which the person is known as a correspondent, the merged ones too.
    var correspondents: [Int64] = []
    /// Where a phase stands: the next address, and the last id looked at.
    var address = 0
    var place: Int64 = .max
    package internal(set) var report = ErasureReport()

    /// `address` is digits, a user id or @username.
    package init(of address: String, account: Int64) {
        addresses = [address]
        self.account = account
    }

    /// All that is in the file is removed; what is left is to empty the log, outside a transaction.
    package var waitsForLog: Bool { phase == .log }
    package var isDone: Bool { phase == .done }

    mutating func go(to phase: Phase, place: Int64 = .max) {
        self.phase = phase
        self.place = place
        address = 0
    }

    /// The log could not be emptied: somebody reads on.
    package mutating func giveUpLog() {
        report.keep(
            "log",
            "a backup or another long read holds the log beside the database; it is written over when that has ended")
        phase = .done
    }
}
