/// A reason why a queued message may not leave now. The numbers are stored; they never change their meaning.
package enum Gate: Int64, NamedCase {
    /// Nothing found yet: it stands in its class's queue.
    case none = 0
    /// A message to the same person, of the same line and class, is on its way or to be tried again.
    case order = 1
    /// 45 messages to the same person were borrowed on.
    case pair = 2
    /// The pool has written to as many people as its tier allows in 24 hours.
    case tier = 3
    /// The template cannot be sent now.
    case template = 4
    /// Somebody paused its template or batch.
    case pause = 5
    /// Meta asked to leave this person alone for a while.
    case person = 6
    /// Meta does not have its file yet.
    case media = 7

    /// Whoever waits there keeps its place in the order: gates that stand before a person, and the wait for a file.
    package var keepsPlace: Bool {
        self == .order || self == .pair || self == .tier || self == .person || self == .media
    }
}

/// What is known about one queued message and its surroundings when it might leave.
package struct GateFacts: Equatable, Sendable {
    package var priority: Priority
    package var isTemplate: Bool
    /// Known to be marketing, or not known and of the class `low`.
    package var isMarketing = false
    /// Of its template or batch, not of the whole line.
    package var isPaused = false
    /// Its template cannot be sent, by what Meta last said.
    package var templateHeld = false
    /// The person's 24 hours; nil: never wrote to us.
    package var windowUntil: Timestamp?
    package var windowSeen: Timestamp?
    /// What the limits' clock says of windows is right only for those heard of since this moment.
    package var sureFrom: Timestamp?
    /// The line leaves it to Meta whether a window is open.
    package var trustsWindow = false
    /// Meta asked to leave the person alone.
    package var quietUntil: Timestamp?
    package var noMarketingUntil: Timestamp?
    /// It is marketing, and the person was sent as much as the cap allows.
    package var cap: MarketingCap?
    package var capUntil: Timestamp?
    /// Nobody is to be written to where the person may be, as its campaign has it.
    package var quietHoursUntil: Timestamp?
    /// Somebody goes first.
    package var isBehind = false
    package var pairFullAt: Timestamp?
    package var countsPairs = true
    /// When the person's place in the tier becomes free; nil: has none.
    package var slotFreeAt: Timestamp?
    /// People the pool may still write to for this class; nil: any number.
    package var room: Int64?
    /// Its file.
    package var media = MediaStanding.ready

    package init(priority: Priority, isTemplate: Bool) {
        self.priority = priority
        self.isTemplate = isTemplate
    }
}

package enum GateDecision: Equatable, Sendable {
    /// It may leave; `takesSlot` when the person has to be counted in the pool.
    case pass(takesSlot: Bool)
    /// It waits there; until a moment, where time alone opens it.
    case wait(Gate, until: Timestamp?)
    /// Free-form, and the person's window is closed: its fallback, or nothing.
    case windowClosed
    /// It will not leave.
    case refused(Failure)
}

extension GateFacts {
    /// A window closes for us this much before Meta closes it: a request under way shall arrive inside.
    package static func windowIsOpen(_ until: Timestamp?, now: Timestamp, deadline: Duration) -> Bool {
        until.map { now + deadline < $0 } ?? false
    }

    /// A window that may be older than it seems lets free-form messages try, but saves no place in the tier.
    package var windowIsSure: Bool {
        guard let sureFrom, let windowSeen else { return true }
        return windowSeen >= sureFrom
    }

    /// The only place that decides whether a message may leave. `now` is the limits' clock.
    package func decide(now: Timestamp, deadline: Duration) -> GateDecision {
        if isPaused { return .wait(.pause, until: nil) }
        if templateHeld { return .wait(.template, until: nil) }
        let isOpen = Self.windowIsOpen(windowUntil, now: now, deadline: deadline)
        if !isTemplate, !isOpen, !trustsWindow { return .windowClosed }
        switch media {
        case .ready: break
        case .uploading: return .wait(.media, until: nil)
        case .refused(let failure): return .refused(failure)
        }
        if let quietUntil, quietUntil > now { return .wait(.person, until: quietUntil) }
        if isMarketing, let noMarketingUntil, noMarketingUntil > now { return .wait(.person, until: noMarketingUntil) }
        if let capUntil, capUntil > now { return .wait(.person, until: capUntil) }
        if let quietHoursUntil, quietHoursUntil > now { return .wait(.person, until: quietHoursUntil) }
        if isBehind { return .wait(.order, until: nil) }
        if countsPairs {
            let next = PairLimit.next(fullAt: pairFullAt, now: now)
            if next > now { return .wait(.pair, until: next) }
        }
        if isOpen && windowIsSure { return .pass(takesSlot: false) }
        // Counted without a limit, too: there may be one tomorrow.
        guard let room else { return .pass(takesSlot: true) }
        if slotFreeAt.map({ $0 > now }) ?? false || room > 0 { return .pass(takesSlot: true) }
        return .wait(.tier, until: nil)
    }
}
