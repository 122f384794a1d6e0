/// One gate before a message, open or not.
package struct GateReport: Equatable, Sendable {
    package var name: String
    package var passes: Bool
    package var reason: String
    package var since: Timestamp?
    /// When time alone opens it; wall clock.
    package var until: Timestamp?
    /// What opens it, and the command for that.
    package var remedy: String?
    package var command: String?

    package init(
        _ name: String, passes: Bool, _ reason: String, since: Timestamp? = nil, until: Timestamp? = nil,
        remedy: String? = nil, command: String? = nil
    ) {
        self.name = name
        self.passes = passes
        self.reason = reason
        self.since = since
        self.until = until
        self.remedy = remedy
        self.command = command
    }
}

/// Everything that is known about why one message has not left. Moments are of the wall clock, but for `gates` and
/// `limitsNow`, which are of the limits' clock.
package struct WhyFacts: Sendable {
    package var message: StoredMessage
    /// Its id as callers know it.
    package var shownID = ""
    package var now: Timestamp
    package var limitsNow: Timestamp
    package var gates: GateFacts
    /// How early a window closes for us.
    package var deadline: Duration
    package var perSecond: Int64
    package var unknownPolicy: UnknownPolicy = .hold
    package var pauses: [Pause] = []
    package var lineHold: LineHold.State?
    package var metaHold: LineHold.State?
    /// What Meta says of the line that keeps it from sending.
    package var lineStop: String?
    package var templateStop: TemplateStop?
    /// The upload of its file; nil: it names none.
    package var media: MediaWait?
    /// Until when nothing to the person is charged, for it came by an ad and was answered; limits' clock. By Meta's
    /// pages that opens no window: free-form needs one of its own.
    package var freeEntryUntil: Timestamp?
    package var pool = ""
    package var tier = Tier.unlimited
    package var poolUsed: Int64 = 0
    /// When a place in the pool becomes free for it, should each one before it take one.
    package var placeFreeAt: Timestamp?
    /// Messages to the same person that wait for the same, and longer.
    package var pairAhead: Int64 = 0
    /// Percent of the tier kept for the class `high`.
    package var keptForHigh: Int64 = 0
    /// Messages of the line that leave before it.
    package var ahead: Int64 = 0
    /// It is marketing, and the person wants none.
    package var isOptedOut = false
    package var campaign: CampaignHold?
    /// Of its campaign, and whose clock counts.
    package var quietHours: QuietHours?
    package var quietZone: RecipientZone?

    /// The campaign a message is of.
    package struct CampaignHold: Equatable, Sendable {
        package var name: String
        package var id: String
        package var state: CampaignState
        package var reason: String?
        package var since: Timestamp?

        package init(name: String, id: String, state: CampaignState, reason: String?, since: Timestamp?) {
            self.name = name
            self.id = id
            self.state = state
            self.reason = reason
            self.since = since
        }
    }

    package struct TemplateStop: Equatable, Sendable {
        package var reason: String
        package var until: Timestamp?

        package init(reason: String, until: Timestamp?) {
            self.reason = reason
            self.until = until
        }
    }

    package struct MediaWait: Equatable, Sendable {
        package var id: String
        /// Nil: not asked for yet.
        package var upload: MediaUpload?

        package init(id: String, upload: MediaUpload?) {
            self.id = id
            self.upload = upload
        }
    }

    package init(
        message: StoredMessage, now: Timestamp, limitsNow: Timestamp, gates: GateFacts, deadline: Duration,
        perSecond: Int64
    ) {
        self.message = message
        self.now = now
        self.limitsNow = limitsNow
        self.gates = gates
        self.deadline = deadline
        self.perSecond = perSecond
    }

    private func wall(_ moment: Timestamp) -> Timestamp {
        moment.onClock(showing: now, insteadOf: limitsNow)
    }
}

/// The answer to "why does it wait?"
package struct Why: Equatable, Sendable {
    package var gates: [GateReport]
    package var ahead: Int64?
    /// When it leaves, as far as can be told; nil when a person or Meta has to act first.
    package var leavesAt: Timestamp?
    /// What the estimate rests on, or why there is none.
    package var estimate: String

    package var binding: GateReport? { gates.first { !$0.passes } }
}

