import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore

/// Campaigns, opt-outs and caps: whom each route asks, and what with.
extension Frontend {
    func handleMarketing(
        _ route: Route, _ request: HTTPRequest, _ exchange: Exchange, _ account: Int64, _ asker: Asker
    ) throws(APIError) {
        func ask(_ question: MarketingQuestion) { parts.reader.ask(exchange, .marketing(question), account: account) }
        func wish(_ wish: MarketingWish) { post(asker, .marketing(exchange, wish)) }
        func order(_ text: String, _ deed: CampaignOrder.Deed) throws(APIError) {
            let value = request.body.isEmpty ? nil : try parse(request.body)
            wish(.order(try campaignID(text), try CampaignOrder.read(deed, value, now: now)))
        }
        switch route {
        case .campaigns: try ask(campaignPage(request.head))
        case .createCampaign:
            let body = try CampaignBody.read(try parse(request.body), now: now)
            if body.settings.quietHours != nil, !zones.isThere {
                let words = "cannot be kept: the machine has no tz database; install the package tzdata"
                throw .validation([FieldError("quietHours", words)])
            }
            wish(.create(body))
        case .campaign(let text): ask(.campaign(try campaignID(text)))
        case .campaignRecipients(let text): try ask(recipientPage(text, request.head))
        case .addRecipients(let text): try addRecipients(try campaignID(text), request, exchange, asker)
        case .campaignForecast(let text): ask(.forecast(try campaignID(text)))
        case .campaignReport(let text): ask(.report(try campaignID(text)))
        case .launchCampaign(let text): try order(text, .launch)
        case .pauseCampaign(let text): try order(text, .pause)
        case .resumeCampaign(let text): try order(text, .resume)
        case .cancelCampaign(let text): try order(text, .cancel)
        case .optOuts:
            let query = try PageQuery.read(try parameters(request.head))
            ask(.optOuts(after: query.cursor, limit: query.limit))
        case .optOut(let text): ask(.optOut(try address(text)))
        case .putOptOut(let text):
            let value = request.body.isEmpty ? nil : try parse(request.body)
            wish(.optOut(try address(text), try OptOutBody.read(value)))
        case .deleteOptOut(let text): wish(.optIn(try address(text)))
        case .marketingCaps: ask(.caps)
        case .putMarketingCap(let scope):
            let line = try MarketingCapBody.line(scope)
            wish(.putCap(line, try MarketingCapBody.read(try parse(request.body))))
        case .deleteMarketingCap(let scope): wish(.removeCap(try MarketingCapBody.line(scope)))
        default: throw APIError(.internalError, "a call went astray")
        }
    }

    func campaignID(_ text: String) throws(APIError) -> MessageID {
        guard let id = codec.id(text, .batch) else { throw APIError(.notFound, "there is no such campaign") }
        return id
    }

    private func campaignPage(_ head: RequestHead) throws(APIError) -> MarketingQuestion {
        let query = try PageQuery.read(try parameters(head))
        guard let cursor = query.cursor else { return .campaigns(before: nil, limit: query.limit) }
        guard let id = codec.id(cursor, .batch) else {
            throw .validation([FieldError("cursor", "must be the meta.pagination.cursor of the page before")])
        }
        return .campaigns(before: id, limit: query.limit)
    }

    private func recipientPage(_ text: String, _ head: RequestHead) throws(APIError) -> MarketingQuestion {
        let query = try PageQuery.read(try parameters(head), filters: ["status"])
        var errors: [FieldError] = []
        let filter = query.filters["status"].map { RecipientFilter(rawValue: $0) } ?? .all
        if filter == nil {
            let words = RecipientFilter.allCases.map(\.rawValue).joined(separator: ", ")
            errors.append(FieldError("status", "must be one of \(words)"))
        }
        let place = query.cursor.map { Int64($0) } ?? 0
        if place == nil {
            errors.append(FieldError("cursor", "must be the meta.pagination.cursor of the page before"))
        }
        guard let filter, let place, errors.isEmpty else { throw .validation(errors) }
        return .recipients(try campaignID(text), filter, after: place, limit: query.limit)
    }

    /// As it is stored.
    private func address(_ text: String) throws(APIError) -> String {
        guard let recipient = Recipient(text) else { throw .validation([FieldError("recipient", Recipient.form)]) }
        return recipient.text
    }
}

extension ReplyWords {
    func response(to reply: MarketingReply) -> HTTPResponse {
        switch reply {
        case .campaign(let result, let line, let isNew): return response(to: result, line, isNew)
        case .added: return .error(APIError(.internalError, "an upload's answer has no upload"))
        case .optedOut(let address, let isNew):
            return .json(isNew ? 201 : 200) {
                $0.object("data") {
                    $0.field("recipient", address)
                    $0.field("optedOut", true)
                }
            }
        case .optedIn(true): return HTTPResponse(status: 204)
        case .optedIn(false): return .error(APIError(.notFound, "this person is not on the list"))
        case .cap(let cap, let line):
            let scope = line.map { MarketingCapBody.linePrefix + $0 } ?? MarketingCapBody.accountScope
            return .json(200) { cap.write(to: &$0, name: "data", scope: scope) }
        case .capRemoved(true): return HTTPResponse(status: 204)
        case .capRemoved(false): return .error(APIError(.notFound, "there is no such cap"))
        case .noSuchLine(let name): return .error(APIError(.notFound, "there is no line \(name)"))
        }
    }

    private func response(to result: CampaignResult, _ line: String, _ isNew: Bool) -> HTTPResponse {
        switch result {
        case .done(let campaign, let counts):
            return .json(isNew ? 201 : 200) {
                campaign.write(
                    to: &$0, name: "data", id: codec.text(campaign.id, .batch), line: line, counts: counts)
            }
        case .notFound: return .error(APIError(.notFound, "there is no such campaign"))
        case .wrongState(let state): return .error(APIError(.conflict, "the campaign is \(state.name)"))
        case .empty: return .error(APIError(.conflict, "the campaign has no recipients yet: add them first"))
        case .expired(let moment):
            return .error(APIError(.conflict, "the campaign's expiresAt, \(moment.rfc3339), would be over by then"))
        case .tooMany(let max):
            return .error(APIError(.conflict, "\(max) campaigns are not over yet: that is the most there may be"))
        case .refused(let refusal): return .error(refusal.error)
        }
    }
}
