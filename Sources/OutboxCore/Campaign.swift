/// Where a campaign stands. The numbers are stored; they never change their meaning.
package enum CampaignState: Int64, NamedCase {
    /// Recipients are being added.
    case draft = 0
    /// Launched, for a moment to come.
    case scheduled = 1
    case running = 2
    case paused = 3
    /// Every recipient was skipped, or its message has left, failed or was cancelled.
    case completed = 4
    /// What had left goes on; nothing else leaves.
    case cancelled = 5

    package var isOver: Bool { self == .completed || self == .cancelled }
}

/// Why a recipient of a campaign gets no message. The numbers are stored; they never change their meaning.
package enum SkipReason: Int64, NamedCase {
    /// The person wants no marketing.
    case optedOut = 0
    /// The person was sent as much marketing as the cap allows.
    case frequencyCap = 1
    /// The template is another one by now, or what is filled into it no longer fits.
    case invalid = 2
    /// The campaign's time was over before it was this one's turn.
    case expired = 3
    /// It is always quiet where the person may be.
    case alwaysQuiet = 4
    /// The person's data was erased.
    case erased = 5
    /// Another of the campaign's recipients is an address of the same person.
    case samePerson = 6

    package var name: String {
        switch self {
        case .optedOut: "opted_out"
        case .frequencyCap: "frequency_cap"
        case .invalid: "invalid"
        case .expired: "expired"
        case .alwaysQuiet: "always_quiet"
        case .erased: "erased"
        case .samePerson: "same_person"
        }
    }
}

/// What somebody wants of a campaign.
package struct CampaignSettings: Equatable, Sendable {
    package var name: String
    package var template: TemplateName
    /// JSON: an array of components, in whose strings `{{name}}` stands for a variable of the recipient's.
    package var components: [UInt8]?
    package var canary: Canary?
    package var quietHours: QuietHours?
    /// What has not left by then does not.
    package var expiresAt: Timestamp?

    package init(
        name: String, template: TemplateName, components: [UInt8]? = nil, canary: Canary? = nil,
        quietHours: QuietHours? = nil, expiresAt: Timestamp? = nil
    ) {
        self.name = name
        self.template = template
        self.components = components
        self.canary = canary
        self.quietHours = quietHours
        self.expiresAt = expiresAt
    }
}

/// A broadcast of a template to many.
package struct Campaign: Equatable, Sendable {
    /// Its batch's, too.
    package let id: MessageID
    package let account: Int64
    package let line: Int64
    package var settings: CampaignSettings
    package var state: CampaignState
    /// Why it is paused or was cancelled.
    package var reason: String?
    /// The canary paused it.
    package var isAborted = false
    /// When it is to begin; nil until it is launched.
    package var startAt: Timestamp?
    package var createdAt: Timestamp
    package var createdBy: String
    package var startedAt: Timestamp?
    package var pausedAt: Timestamp?
    package var endedAt: Timestamp?
    /// Until then the canary's outcome is waited for; nil: it has not all left yet.
    package var canaryUntil: Timestamp?
    /// Nothing holds back the rest any more.
    package var canaryIsOver = false

    package init(
        id: MessageID, account: Int64, line: Int64, settings: CampaignSettings, state: CampaignState = .draft,
        createdAt: Timestamp, createdBy: String
    ) {
        self.id = id
        self.account = account
        self.line = line
        self.settings = settings
        self.state = state
        self.createdAt = createdAt
        self.createdBy = createdBy
    }
}

/// How many recipients of a campaign stand where; each is counted once.
package struct CampaignCounts: Equatable, Sendable {
    /// Not yet in the queue.
    package var pending: Int64 = 0
    /// Of those with a message, by where that stands.
    package var states: [MessageState: Int64] = [:]
    package var skipped: [SkipReason: Int64] = [:]
    /// Of the failed ones, by code.
    package var failures: [String: Int64] = [:]
    /// Delivered or read, by country: two letters, or a question mark.
    package var delivered: [String: Int64] = [:]
    /// Handed in again after they were in it, and left out; no recipients.
    package var duplicates: Int64 = 0

    package init() {}

    package var recipients: Int64 { pending + messages + skipped.values.reduce(0, +) }
    package var messages: Int64 { states.values.reduce(0, +) }

    package func count(_ states: MessageState...) -> Int64 { states.reduce(0) { $0 + (self.states[$1] ?? 0) } }

    /// In the queue or on their way.
    package var underWay: Int64 { count(.scheduled, .queued, .processing, .retrying) }

    /// Nothing is left to leave.
    package var isSettled: Bool { pending == 0 && underWay == 0 }
}

