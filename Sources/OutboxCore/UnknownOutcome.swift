/// What becomes of a message whose outcome stays unknown. The numbers are stored.
package enum UnknownPolicy: Int64, NamedCase {
    /// Wait for Meta's status or an operator, as long as it takes.
    case hold = 0
    /// After the grace time send it again: it may arrive twice.
    case resend = 1
    /// After the grace time call it failed: it may have arrived.
    case fail = 2
    /// Send it again once Meta's own webhooks show that it did not arrive (`Evidence`); hold it until then.
    case evidence = 3
    /// As suits the message: one-time codes are sent again, marketing is held, the rest waits for evidence.
    case byKind = 4

    /// What `byKind` comes to.
    package func settled(for kind: MessageKind) -> UnknownPolicy {
        guard self == .byKind else { return self }
        return switch kind {
        case .authentication: .resend
        case .marketing: .hold
        case .other: .evidence
        }
    }
}

/// What a message is for, as far as that decides what becomes of it.
package enum MessageKind: Equatable, Sendable {
    /// A template of Meta's category AUTHENTICATION.
    case authentication
    /// A template of the category MARKETING, or one of the class `low` whose category is not known.
    case marketing
    case other

    /// `standing` is nil when the template is not known, `template` when it is free-form.
    package init(template: TemplateName?, _ standing: TemplateStanding?, _ priority: Priority) {
        if template == nil {
            self = .other
        } else if standing?.category == .authentication {
            self = .authentication
        } else {
            self = TemplateStanding.isMarketing(standing, priority) ? .marketing : .other
        }
    }
}

/// What an operator knows of a message whose outcome is unknown.
package enum Resolution: Int64, NamedCase {
    /// It got there.
    case sent = 0
    /// It did not, and shall not.
    case failed = 1
    /// It did not: once more.
    case resend = 2
}

/// What speaks for it that an attempt nobody answered never reached Meta: webhooks came for many attempts of the same
/// line that left after it, and none for it.
///
/// Moments are of the wall clock.
package struct Evidence: Equatable, Sendable {
    /// Later attempts that Meta's webhooks have spoken of.
    package static let enough = 20

    package let claimedAt: Timestamp
    private var later: [MessageID: Timestamp] = [:]

    package init(claimedAt: Timestamp) { self.claimedAt = claimedAt }

    package var isGathering: Bool { later.count < Self.enough }

    /// A webhook spoke of an attempt that was claimed at that moment.
    package mutating func heard(of message: MessageID, claimedAt moment: Timestamp) {
        guard isGathering, moment > claimedAt else { return }
        later[message] = moment
    }

    /// Since when all of them are older than the grace time; nil while there are too few.
    package func isCompleteSince(grace: Duration) -> Timestamp? {
        guard !isGathering, let last = later.values.max() else { return nil }
        return last + grace
    }

    package var count: Int { later.count }
}

/// The evidence for one line's attempts that wait for it.
package struct EvidenceBook: Equatable, Sendable {
    /// Looked at with every webhook: it holds no more than it must.
    private var gathering: [MessageID: Evidence] = [:]
    private var complete: [MessageID: Evidence] = [:]

    package init() {}

    package subscript(message: MessageID) -> Evidence? { gathering[message] ?? complete[message] }

    package mutating func watch(_ message: MessageID, claimedAt: Timestamp) {
        guard self[message] == nil else { return }
        gathering[message] = Evidence(claimedAt: claimedAt)
    }

    package mutating func forget(_ message: MessageID) {
        gathering[message] = nil
        complete[message] = nil
    }

    /// A webhook spoke of a message's last attempt, claimed at that moment.
    package mutating func heard(of message: MessageID, claimedAt moment: Timestamp) {
        for id in gathering.keys where id != message {
            gathering[id]?.heard(of: message, claimedAt: moment)
            if let evidence = gathering[id], !evidence.isGathering {
                complete[id] = evidence
                gathering[id] = nil
            }
        }
    }

    package var isGathering: Bool { !gathering.isEmpty }
}

/// Which attempt a `failed` status speaks of that carries neither our opaque id nor a known message id.
package struct OpenAttempt: Equatable, Sendable {
    package var message: MessageID
    package var isUnknown: Bool
    package var claimedAt: Timestamp

    package init(message: MessageID, isUnknown: Bool, claimedAt: Timestamp) {
        self.message = message
        self.isUnknown = isUnknown
        self.claimedAt = claimedAt
    }

    /// Meta's times are whole seconds, and its clock need not be ours.
    private static let clocksApart = Duration.seconds(2)
    /// Meta fails what it fails for good within minutes; a later one belongs to something else.
    private static let latest = Duration.seconds(3600)

    /// The only one of a line's and person's open attempts that fits in time; nil when several do, or one whose own
    /// answer may still come.
    package static func failed(at moment: Timestamp, among open: [OpenAttempt]) -> MessageID? {
        let fitting = open.filter { $0.claimedAt <= moment + clocksApart && moment <= $0.claimedAt + latest }
        guard fitting.count == 1, fitting[0].isUnknown else { return nil }
        return fitting[0].message
    }
}
