/// Where a message stands. The numbers are stored; they never change their meaning.
package enum MessageState: Int64, NamedCase {
    /// Accepted, its time has not come. Written at submit.
    case scheduled = 0
    /// May leave as soon as every gate lets it. Written at submit, when its time comes, and by an explicit retry.
    case queued = 1
    /// One attempt holds it. Written before the POST; found at start it means the outcome is unknown.
    case processing = 2
    /// The last attempt did not get it out; waits for the next one's time.
    case retrying = 3
    /// Meta accepted it.
    case sent = 4
    case delivered = 5
    case read = 6
    /// It will not leave, or Meta could not deliver it.
    case failed = 7
    case cancelled = 8

    private static let names = allCases.map { String(describing: $0) }
    package var name: String { Self.names[Int(rawValue)] }

    /// Not yet with Meta and not given up.
    package var isWaiting: Bool { self == .scheduled || self == .queued || self == .retrying }
}

/// Who found a message failed: it decides what may still correct that.
package enum FailureOrigin: Int64, Sendable {
    /// outboxd: expired, attempts used up, refused at the POST.
    case ours = 0
    /// A `failed` status webhook.
    case meta = 1
}

/// What Meta's status webhooks say of a message.
package enum Report: Int64, CaseIterable, Sendable {
    case sent, delivered, read, failed

    private static let names = allCases.map { String(describing: $0) }
    package var name: String { Self.names[Int(rawValue)] }
}

/// All that decides what a fact does to a message.
package struct Standing: Equatable, Sendable {
    package var state: MessageState
    /// The last attempt number given out; 0 before the first.
    package var attempt: Int64
    /// The attempts an explicit retry left behind: their `sent` and `failed` no longer speak for the message.
    package var closedAttempt: Int64
    /// `processing`, and the request may have reached Meta while no answer reached us.
    package var outcomeUnknown: Bool
    package var failedBy: FailureOrigin?

    package init(
        state: MessageState, attempt: Int64 = 0, closedAttempt: Int64 = 0, outcomeUnknown: Bool = false,
        failedBy: FailureOrigin? = nil
    ) {
        self.state = state
        self.attempt = attempt
        self.closedAttempt = closedAttempt
        self.outcomeUnknown = outcomeUnknown
        self.failedBy = failedBy
    }
}

/// Something that happened to a message or is asked for it.
package enum Fact: Hashable, Sendable {
    /// Its time has come.
    case due
    /// An attempt of that number is about to leave.
    case claimed(attempt: Int64)
    /// Meta answered the POST with a message id.
    case accepted(attempt: Int64)
    /// The POST certainly did not send it; `final` when no further attempt shall be made.
    case refused(attempt: Int64, final: Bool)
    /// The request may have arrived, no readable answer did.
    case outcomeUnknown(attempt: Int64)
    /// The policy for unknown outcomes decided.
    case settled(resend: Bool)
    /// An operator says what became of an unknown outcome.
    case resolved(Resolution)
    /// A status webhook; the attempt is nil when only Meta's message id named the message.
    case reported(Report, attempt: Int64?)
    case expired
    case cancelRequested
    case retryRequested
}

/// What a fact does.
package enum Decision: Equatable, Sendable {
    case move(MessageState)
    /// The state stays `processing`, its outcome is unknown from now on.
    case becomeUnknown
    /// Written to the log, changes nothing: late, repeated, or overtaken.
    case note
    case refuse(Refusal)
}

package enum Refusal: Equatable, Sendable {
    /// It is with Meta, or may be.
    case tooLate
    /// It ended already.
    case alreadyEnded
    /// Only failed messages are retried.
    case notFailed
    /// Only unknown outcomes are resolved.
    case notUnknown
    /// Nobody gave out this attempt, or the message may not leave now.
    case notClaimable
}

extension Standing {
    /// The only place that decides where a message goes.
    package func decide(_ fact: Fact) -> Decision {
        switch fact {
        case .due:
            return state == .scheduled || state == .retrying ? .move(.queued) : .note
        case .claimed(let number):
            return state == .queued && number == attempt + 1 ? .move(.processing) : .refuse(.notClaimable)
        case .accepted(let number):
            return decideAccepted(number)
        case .refused(let number, let final):
            guard state == .processing, number == attempt else { return late(number) }
            return .move(final ? .failed : .retrying)
        case .outcomeUnknown(let number):
            guard state == .processing, number == attempt, !outcomeUnknown else { return late(number) }
            return .becomeUnknown
        case .settled(let resend):
            guard state == .processing, outcomeUnknown else { return .note }
            return .move(resend ? .retrying : .failed)
        case .resolved(let resolution):
            guard state == .processing, outcomeUnknown else { return .refuse(.notUnknown) }
            return switch resolution {
            case .sent: .move(.sent)
            case .failed: .move(.failed)
            case .resend: .move(.retrying)
            }
        case .reported(let report, let number):
            return decideReported(report, number)
        case .expired:
            return state.isWaiting ? .move(.failed) : .note
        case .cancelRequested:
            if state.isWaiting { return .move(.cancelled) }
            return .refuse(state == .failed || state == .cancelled ? .alreadyEnded : .tooLate)
        case .retryRequested:
            return state == .failed ? .move(.queued) : .refuse(.notFailed)
        }
    }

    /// A fact about an attempt that no longer holds the message; one about an attempt nobody made is refused.
    private func late(_ number: Int64) -> Decision {
        number >= 1 && number <= attempt ? .note : .refuse(.notClaimable)
    }

    private func decideAccepted(_ number: Int64) -> Decision {
        guard number >= 1, number <= attempt else { return .refuse(.notClaimable) }
        switch state {
        case .processing: return number == attempt ? .move(.sent) : .note
        case .queued, .retrying: return number > closedAttempt ? .move(.sent) : .note
        case .failed: return failedBy == .ours && number > closedAttempt ? .move(.sent) : .note
        case .scheduled, .sent, .delivered, .read, .cancelled: return .note
        }
    }

    private func decideReported(_ report: Report, _ number: Int64?) -> Decision {
        let number = number ?? attempt
        guard number >= 1, number <= attempt else { return .refuse(.notClaimable) }
        switch report {
        case .sent:
            let open = number > closedAttempt && (state != .failed || failedBy == .ours)
            return open && state.mayStillBecome(.sent) ? .move(.sent) : .note
        case .delivered, .read:
            let target: MessageState = report == .read ? .read : .delivered
            return state.mayStillBecome(target) ? .move(target) : .note
        case .failed:
            guard number == attempt, number > closedAttempt else { return .note }
            return state == .sent || state == .processing || state == .queued || state == .retrying
                ? .move(.failed) : .note
        }
    }
}

extension MessageState {
    /// Whether a report of `target` still says something new. `failed` yields here; who may correct it is asked before.
    fileprivate func mayStillBecome(_ target: MessageState) -> Bool {
        switch self {
        case .scheduled, .cancelled, .read: false
        case .queued, .processing, .retrying, .failed: true
        case .sent: target != .sent
        case .delivered: target == .read
        }
    }
}