/// The first of a campaign are sent alone, to see what becomes of them.
package struct Canary: Equatable, Sendable {
    package var first: Int64
    /// After the last of them entered the queue, at most.
    package var wait: Duration
    /// A greater share of failed ones ends it.
    package var abortAboveFailureShare: Double

    package init(first: Int64, wait: Duration, abortAboveFailureShare: Double) {
        self.first = first
        self.wait = wait
        self.abortAboveFailureShare = abortAboveFailureShare
    }

    package enum Verdict: Equatable, Sendable {
        /// So many more may go to the queue.
        case feed(Int64)
        /// All of them are there.
        case wait
        case goOn
        case abort(String)
    }

    /// `isOver`: the time to wait has passed.
    package func verdict(_ counts: CampaignCounts, isOver: Bool) -> Verdict {
        let failed = counts.count(.failed)
        let sent = min(first, counts.messages + counts.pending)
        // More than these cannot become few again by what is still to come.
        if sent > 0, Double(failed) > abortAboveFailureShare * Double(sent) {
            let percent = Int((Double(failed) * 100 / Double(sent)).rounded())
            let limit = Double(Int(abortAboveFailureShare * 10_000)) / 100
            return .abort("\(failed) of the first \(sent) failed: \(percent) %, more than \(limit) %")
        }
        if counts.messages < first, counts.pending > 0 { return .feed(first - counts.messages) }
        let ended = counts.count(.delivered, .read, .failed, .cancelled)
        return isOver || ended == counts.messages ? .goOn : .wait
    }
}

/// Why somebody gets no marketing. The numbers are stored; they never change their meaning.
package enum OptOutSource: Int64, NamedCase {
    /// Somebody said so by the socket.
    case caller = 0
    /// Meta told that the person stopped it in WhatsApp (`user_preferences`).
    case preference = 1
    /// Meta refused a message with a code that says so.
    case code = 2
    /// The person wrote one of the line's words for it.
    case keyword = 3
}

/// Meta's code for somebody who stopped a business's marketing.
package let optedOutCode = "131050"

/// What people write who want no marketing any more, or want it again.
package struct OptOutKeywords: Equatable, Sendable {
    package var stop: [String]
    package var start: [String]

    package static let countMax = 20
    package static let lengthMax = 40

    package init(stop: [String] = [], start: [String] = []) {
        self.stop = stop
        self.start = start
    }

    package var isEmpty: Bool { stop.isEmpty && start.isEmpty }

    /// True: no more; false: again; nil: neither. The whole text must be one of the words, whatever its case and the
    /// marks around it.
    package func wish(in text: String) -> Bool? {
        guard !isEmpty, text.utf8.count <= 200 else { return nil }
        let word = Self.plain(text)
        guard !word.isEmpty else { return nil }
        if stop.contains(where: { Self.plain($0) == word }) { return true }
        return start.contains { Self.plain($0) == word } ? false : nil
    }

    package static func plain(_ text: String) -> String {
        let words = text.lowercased().split { !($0.isLetter || $0.isNumber) }
        return words.joined(separator: " ")
    }
}

/// At most so many marketing messages to one person within so many days. The numbers are kept as exactly as a tier.
package struct MarketingCap: Equatable, Sendable {
    package enum WhenReached: Int64, NamedCase {
        case wait = 0
        case fail = 1
    }

    /// Nil: all lines of the account together.
    package var line: Int64?
    package var messages: Int64
    package var days: Int64
    package var whenReached: WhenReached

    package init(line: Int64?, messages: Int64, days: Int64, whenReached: WhenReached) {
        self.line = line
        self.messages = messages
        self.days = days
        self.whenReached = whenReached
    }

    package var span: Duration { .seconds(days * 86_400) }
    package static let messagesMax: Int64 = 100
    package static let daysMax: Int64 = 366
}
