package import OutboxCore

/// A message that is in the queue now.
package struct Submitted: Equatable, Sendable {
    package var id: MessageID
    package var state: MessageState
    package var sendAt: Timestamp?
}

/// Why a draft that was right in itself cannot be queued.
package enum SubmitRefusal: Equatable, Sendable {
    case noSuchLine(String)
    /// The account has no line yet.
    case noLines
    /// The account has several lines and the draft names none.
    case lineNotNamed
    /// Meta says that the line cannot send, and waiting is not wanted.
    case lineStopped(String, String)
    /// Nothing of the line gets through, and waiting is not wanted; the next try is then.
    case lineDown(String, until: Timestamp)
    /// What is wrong with its template, field by field.
    case template([TemplateProblem])
    /// What is wrong with the message it answers or reacts to.
    case mention(TemplateProblem)
    /// What is wrong with the file it names.
    case media(TemplateProblem)
    /// Free-form, the person's window is closed, and there is no fallback; the field that holds the content.
    case windowClosed(String)
    /// The pool has no room, and waiting is not wanted; it may have at that moment, by the wall clock.
    case poolFull(String, Tier, until: Timestamp?)
    /// The caller's idempotency key stands for something else since then.
    case keyUsed(since: Timestamp)
    /// An item of a stream that came to its end: it was refused then.
    case refusedBefore(Timestamp)
    /// It is marketing, and the person wants none.
    case optedOut
    /// It is marketing, and the person was sent as much as the cap allows until that moment of the wall clock.
    case capReached(MarketingCap, until: Timestamp)
}

package struct TemplateProblem: Equatable, Sendable {
    package var field: String
    package var message: String

    package init(field: String, message: String) {
        self.field = field
        self.message = message
    }
}

/// What a dry run tells.
package struct Estimate: Equatable, Sendable {
    package var line: String
    /// Messages of the line that would leave before this one.
    package var ahead: Int64
    /// It will not leave earlier.
    package var notBefore: Timestamp
    /// For it and all that waits before it.
    package var forecast: Forecast
}

package enum SubmitResult<Value: Equatable & Sendable>: Equatable, Sendable {
    case done(Value)
    case refused(SubmitRefusal)
}

extension Queue {
    /// The account's line of that name, or its only one.
    package func resolve(_ name: String?, _ account: Int64) -> SubmitResult<Line> {
        if let name {
            let named = memory.lines.values.first { $0.account == account && $0.name == name }
            return named.map { .done($0) } ?? .refused(.noSuchLine(name))
        }
        let own = memory.lines.values.filter { $0.account == account }
        if own.count > 1 { return .refused(.lineNotNamed) }
        return own.first.map { .done($0) } ?? .refused(.noLines)
    }

    /// Puts one message into the queue.
    package func submit(
        _ draft: Draft, account: Int64, batch: MessageID?, campaign: Int64? = nil, now: Timestamp
    ) throws -> SubmitResult<Submitted> {
        let line: Line
        switch resolve(draft.line, account) {
        case .refused(let refusal): return .refused(refusal)
        case .done(let found): line = found
        }
        let later = draft.sendAt.flatMap { $0 > now ? $0 : nil }
        let person = try person(draft.to.text, account: account)
        if !draft.isSimulated, let refusal = try refusal(of: draft, to: person, line, later: later, now) {
            return .refused(refusal)
        }
        var draft = draft
        if let problem = try lookUpMention(&draft, line, now) { return .refused(.mention(problem)) }
        let media: MediaFile?
        switch try lookUpMedia(draft, account) {
        case .refused(let problem): return .refused(.media(problem))
        case .found(let file): media = file
        }
        if let media { try used(media, by: person, isOfCampaign: campaign != nil, now) }
        let id = nextID(now)
        let state: MessageState = later == nil ? .queued : .scheduled
        // What is to fail takes no place it would wait for.
        let failsAtOnce = try draft.failsOutsideWindow && isOutsideWindow(draft, person, line)
        let waits = later == nil && !draft.isSimulated && !failsAtOnce
        let gate = waits ? try gateOnEntry(line.id, draft.priority, person) : .none
        let turn = later == nil ? nextTurn(line.id, draft.priority, batch) : 0
        let expiresAt = draft.expiresAt ?? line.settings.ageMax.map { (later ?? now) + $0 }
        // What never goes to Meta is no part of what is told of sending.
        let cohort =
            draft.isSimulated
            ? 0 : try cohort(line.id, draft.template?.text, campaign: campaign, at: later ?? now)
        let byPerson = try state.isLive && enter(id, line.id, person, indexed: gate != .none)
        let sequence = try appendEvent(
            account: account, line: line.id, message: id, previous: nil, at: now, kind: .accepted, state: state,
            attempt: 0, detail: nil)
        try database.add(
            .integer(id.rawValue), .integer(account), .integer(line.id), .optional(batch?.rawValue),
            .integer(state.rawValue), .integer(draft.priority.rawValue),
            .integer((later ?? now).milliseconds), .integer(sequence), .text(draft.to.text),
            .text(draft.type), .utf8(draft.keptContent), .optional(draft.metadata),
            .optional(draft.sendAt?.milliseconds), .optional(expiresAt?.milliseconds),
            .integer(now.milliseconds), .integer(turn), .integer(gate.rawValue),
            .optional(gate == .none ? nil : now.milliseconds), .text(person), .optional(draft.template?.text),
            .optional(draft.fallback?.content), .integer(draft.anyOrder ? 1 : 0),
            .optional(draft.onUnknown?.rawValue), .integer(memory.lot.next()), .integer(cohort),
            .integer(draft.isSimulated ? 1 : 0), .optional(media?.id.rawValue), .integer(byPerson ? 1 : 0),
            to: statements.newMessages)
        memory.alarms.set(state, dueAt: later ?? now, expiresAt: expiresAt)
        if cohort != 0 { memory.cohorts.accepted(cohort) }
        memory.counters.moved(
            from: nil, to: Counters.Key(line: line.id, state: state, priority: draft.priority, gate: gate))
        if !memory.campaigns.isEmpty { campaignEntered(batch, state) }
        var told = Told(.event(.accepted), id, line.id, state, person: person, at: now)
        told.gate = gate
        tell(told)
        return .done(Submitted(id: id, state: state, sendAt: later))
    }

