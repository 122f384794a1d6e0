/// Somebody who is told of events by calls to a web server of theirs.
package struct Subscription: Equatable, Sendable {
    package var id: Int64
    package var account: Int64
    package var settings: SubscriptionSettings
    /// Nil: every line, and what is of no one line.
    package var lineID: Int64?
    /// The name of the secret that signs the calls.
    package var secret: String
    /// Why outboxd made it inactive.
    package var reason: String?
    /// Raised by every change somebody asked for: what was found out about an older one does not count.
    package var revision: Int64
    /// How often events were asked for again.
    package var replays: Int64 = 0
    /// Every event up to here has its delivery, or does not concern it.
    package var cursor: Int64
    package var breaker: CallbackBreaker.State?
    /// Why the last reply it gave as a line's bot was not sent; nil: it was, or there was none.
    package var replyError: String?
    package var lastDeliveredAt: Timestamp?
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package init(
        id: Int64, account: Int64, settings: SubscriptionSettings, lineID: Int64?, secret: String, revision: Int64,
        cursor: Int64, createdAt: Timestamp, updatedAt: Timestamp
    ) {
        self.id = id
        self.account = account
        self.settings = settings
        self.lineID = lineID
        self.secret = secret
        self.revision = revision
        self.cursor = cursor
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// What is asked for.
package struct SubscriptionSettings: Equatable, Sendable {
    package var url: String
    /// Its name; nil: all.
    package var line: String?
    /// Names of events as the format has them; nil: all but what operators do, those of later versions included.
    package var events: [String]?
    package var isActive: Bool
    package var format: CallbackFormat
    /// So many a call tells at most, 1...CallbackQueue.eventsPerCallMax. With more than one its body has a form of its
    /// own, though only one be in it.
    package var eventsPerCall: Int

    package init(
        url: String, line: String? = nil, events: [String]? = nil, isActive: Bool = true,
        format: CallbackFormat = .outboxd, eventsPerCall: Int = 1
    ) {
        self.url = url
        self.line = line
        self.events = events
        self.isActive = isActive
        self.format = format
        self.eventsPerCall = eventsPerCall
    }

    /// The kinds it wants, one bit each.
    package var kindsMask: Int64 {
        EventKind.allCases.reduce(0) { mask, kind in
            // Programs are told of messages; who changed what is for those who name it.
            let names = format.names(of: kind)
            let isWanted = events.map { names.contains(where: $0.contains) } ?? (kind != .operatorChange)
            return names.isEmpty || !isWanted ? mask : mask | 1 << kind.rawValue
        }
    }
}

/// Where an event stands with one subscription. The numbers are stored; they never change their meaning.
package enum DeliveryStatus: Int64, NamedCase {
    /// For its next try, or for an earlier event of its message.
    case waiting = 0
    case delivered = 1
    /// Given up after all its tries.
    case failed = 2
}

/// An event and one subscription: how telling it went.
package struct Delivery: Equatable, Sendable {
    package var event: Int64
    package var message: MessageID?
    package var status: DeliveryStatus
    /// Tries of its schedule.
    package var attempts: Int64
    /// Waiting: not before; nil: as soon as it may.
    package var nextAt: Timestamp?
    /// Of the last answer.
    package var httpStatus: Int64?
    package var error: String?
    package var firstAt: Timestamp?
    package var endedAt: Timestamp?

    package init(
        event: Int64, message: MessageID?, status: DeliveryStatus = .waiting, attempts: Int64 = 0,
        nextAt: Timestamp? = nil, firstAt: Timestamp? = nil
    ) {
        self.event = event
        self.message = message
        self.status = status
        self.attempts = attempts
        self.nextAt = nextAt
        self.firstAt = firstAt
    }
}

/// What became of some calls of one subscription, to be stored.
package struct CallbackReport: Equatable, Sendable {
    package var subscription: Int64
    package var revision: Int64
    /// Replays that were known when the calls began: of what was asked for since they say nothing.
    package var replays: Int64
    package var cursor: Int64
    package var breaker: CallbackBreaker.State?
    package var deliveries: [Delivery]
    /// Answers to some of the calls that were taken: stored and sent in one transaction with their deliveries.
    package var replies: [BotReply] = []
    /// Why it is to be inactive from now on.
    package var disable: String?

    package init(
        subscription: Int64, revision: Int64, replays: Int64, cursor: Int64, breaker: CallbackBreaker.State?,
        deliveries: [Delivery], disable: String? = nil
    ) {
        self.subscription = subscription
        self.revision = revision
        self.replays = replays
        self.cursor = cursor
        self.breaker = breaker
        self.deliveries = deliveries
        self.disable = disable
    }
}
