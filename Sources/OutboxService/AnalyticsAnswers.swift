import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import OutboxStore

/// `GET /v1/analytics/…`: each answer is `{"data": {"since": "…", "until": "…", …}}`.
extension Answerer {
    func analytics(_ report: AnalyticsReport, _ query: AnalyticsQuery) throws -> HTTPResponse {
        if let name = query.line, try !reader.hasHadLine(name, account: account) {
            throw APIError(.notFound, "there is no line \(name)")
        }
        var filter = AnalyticsFilter(since: query.since, until: query.until)
        filter.line = query.line
        filter.template = query.template
        if let text = query.campaign {
            guard let id = reader.codec.id(text, .batch), try reader.campaign(id, account: account) != nil else {
                throw APIError(.notFound, "there is no such campaign")
            }
            filter.campaign = id.rawValue
        }
        var told = JSONWriter()
        try told.object { json in
            json.field("since", query.since.rfc3339)
            json.field("until", query.until.rfc3339)
            switch report {
            case .summary: try reader.counts(filter, account: account).writeSummary(to: &json)
            case .funnel: try reader.counts(filter, account: account).writeFunnel(to: &json)
            case .timeseries: try writeSeries(filter, byHour: query.by == "hour", to: &json)
            case .breakdown: try writeBreakdown(filter, by: query.by, to: &json)
            case .failures: try writeFailures(filter, to: &json)
            case .costs: try writeCosts(filter, to: &json)
            }
        }
        return .json(200) { $0.field("data", raw: told.bytes) }
    }

    private func writeSeries(_ filter: AnalyticsFilter, byHour: Bool, to json: inout JSONWriter) throws {
        let span: Int64 = byHour ? 3_600_000 : 86_400_000
        let known = try reader.series(filter, byHour: byHour, account: account)
            .reduce(into: [Int64: MessageCounts]()) { $0[$1.at.milliseconds] = $1.counts }
        json.field("by", byHour ? "hour" : "day")
        json.array("points") { json in
            // What nothing happened in stands there with zeros: a curve needs it.
            var at = filter.since.milliseconds / span * span
            while at < filter.until.milliseconds {
                json.object {
                    $0.field("at", Timestamp(milliseconds: at).rfc3339)
                    (known[at] ?? MessageCounts()).write(to: &$0)
                }
                at += span
            }
        }
    }

    private func writeBreakdown(_ filter: AnalyticsFilter, by word: String?, to json: inout JSONWriter) throws {
        let group = word.flatMap(AnalyticsGroup.init(rawValue:)) ?? .line
        json.field("by", group.rawValue)
        let rows = try reader.counts(filter, by: group, account: account)
        json.array("rows") { json in
            for row in rows {
                json.object {
                    $0.field(group.rawValue, name(of: row.name, group))
                    row.counts.write(to: &$0)
                    row.counts.writeRates(to: &$0)
                }
            }
        }
    }

    /// Nil: none.
    private func name(of text: String, _ group: AnalyticsGroup) -> String? {
        guard group == .campaign else { return text.isEmpty ? nil : text }
        return Int64(text).flatMap { $0 == 0 ? nil : reader.codec.text(MessageID(rawValue: $0), .batch) }
    }

    private func writeFailures(_ filter: AnalyticsFilter, to json: inout JSONWriter) throws {
        let failures = try reader.failures(filter, account: account)
        json.field("total", failures.reduce(0) { $0 + $1.count })
        json.array("codes") { json in
            for failure in failures {
                json.object {
                    $0.field("code", failure.code)
                    $0.field("title", Int64(failure.code).flatMap(MetaError.of)?.title)
                    $0.field("count", failure.count)
                }
            }
        }
    }

    private func writeCosts(_ filter: AnalyticsFilter, to json: inout JSONWriter) throws {
        let prices = try reader.prices(filter, account: account)
        let card = rates?.card
        let total = prices.reduce(0) { $0 + (Self.cost($1, card) ?? 0) }
        let unpriced = prices.filter { Self.cost($0, card) == nil }.reduce(0) { $0 + $1.count }
        json.field("currency", card?.currency)
        json.field("cost", card == nil ? nil : RateCard.text(total))
        json.field("messages", prices.reduce(0) { $0 + $1.count })
        json.field("withoutRate", unpriced)
        json.array("rows") { json in
            for priced in prices {
                json.object {
                    $0.field("country", priced.country.isEmpty ? nil : priced.country)
                    $0.field("category", priced.pricing.category)
                    $0.field("type", priced.pricing.type)
                    $0.field("billable", priced.pricing.isBillable)
                    $0.field("messages", priced.count)
                    $0.field("cost", Self.cost(priced, card).map(RateCard.text))
                }
            }
        }
    }

    /// Millionths; nil: no rate is known.
    private static func cost(_ priced: QueueReader.Priced, _ card: RateCard?) -> Int64? {
        guard priced.pricing.isBillable else { return 0 }
        let country = priced.country.isEmpty ? nil : priced.country
        return card?.price(country: country, category: priced.pricing.category).map { $0 * priced.count }
    }
}

extension MessageCounts {
    fileprivate func writeSummary(to json: inout JSONWriter) {
        json.field("total", accepted)
        json.object("byStatus") {
            $0.field("waiting", waiting)
            $0.field("sent", sent)
            $0.field("delivered", delivered)
            $0.field("read", read)
            $0.field("failed", everFailed)
            $0.field("cancelled", cancelled)
        }
        json.field("replied", replied)
        writeRates(to: &json)
    }

    /// Each of those that were tried and came to something; null while there are none.
    fileprivate func writeRates(to json: inout JSONWriter) {
        json.field("deliveryRate", raw: share(everDelivered, of: tried))
        json.field("readRate", raw: share(read, of: tried))
        json.field("replyRate", raw: share(replied, of: tried))
        json.field("failureRate", raw: share(everFailed, of: tried))
    }

    fileprivate func writeFunnel(to json: inout JSONWriter) {
        let steps = [("sent", everSent), ("delivered", everDelivered), ("read", read), ("replied", replied)]
        json.array("steps") { json in
            for (name, count) in steps {
                json.object {
                    $0.field("step", name)
                    $0.field("count", count)
                    $0.field("share", raw: share(count, of: everSent))
                }
            }
        }
    }

    /// How far they came: who was read was delivered and sent.
    fileprivate func write(to json: inout JSONWriter) {
        json.field("accepted", accepted)
        json.field("sent", everSent)
        json.field("delivered", everDelivered)
        json.field("read", read)
        json.field("replied", replied)
        json.field("failed", everFailed)
        json.field("cancelled", cancelled)
    }

    /// `0.9408`, rounded down, so that 1 means all.
    private func share(_ part: Int64, of whole: Int64) -> [UInt8] {
        guard whole > 0 else { return Array("null".utf8) }
        let share = min(part, whole) * 10_000 / whole
        let digits = String(share % 10_000)
        return Array("\(share / 10_000).\(String(repeating: "0", count: 4 - digits.utf8.count))\(digits)".utf8)
    }
}
