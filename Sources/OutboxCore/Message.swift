/// Messages of a higher class of a line leave first.
package enum Priority: Int64, NamedCase {
    case high = 0
    case normal = 1
    case low = 2

    private static let names = allCases.map { String(describing: $0) }
    package var name: String { Self.names[Int(rawValue)] }
}

/// A message as a caller hands it in, checked completely.
package struct Draft: Equatable, Sendable {
    /// The line's name; nil: the account's only one.
    package var line: String?
    package var to: Recipient
    /// Meta's word for the kind: `text`, `template`, `image`, or one that is not known here.
    package var type: String
    /// JSON of the object Meta expects under `type`.
    package var content: [UInt8]
    package var sendAt: Timestamp?
    package var expiresAt: Timestamp?
    package var priority: Priority
    /// A JSON object of the caller's, returned everywhere.
    package var metadata: [UInt8]?
    /// Its template; nil for free-form messages.
    package var template: TemplateName?
    /// Goes instead when it is free-form and the person's window is closed.
    package var fallback: TemplateMessage?
    /// It need not wait for others to the same person.
    package var anyOrder = false
    /// What to do when its pool is full; nil: as the line says.
    package var whenFull: WhenFull?
    /// What to do when its outcome stays unknown; nil: as the line says.
    package var onUnknown: UnknownPolicy?
    /// Taken though the person's window is closed, to fail at its turn if it still is.
    package var failsOutsideWindow = false
    /// The message it answers or reacts to.
    package var mention: Mention?
    /// The file it names.
    package var media: MediaName?
    /// Its content was compared with Meta's limits.
    package var isChecked = true
    /// It goes through every status, and never to Meta.
    package var isSimulated = false

    package init(
        line: String?, to: Recipient, type: String, content: [UInt8], sendAt: Timestamp? = nil,
        expiresAt: Timestamp? = nil, priority: Priority = .normal, metadata: [UInt8]? = nil,
        template: TemplateName? = nil, fallback: TemplateMessage? = nil
    ) {
        self.template = template
        self.fallback = fallback
        self.line = line
        self.to = to
        self.type = type
        self.content = content
        self.sendAt = sendAt
        self.expiresAt = expiresAt
        self.priority = priority
        self.metadata = metadata
    }
}

/// Meta knows templates by name and language.
package struct TemplateName: Hashable, Sendable {
    package var name: String
    package var language: String

    package init(name: String, language: String) {
        self.name = name
        self.language = language
    }

    /// `order_ready/en_US`; names hold no slash.
    package var text: String { "\(name)/\(language)" }

    package init?(text: String) {
        guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else { return nil }
        self.init(name: String(text[..<slash]), language: String(text[text.utf8.index(after: slash)...]))
    }
}

/// A template and what is filled into it.
package struct TemplateMessage: Equatable, Sendable {
    package var template: TemplateName
    /// JSON of the object Meta expects under `template`.
    package var content: [UInt8]

    package init(template: TemplateName, content: [UInt8]) {
        self.template = template
        self.content = content
    }
}

/// Why an attempt, or a message, failed.
package struct Failure: Equatable, Sendable {
    /// Meta's number, or a word of ours such as `EXPIRED`.
    package var code: String
    /// Never holds a number, a body or a token.
    package var message: String
    /// Meta's `error_subcode`, which tells more of templates alone; not stored.
    package var subcode: Int64?

    package init(code: String, message: String, subcode: Int64? = nil) {
        self.code = code
        self.message = message
        self.subcode = subcode
    }
}

/// How one POST to Meta ended.
package enum Outcome: Equatable, Sendable {
    /// `person` is whom Meta knows the recipient as.
    case accepted(wamid: String, person: String? = nil)
    case refused(Failure, Refused)
    case unknown(Failure)
}

/// What a certain "not sent" means for the message.
package enum Refused: Equatable, Sendable {
    /// No further attempt will do better.
    case forGood
    /// Try again.
    case forNow(askedFor: Duration?)
    /// Try again; Meta asked for less, so the try does not count.
    case throttled(askedFor: Duration?)
    /// Nothing of this line gets through at the moment: the try does not count, and the line is held for a while.
    case lineLater(askedFor: Duration?)
}

/// What happened to a message, as its log tells it. The numbers are stored; they never change their meaning.
package enum EventKind: Int64, NamedCase {
    case accepted = 0
    case due = 1
    case claimed = 2
    case sent = 3
    case delivered = 4
    case read = 5
    case failed = 6
    case retrying = 7
    case cancelled = 8
    case outcomeUnknown = 9
    case retryRequested = 10
    /// A fact that came late, twice or out of order and changed nothing; the detail says which.
    case noted = 11
    /// It reached Meta a second time: an answer or a status of another attempt than the one that counts.
    case duplicate = 12
    /// Meta's own time for delivery is over and nothing was heard of it.
    case noReceipt = 13

    // Of no message of ours; the detail is what is shown.

    /// A person wrote to a line.
    case received = 20
    case lineUpdated = 21
    case templateUpdated = 22
    case accountUpdated = 23
    case contactUpdated = 24
    /// An operator changed something.
    case operatorChange = 25
    case campaignStarted = 40
    case campaignPaused = 41
    case campaignResumed = 42
    /// The canary paused it.
    case campaignAborted = 43
    case campaignCompleted = 44
    case campaignCancelled = 45

    /// The name callers know it by; nil for what is only a message's own history.
    package var publicName: String? {
        switch self {
        case .accepted, .due, .claimed, .sent, .delivered, .read, .failed, .retrying, .cancelled, .retryRequested:
            "message.status_updated"
        case .outcomeUnknown: "message.outcome_unknown"
        case .noted: nil
        case .duplicate: "message.duplicate"
        case .noReceipt: "message.no_receipt"
        case .received: "message.received"
        case .lineUpdated: "line.updated"
        case .templateUpdated: "template.updated"
        case .accountUpdated: "account.updated"
        case .contactUpdated: "contact.updated"
        case .operatorChange: "operator.change"
        case .campaignStarted: "campaign.started"
        case .campaignPaused: "campaign.paused"
        case .campaignResumed: "campaign.resumed"
        case .campaignAborted: "campaign.aborted"
        case .campaignCompleted: "campaign.completed"
        case .campaignCancelled: "campaign.cancelled"
        }
    }

    /// All names, in the order of the table in outboxd-api(7).
    package static var publicNames: [String] {
        var names: [String] = []
        for name in allCases.compactMap(\.publicName) where !names.contains(name) { names.append(name) }
        return names
    }
}