extension WhyFacts {
    package func explain() -> Why {
        switch message.state {
        case .processing: return onItsWay()
        case .sent, .delivered, .read: return Why(gates: [], estimate: "it left; Meta has it: \(message.state.name)")
        case .cancelled: return Why(gates: [], estimate: "it was cancelled and will not leave")
        case .failed:
            let reason = message.failure.map { "\($0.code): \($0.message)" } ?? "no reason is known"
            return Why(gates: [], estimate: "it failed and will not leave by itself: \(reason)")
        case .scheduled, .queued, .retrying: break
        }
        let gates =
            [due, pause] + [campaignGate].compactMap { $0 } + [line, meta, template, window, mediaGate, person]
            + [optOut, capGate, quietGate].compactMap { $0 } + [order, pair, tierGate, throughput]
        let closed = gates.filter { !$0.passes && $0.name != "throughput" }
        let seconds = Double(ahead) / Double(max(perSecond, 1))
        guard closed.allSatisfy({ $0.until != nil }) else {
            let names = closed.filter { $0.until == nil }.map(\.name).joined(separator: ", ")
            return Why(gates: gates, ahead: ahead, estimate: "no time can be told: \(names) has to open first")
        }
        let opens = closed.compactMap(\.until).max() ?? now
        let leaves = max(opens, now + .milliseconds(Int64(seconds * 1000)))
        return Why(
            gates: gates, ahead: ahead, leavesAt: leaves,
            estimate: "about then, if nothing else is submitted before it and Meta takes what is sent")
    }

    private func onItsWay() -> Why {
        guard message.outcomeUnknown else { return Why(gates: [], estimate: "it is on its way to Meta right now") }
        let until = message.waits.graceUntil
        let next =
            switch unknownPolicy {
            case .hold, .byKind: "it stays so until Meta tells, or somebody who knows"
            case .resend: "then it is sent again"
            case .fail: "then it is called failed"
            case .evidence:
                until == nil
                    ? "nothing was heard of it for a week: it stays so until somebody says what became of it"
                    : "it is sent again when Meta has told of \(Evidence.enough) later messages of the line and not of it"
            }
        return Why(
            gates: [
                GateReport(
                    "outcome_unknown", passes: false,
                    "attempt \(message.attempts) may have arrived: \(message.failure?.message ?? "no answer came")",
                    since: message.dueAt, until: until,
                    remedy: "a status of Meta's settles it; \(next); who knows better may say so",
                    command: "outboxctl unknown resolve \(shownID) --as sent|failed|resend")
            ],
            leavesAt: unknownPolicy == .resend ? until : nil,
            estimate: "nobody knows whether it left; \(next)")
    }

    private var due: GateReport {
        switch message.state {
        case .scheduled:
            GateReport(
                "due_time", passes: false, "it is scheduled", since: message.createdAt, until: message.dueAt)
        case .retrying:
            GateReport(
                "due_time", passes: false,
                "the last attempt did not get it out: \(message.failure.map { "\($0.code) \($0.message)" } ?? "")",
                until: message.dueAt)
        default: GateReport("due_time", passes: true, "its time has come", since: message.dueAt)
        }
    }

    private var pause: GateReport {
        guard let first = pauses.first else { return GateReport("pause", passes: true, "nothing pauses it") }
        let words = pauses.map { pause in
            let target = pause.scope == .batch ? "" : pause.target.map { " \($0)" } ?? ""
            return "\(pause.who) paused \(pause.scope.name)\(target)" + (pause.reason.map { ": \($0)" } ?? "")
        }
        return GateReport(
            "pause", passes: false, words.joined(separator: "; "), since: first.createdAt,
            until: Forecast.after(pauses)?.leavesBy, remedy: pauses.count == 1 ? "resume it" : "resume all of them",
            command: pauses.map { "outboxctl resume \($0.id)" }.joined(separator: "; "))
    }