    /// Why a message that could be queued is better not.
    private func refusal(of draft: Draft, to person: String, _ line: Line, later: Timestamp?, _ now: Timestamp) throws
        -> SubmitRefusal?
    {
        if line.settings.whenStopped == .refuse, let stop = memory.health[line.id]?.stop {
            return .lineStopped(line.name, stop)
        }
        if let refusal = try marketingRefusal(of: draft, to: person, line, later: later, now) { return refusal }
        // Whether a window is open at a later time only that time can tell.
        let isOutside = try later == nil && isOutsideWindow(draft, person, line)
        if isOutside, line.settings.closedWindow == .refuse, !draft.failsOutsideWindow {
            return .windowClosed(draft.type == "text" ? "message" : draft.type)
        }
        if isOutside, draft.failsOutsideWindow { return nil }
        if (draft.whenFull ?? line.settings.whenFull) == .refuse, later == nil, let pool = memory.pools[line.pool],
            try gateOnEntry(line.id, draft.priority, person) == .tier
        {
            let forecast = try forecast(line, now: now, more: 1, places: 1, priority: draft.priority)
            return .poolFull(pool.name, pool.tier, until: forecast.leavesBy)
        }
        return nil
    }

    /// Whether it would be held back for its person's window, were its turn now.
    private func isOutsideWindow(_ draft: Draft, _ person: String, _ line: Line) throws -> Bool {
        guard draft.template == nil, draft.fallback == nil, line.settings.closedWindow != .leave else { return false }
        let window = try contact(line.id, person)?.windowUntil
        return !GateFacts.windowIsOpen(window, now: limitsNow, deadline: attemptMax)
    }

    /// What speaks against marketing to a person, now or at a later time.
    private func marketingRefusal(
        of draft: Draft, to person: String, _ line: Line, later: Timestamp?, _ now: Timestamp
    ) throws -> SubmitRefusal? {
        guard isMarketing(draft.template, draft.priority, line: line.id) else { return nil }
        if try isOptedOut([draft.to.text, person], account: line.account) { return .optedOut }
        guard later == nil, let reached = try cap(reachedBy: person, line: line), reached.cap.whenReached == .fail
        else {
            return nil
        }
        return .capReached(reached.cap, until: wall(reached.until, now))
    }

    /// The cap that keeps a person from marketing of a line now, whatever is to become of it then.
    package func capReached(by address: String, line: Int64, account: Int64) throws -> Bool {
        guard memory.marketingCaps[account] != nil, let line = memory.lines[line] else { return false }
        return try cap(reachedBy: person(address, account: account), line: line) != nil
    }

    /// Why `submit` would refuse; nil: it would not. Writes nothing.
    package func refusal(of draft: Draft, account: Int64, now: Timestamp) throws -> SubmitRefusal? {
        switch resolve(draft.line, account) {
        case .refused(let refusal): return refusal
        case .done(let line):
            let later = draft.sendAt.flatMap { $0 > now ? $0 : nil }
            let person = try person(draft.to.text, account: account)
            var draft = draft
            return try refusal(of: draft, to: person, line, later: later, now)
                ?? lookUpMention(&draft, line, now).map { .mention($0) } ?? mediaRefusal(of: draft, account)
        }
    }

