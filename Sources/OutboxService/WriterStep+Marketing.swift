import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxMeta
import OutboxStore

/// Campaigns and opt-outs, inside the transaction.
extension WriterStep {
    func perform(_ wish: MarketingWish, _ exchange: Exchange, _ now: Timestamp) throws -> Effect {
        Effect(reply: (exchange, .marketing(try reply(to: wish, now))))
    }

    private func reply(to wish: MarketingWish, _ now: Timestamp) throws -> MarketingReply {
        switch wish {
        case .create(let body): return try create(body, now)
        case .add(let id, let items): return try add(items, to: id, now)
        case .order(let id, let order):
            let result = try carryOut(order, id, now)
            return .campaign(result, line: lineName(of: id), isNew: false)
        case .optOut(let address, let body):
            let isNew = try queue.optOut(
                address, source: .caller, reason: body.reason, line: nil, account: account, now: now)
            return .optedOut(address, isNew: isNew)
        case .optIn(let address):
            return .optedIn(try queue.optIn(address, source: .caller, line: nil, account: account, now: now))
        case .putCap(let name, var cap):
            if let name {
                guard let line = queue.line(named: name, account: account) else { return .noSuchLine(name) }
                cap.line = line.id
            }
            try queue.set(cap, account: account)
            return .cap(cap, line: name)
        case .removeCap(let name):
            let line = name.flatMap { queue.line(named: $0, account: account) }
            if let name, line == nil { return .noSuchLine(name) }
            return .capRemoved(try queue.removeMarketingCap(line: line?.id, account: account))
        }
    }

    private func lineName(of id: MessageID) -> String {
        queue.campaign(id, account: account).flatMap { queue.line($0.line)?.name } ?? ""
    }

    private func create(_ body: CampaignBody, _ now: Timestamp) throws -> MarketingReply {
        if case .done(let line) = queue.resolve(body.line, account),
            let problems = try checks.nameProblems(body.settings.template, line, queue), !problems.isEmpty
        {
            return .campaign(.refused(.template(problems)), line: line.name, isNew: true)
        }
        let result = try queue.createCampaign(
            body.settings, line: body.line, account: account, by: asker.who ?? "unknown", now: now)
        var line = ""
        if case .done(let campaign, _) = result { line = queue.line(campaign.line)?.name ?? "" }
        return .campaign(result, line: line, isNew: true)
    }

    private func carryOut(_ order: CampaignOrder, _ id: MessageID, _ now: Timestamp) throws -> CampaignResult {
        switch order.deed {
        case .launch:
            if let campaign = queue.campaign(id, account: account), let line = queue.line(campaign.line),
                let problems = try checks.nameProblems(campaign.settings.template, line, queue), !problems.isEmpty
            {
                .refused(.template(problems))
            } else {
                try queue.launch(id, at: order.startAt, account: account, by: asker.who, now: now)
            }
        case .pause: try queue.pauseCampaign(id, reason: order.reason, account: account, by: asker.who, now: now)
        case .resume: try queue.resumeCampaign(id, account: account, by: asker.who, now: now)
        case .cancel: try queue.cancelCampaign(id, reason: order.reason, account: account, by: asker.who, now: now)
        }
    }

    // MARK: Recipients

    private func add(_ items: [RecipientItem], to id: MessageID, _ now: Timestamp) throws -> MarketingReply {
        guard let campaign = queue.campaign(id, account: account) else {
            return .added(nil, refused: [], state: nil)
        }
        guard campaign.state == .draft || campaign.state == .scheduled else {
            return .added(nil, refused: [], state: campaign.state)
        }
        var refused: [(index: Int, error: APIError)] = []
        var additions: [CampaignAddition] = []
        for item in items {
            let errors = try problems(of: item.body.to, item.body.variables, campaign)
            guard errors.isEmpty else {
                refused.append((item.index, .validation(errors)))
                continue
            }
            additions.append(
                CampaignAddition(
                    to: item.body.to.text, variables: item.body.variables,
                    zone: RecipientZone(item.body.to.text, timeZone: item.body.timeZone)))
        }
        let added = try queue.add(additions, to: id, account: account)
        return .added(added, refused: refused, state: campaign.state)
    }

    private func problems(of to: Recipient, _ variables: [UInt8], _ campaign: Campaign) throws -> [FieldError] {
        switch draft(to, variables, campaign) {
        case .failure(let error): return error.details
        case .success(let draft):
            guard case .template(let problems)? = try checks.refusal(of: draft, queue, account: campaign.account) else {
                return []
            }
            return problems.map {
                // It is the recipient's variables that do not fit, wherever they were put.
                $0.field == "to" ? FieldError("to", $0.message) : FieldError("variables", "\($0.field) \($0.message)")
            }
        }
    }

    /// One recipient's message.
    private func draft(_ to: Recipient, _ variables: [UInt8], _ campaign: Campaign) -> Result<Draft, APIError> {
        switch CampaignContent.fill(campaign.settings, variables: variables, parser: parser) {
        case .lacks(let names):
            let words = "lack \(names.joined(separator: ", ")), which the campaign's components name"
            return .failure(.validation([FieldError("variables", words)]))
        case .filled(let content):
            var draft = Draft(
                line: queue.line(campaign.line)?.name, to: to, type: "template", content: content.json,
                expiresAt: campaign.settings.expiresAt, priority: .low, template: campaign.settings.template)
            // Nobody gets two of them; and what else goes to a person does not wait for a campaign.
            draft.anyOrder = true
            draft.whenFull = .wait
            return .success(draft)
        }
    }

    // MARK: Feeding

