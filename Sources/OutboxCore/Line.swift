/// A WhatsApp business phone number messages are sent from.
package struct Line: Equatable, Sendable {
    package let id: Int64
    package let account: Int64
    package var settings: LineSettings
    /// The pool it is counted in.
    package var pool: Int64
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package var name: String { settings.name }

    package init(
        id: Int64, account: Int64, settings: LineSettings, pool: Int64, createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.pool = pool
        self.id = id
        self.account = account
        self.settings = settings
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

extension Line {
    /// Messages of any direction in a second: as set, else as Meta says of the number, else what it gives every one.
    package func perSecond(_ health: LineHealth?) -> Int64 {
        settings.messagesPerSecond ?? health?.messagesPerSecond ?? LineSettings.messagesPerSecondDefault
    }
}

/// What becomes of a message when its pool has no room for one more person. The numbers are stored.
package enum WhenFull: Int64, NamedCase {
    /// It waits; it leaves when a place becomes free.
    case wait = 0
    /// Its submission is refused.
    case refuse = 1
}

/// What becomes of a free-form message to somebody whose window is closed, as far as we know. The numbers are stored.
package enum ClosedWindow: Int64, NamedCase {
    case refuse = 0
    /// Meta decides: for lines whose webhooks do not come here.
    case leave = 1
}

/// What becomes of new messages while nothing gets through. The numbers are stored.
package enum WhenDown: Int64, NamedCase {
    case accept = 0
    case refuse = 1
}

/// What becomes of new messages while Meta says that a line cannot send. The numbers are stored.
package enum WhenStopped: Int64, NamedCase {
    /// They wait until it can.
    case hold = 0
    case refuse = 1
}

/// What a line answers by itself to whoever writes to it.
package struct AutoReply: Equatable, Sendable {
    /// Unless it is, a bot's replies are not sent either.
    package var isEnabled = true
    /// Sent where the line has no bot; nil: nothing.
    package var text: String?
    /// The text goes to a person once in this time.
    package var interval = Self.intervalDefault

    package static let intervalDefault = Duration.seconds(24 * 3600)

    package init() {}
}

/// What an operator says of a line.
package struct LineSettings: Equatable, Sendable {
    package var name: String
    /// Meta's id of the number, digits today, an opaque word by contract.
    package var phoneNumberID: String
    /// Meta's id of the WhatsApp business account.
    package var wabaID: String?
    /// The name of the secret that holds the access token.
    package var credential: String
    package var unknownPolicy: UnknownPolicy
    package var unknownGrace: Duration

    /// Messages of any direction in a second; nil: as Meta says. Meta: 80 unless the number was upgraded to 1,000, 20
    /// for numbers that also live in the WhatsApp Business app.
    package var messagesPerSecond: Int64?

    /// Messages that may leave at once after a pause; more than 1 may bring a second over the rate by as many.
    package var burst: Int64 = 1
    /// The pool its people are counted in; nil: one of the line's own name.
    package var pool: String?
    /// Whether Meta's limit for one recipient is kept; test numbers may do without.
    package var pairLimit = true
    package var whenFull = WhenFull.wait
    package var closedWindow = ClosedWindow.refuse
    package var whenStopped = WhenStopped.hold
    package var whenDown = WhenDown.accept
    package var retry = RetrySchedule()
    /// A message that does not say when it expires does so this long after it could first leave; nil: never.
    package var ageMax: Duration?
    /// What people write to it who want no marketing, or want it again; none unless an operator says so.
    package var optOutKeywords = OptOutKeywords()
    /// The subscription whose answers to messages received are sent as replies; nil: none.
    package var bot: Int64?
    package var autoReply = AutoReply()

    package static let messagesPerSecondDefault: Int64 = 80
    package static let unknownGraceDefault = Duration.seconds(300)

    package init(
        name: String, phoneNumberID: String, wabaID: String?, credential: String,
        unknownPolicy: UnknownPolicy = .byKind, unknownGrace: Duration = Self.unknownGraceDefault,
        messagesPerSecond: Int64? = nil
    ) {
        self.name = name
        self.phoneNumberID = phoneNumberID
        self.wabaID = wabaID
        self.credential = credential
        self.unknownPolicy = unknownPolicy
        self.unknownGrace = unknownGrace
        self.messagesPerSecond = messagesPerSecond
    }
}