    private var campaignGate: GateReport? {
        guard let campaign else { return nil }
        guard campaign.state == .paused || campaign.state == .cancelled else {
            return GateReport("campaign", passes: true, "its campaign \(campaign.name) is \(campaign.state.name)")
        }
        let reason = campaign.reason.map { ": \($0)" } ?? ""
        return GateReport(
            "campaign", passes: false, "its campaign \(campaign.name) is \(campaign.state.name)\(reason)",
            since: campaign.since,
            remedy: campaign.state == .paused ? "resume the campaign" : "it is about to be cancelled, too",
            command: campaign.state == .paused ? "outboxctl campaign resume \(campaign.id)" : nil)
    }

    private var optOut: GateReport? {
        guard isOptedOut else { return nil }
        return GateReport(
            "opt_out", passes: false, "the person wants no marketing: it fails when its turn comes",
            remedy: "if the person wants it again", command: "outboxctl opt-out rm \(message.to)")
    }

    private var capGate: GateReport? {
        guard gates.isMarketing, let cap = gates.cap, let until = gates.capUntil, until > limitsNow else { return nil }
        let words = "the person was sent \(cap.messages) marketing messages in \(cap.days) days: that is the cap"
        return GateReport(
            "frequency_cap", passes: false, cap.whenReached == .fail ? "\(words); it fails when its turn comes" : words,
            until: wall(until), command: "outboxctl cap ls")
    }

    private var quietGate: GateReport? {
        guard let hours = quietHours, let zone = quietZone else { return nil }
        let span = "\(QuietHours.text(hours.from)) to \(QuietHours.text(hours.to))"
        let places = zone.names.isEmpty ? "UTC" : zone.names.joined(separator: ", ")
        guard let until = gates.quietHoursUntil, until > limitsNow else {
            return GateReport("quiet_hours", passes: true, "its campaign is quiet from \(span); it is not (\(places))")
        }
        return GateReport(
            "quiet_hours", passes: false, "its campaign is quiet from \(span), by the clocks of \(places)",
            until: wall(until))
    }

    private var line: GateReport {
        if let lineStop {
            return GateReport(
                "line", passes: false, lineStop, remedy: "see WhatsApp Manager; outboxd asks Meta again by itself",
                command: "outboxctl line health \(message.line)")
        }
        return breaker("line", lineHold, "nothing of this line gets through", "the line gets messages through")
    }

    private var meta: GateReport { breaker("meta", metaHold, "nothing gets through to Meta", "Meta answers") }

    private func breaker(_ name: String, _ state: LineHold.State?, _ held: String, _ open: String) -> GateReport {
        guard let state else { return GateReport(name, passes: true, open) }
        return GateReport(
            name, passes: false, "\(held): \(state.failure.code) \(state.failure.message)", since: state.since,
            until: max(state.until, now),
            remedy: "one message tries then; mend the cause and try at once", command: "outboxctl reload")
    }

    private var template: GateReport {
        guard gates.isTemplate else { return GateReport("template", passes: true, "it is no template") }
        guard let templateStop else { return GateReport("template", passes: true, "nothing holds its template") }
        return GateReport(
            "template", passes: false, templateStop.reason, since: message.waits.since, until: templateStop.until,
            remedy: "Meta releases it; see its quality in WhatsApp Manager")
    }

    private var isOpen: Bool {
        GateFacts.windowIsOpen(gates.windowUntil, now: limitsNow, deadline: deadline)
    }

    private var window: GateReport {
        let until = gates.windowUntil.map(wall)
        if gates.isTemplate {
            let free = freeEntryUntil.flatMap { $0 > limitsNow ? wall($0) : nil }
            return GateReport(
                "window", passes: true,
                free == nil
                    ? "a template needs none" : "a template needs none; the person came by an ad: free of charge",
                until: free)
        }
        if isOpen { return GateReport("window", passes: true, "the person wrote within 24 hours; open", until: until) }
        if gates.trustsWindow { return GateReport("window", passes: true, "the line leaves it to Meta") }
        let since = until.flatMap { $0 <= now ? $0 : nil }
        if message.waits.hasFallback {
            return GateReport("window", passes: true, "closed: its fallback goes instead", since: since)
        }
        return GateReport(
            "window", passes: false, "closed: unless the person writes, it fails when its turn comes", since: since,
            remedy: "send a template, or give one as fallback")
    }