    /// Recipients that may go to the queue in one turn, so that one-time codes never wait for them.
    private static var fedAtOnce: Int64 { 200 }
    /// When a line that takes no messages is asked again.
    private static var lineAskedAgain: Duration { .seconds(30) }

    /// Takes back what was cancelled, and puts the next recipients of running campaigns into the queue.
    func feedOn(_ now: Timestamp) throws -> Effect {
        let effect = Effect()
        effect.goOn = try queue.takeBackCampaigns(now: now)
        guard claims, diskRoom.takesMessages else { return effect }
        // The other half is for what is submitted.
        let room = limits.queueMax.map { max(0, $0 / 2 - queue.waiting) } ?? .max
        let (feedings, wake) = try queue.feedings(now: now, atMost: min(Self.fedAtOnce, room))
        effect.feedWake = wake
        for feeding in feedings where room > 0 {
            // It is not the recipients' fault, and it may pass: they are kept for when it has.
            if let reason = try templateProblem(feeding.campaign) {
                try queue.stopFeeding(feeding.campaign.id, reason: reason, now: now)
                continue
            }
            let recipients = try queue.next(of: feeding)
            var queued: Int64 = 0
            var isHeldUp = false
            recipients: for recipient in recipients {
                switch try feed(recipient, feeding.campaign, now) {
                case .queued: queued += 1
                case .skipped: break
                case .notNow:
                    let again = now + Self.lineAskedAgain
                    effect.feedWake = min(effect.feedWake ?? again, again)
                    isHeldUp = true
                    break recipients
                case .stopped(let reason):
                    try queue.stopFeeding(feeding.campaign.id, reason: reason, now: now)
                    break recipients
                }
            }
            try queue.endFeeding(feeding.campaign.id, queued: queued, now: now)
            effect.goOn = effect.goOn || queued > 0 || !recipients.isEmpty && !isHeldUp
        }
        return effect
    }

    /// What keeps a campaign's template from everybody; nil: nothing that is known.
    private func templateProblem(_ campaign: Campaign) throws -> String? {
        guard let line = queue.line(campaign.line) else { return nil }
        return try checks.nameProblems(campaign.settings.template, line, queue)?.first?.message
    }

    private enum Fed {
        case queued, skipped, notNow
        case stopped(String)
    }

    private func feed(_ recipient: CampaignRecipient, _ campaign: Campaign, _ now: Timestamp) throws -> Fed {
        func skip(_ reason: SkipReason) throws -> Fed {
            try queue.skip(recipient, reason)
            return .skipped
        }
        if let expiresAt = campaign.settings.expiresAt, expiresAt <= now { return try skip(.expired) }
        if queue.isAlwaysQuiet(recipient.zone, campaign, now: now) { return try skip(.alwaysQuiet) }
        guard queue.line(campaign.line) != nil else { return .stopped("its line was removed") }
        if try queue.isSamePerson(recipient, account: campaign.account) { return try skip(.samePerson) }
        guard let to = Recipient(recipient.to), case .success(let draft) = draft(to, recipient.variables, campaign)
        else {
            return try skip(.invalid)
        }
        if try checks.refusal(of: draft, queue, account: campaign.account) != nil { return try skip(.invalid) }
        if try queue.capReached(by: recipient.to, line: campaign.line, account: campaign.account) {
            return try skip(.frequencyCap)
        }
        switch try queue.submit(
            draft, account: campaign.account, batch: campaign.id, campaign: campaign.id.rawValue, now: now)
        {
        case .done(let submitted):
            try queue.fed(recipient, submitted.id)
            return .queued
        case .refused(.optedOut): return try skip(.optedOut)
        case .refused(.capReached): return try skip(.frequencyCap)
        case .refused(.template), .refused(.mention), .refused(.media): return try skip(.invalid)
        case .refused(.lineStopped), .refused(.lineDown), .refused(.poolFull), .refused(.windowClosed): return .notNow
        case .refused(.noSuchLine), .refused(.noLines), .refused(.lineNotNamed), .refused(.keyUsed),
            .refused(.refusedBefore):
            return .stopped("its line was removed")
        }
    }

    // MARK: What people want

    /// Meta tells that somebody stopped or resumed marketing.
    func keepPreference(
        number: String, person: String?, userID: String?, stops: Bool, at moment: Timestamp?, _ now: Timestamp
    ) throws {
        var seen: Set<Int64> = []
        for id in queue.lines(ofNumber: number) {
            guard let line = queue.line(id), seen.insert(line.account).inserted else { continue }
            for address in [person, userID].compactMap({ $0 }) {
                try change(address, stops: stops, .preference, line, min(moment ?? now, now), now)
            }
        }
    }

    /// Somebody wrote one of the line's words for it.
    func keepKeyword(_ message: InboundMessage, _ line: Int64, _ now: Timestamp) throws {
        guard let line = queue.line(line), !line.settings.optOutKeywords.isEmpty, !message.isGroup,
            let text = message.payload.text, let stops = line.settings.optOutKeywords.wish(in: text)
        else { return }
        for address in message.addresses where !address.hasPrefix("@") {
            try change(address, stops: stops, .keyword, line, min(message.at ?? now, now), now)
        }
    }

    private func change(
        _ address: String, stops: Bool, _ source: OptOutSource, _ line: Line, _ wished: Timestamp, _ now: Timestamp
    ) throws {
        if stops {
            _ = try queue.optOut(
                address, source: source, reason: nil, line: line.id, account: line.account, wished: wished, now: now)
        } else {
            _ = try queue.optIn(
                address, source: source, line: line.id, account: line.account, wished: wished, now: now)
        }
    }
}