    /// When a message that would be taken would leave; nil when its line is not clear. Writes nothing.
    package func estimate(_ draft: Draft, account: Int64, now: Timestamp) throws -> Estimate? {
        guard case .done(let line) = resolve(draft.line, account) else { return nil }
        let later = draft.sendAt.flatMap { $0 > now ? $0 : nil }
        let person = try person(draft.to.text, account: account)
        let ready = Priority.allCases.reduce(0) { $0 + memory.counters.ready(line.id, $1) }
        var forecast = try forecast(of: draft, to: person, line, now)
        if let later { forecast = forecast.and(Forecast(leavesBy: later, limit: forecast.limit)) }
        return Estimate(
            line: line.name, ahead: ready + memory.counters[line.id, .processing], notBefore: later ?? now,
            forecast: forecast)
    }

    /// When one more message would leave.
    private func forecast(of draft: Draft, to person: String, _ line: Line, _ now: Timestamp) throws -> Forecast {
        var forecast = try forecast(
            line, now: now, more: 1, places: needsPlace(line, person) ? 1 : nil, priority: draft.priority)
        let pauses = memory.pauses.filter {
            $0.holds(draft.priority, line: line.id, account: line.account)
                || $0.holds(template: draft.template, batch: nil, line: line.id, account: line.account)
        }
        forecast = forecast.and(Forecast.after(pauses))
        if isHeld(draft.template, line: line.id) {
            let hold = memory.templateHolds[line.id]?.first { $0.template == draft.template }
            forecast = forecast.and(Forecast(leavesBy: hold?.until, limit: .template))
        }
        if isMarketing(draft.template, draft.priority, line: line.id),
            let until = try contact(line.id, person)?.noMarketingUntil, until > limitsNow
        {
            forecast = forecast.and(Forecast(leavesBy: wall(until, now), limit: .person))
        }
        return forecast
    }

    private func wall(_ moment: Timestamp, _ now: Timestamp) -> Timestamp {
        moment.onClock(showing: now, insteadOf: limitsNow)
    }

    /// All of many messages, as a bulk would bring them; what is refused is left out.
    package func forecast(_ drafts: [Draft], account: Int64, now: Timestamp) throws -> Forecast? {
        var forecast: Forecast?
        for (name, drafts) in Dictionary(grouping: drafts, by: \.line) {
            guard case .done(let line) = resolve(name, account) else { continue }
            let people = try Set(drafts.map { try person($0.to.text, account: account) })
            let places = try people.count { try needsPlace(line, $0) }
            let ofLine = try self.forecast(
                line, now: now, more: Int64(drafts.count), places: places == 0 ? nil : Int64(places), priority: .low)
            forecast = ofLine.and(forecast)
        }
        return forecast
    }

    /// When everything that waits on a line, and so many more messages to so many new people, will have left; without
    /// new people (nil) only what stands in the queue counts, for the tier holds none of it.
    package func forecast(
        _ line: Line, now: Timestamp, more: Int64 = 0, places: Int64? = 0, priority: Priority = .low
    ) throws -> Forecast {
        let pool = memory.lines.values.filter { $0.pool == line.pool }
        func ready(_ line: Line) -> Int64 { Priority.allCases.reduce(0) { $0 + memory.counters.ready(line.id, $1) } }
        var missing: Int64 = 0
        if let places,
            let balance = memory.pools[line.pool]?.balance(
                for: priority, used: memory.slotsUsed[line.pool] ?? 0, now: limitsNow)
        {
            // Everybody who waits may be somebody new: the latest it can be.
            let wanted = pool.reduce(places) { $0 + memory.counters.parked($1.id, .tier) + ready($1) }
            missing = max(0, wanted - balance)
        }
        let ownPool = memory.pools[line.pool]
        let forecast = try Forecast.of(
            waiting: (places == nil ? ready(line) : memory.counters[line.id, .queued]) + more,
            perSecond: line.perSecond(memory.health[line.id]), places: missing,
            people: ownPool?.room(for: priority, used: 0, now: .distantFuture) ?? 0,
            placeFreeAt: { rank in
                let freeAt = try limits.slotAtRank.first(.integer(line.pool), .integer(rank)) { $0.integer(0) }
                return freeAt.map { wall(Timestamp(milliseconds: $0), now) }
            }, now: now)
        if memory.health[line.id]?.stop != nil { return Forecast(leavesBy: nil, limit: .line) }
        return forecast.and(
            Forecast.after(memory.pauses.filter { $0.holds(line: line.id, account: line.account) }))
    }

    // MARK: Batches

    package func openBatch(account: Int64, now: Timestamp) throws -> MessageID {
        let id = nextID(now)
        try statements.insertBatch.run(.integer(id.rawValue), .integer(account), .integer(now.milliseconds))
        return id
    }

    package func addToBatch(_ batch: MessageID, queued: Int64, failed: Int64) throws {
        try statements.addToBatch.run(.integer(queued), .integer(failed), .integer(batch.rawValue))
    }

    func nextID(_ now: Timestamp) -> MessageID {
        let id = MessageID.next(after: memory.lastID, now: now)
        memory.lastID = id
        return id
    }
}