    private var mediaGate: GateReport {
        guard let media else { return GateReport("media", passes: true, "it names no file of outboxd's") }
        guard let upload = media.upload else {
            return GateReport(
                "media", passes: true, "its file \(media.id) is uploaded to Meta when its turn comes")
        }
        if upload.usable(now) != nil {
            return GateReport("media", passes: true, "Meta has its file \(media.id)", until: upload.expiresAt)
        }
        let failure = upload.failure.map { ": \($0.code) \($0.message)" } ?? ""
        if upload.state == .refused {
            return GateReport(
                "media", passes: false, "Meta did not take its file \(media.id)\(failure)",
                remedy: "it fails when its turn comes; hand in a file Meta takes",
                command: "outboxctl media upload FILE --line \(message.line)")
        }
        let tries = upload.attempts == 0 ? "" : ", after \(upload.attempts) tries that did not get through\(failure)"
        return GateReport(
            "media", passes: false, "its file \(media.id) is being uploaded to Meta\(tries)",
            since: message.waits.since, until: upload.attempts == 0 ? nil : upload.nextAt.map { max($0, now) },
            remedy: "it goes when Meta has the file; outboxd tries by itself", command: "outboxctl media ls")
    }

    private var person: GateReport {
        let quiet = gates.quietUntil.flatMap { $0 > limitsNow ? $0 : nil }
        let marketing = gates.isMarketing ? gates.noMarketingUntil.flatMap { $0 > limitsNow ? $0 : nil } : nil
        guard let until = [quiet, marketing].compactMap({ $0 }).max() else {
            return GateReport("person", passes: true, "Meta lets us write to this person")
        }
        return GateReport(
            "person", passes: false,
            marketing == nil
                ? "Meta asked to leave this person alone for a while (131056)"
                : "Meta did not deliver marketing to this person (131049); to try within 24 hours makes it worse",
            until: wall(until))
    }

    private var order: GateReport {
        gates.isBehind
            ? GateReport(
                "order", passes: false, "a message to the same person, of the same class, goes first",
                since: message.waits.since, remedy: "it goes when that one is answered, or submit with order any")
            : GateReport("order", passes: true, "nobody to the same person goes first")
    }

    private var pair: GateReport {
        let next = gates.countsPairs ? PairLimit.next(fullAt: gates.pairFullAt, now: limitsNow) : limitsNow
        let turn = next + .milliseconds(PairLimit.interval.wholeMilliseconds * pairAhead)
        return next > limitsNow
            ? GateReport(
                "pair", passes: false,
                "45 messages to this person in a burst are used up; one every 6 seconds goes"
                    + (pairAhead > 0 ? ", \(pairAhead) before it" : ""), until: wall(turn))
            : GateReport("pair", passes: true, "the limit for one person leaves room")
    }

    private var tierGate: GateReport {
        guard let room = gates.room else { return GateReport("tier", passes: true, "the pool \(pool) has no limit") }
        if isOpen, gates.windowIsSure {
            return GateReport("tier", passes: true, "the person's window is open: it does not count")
        }
        if gates.slotFreeAt.map({ $0 > limitsNow }) ?? false {
            return GateReport("tier", passes: true, "the person is counted already")
        }
        if room > 0 { return GateReport("tier", passes: true, "the pool \(pool) has room for \(room) more people") }
        let kept =
            message.priority == .high || keptForHigh == 0 ? "" : ", \(keptForHigh) % of it kept for the class high"
        return GateReport(
            "tier", passes: false,
            "the pool \(pool) has written to \(poolUsed) people in 24 hours; \(tier.name) allows no more\(kept)",
            since: message.waits.since, until: placeFreeAt,
            remedy: kept.isEmpty
                ? "a place becomes free; or Meta raises the tier"
                : "a place becomes free; or keep less for high, or submit it as high",
            command: kept.isEmpty
                ? "outboxctl pool show \(pool)" : "outboxctl pool set \(pool) --keep-for-high PERCENT")
    }

    private var throughput: GateReport {
        GateReport(
            "throughput", passes: ahead == 0, "\(ahead) messages of the line go before it, at \(perSecond) a second",
            until: ahead == 0 ? nil : now + .milliseconds(ahead * 1000 / max(perSecond, 1)))
    }
}
