import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON

/// Campaigns and statistics.
extension CallMissed {
    func campaigns(_ head: RequestHead) throws(APIError) -> Translation {
        let given = try parameters(head, known: ["limit"])
        let limit = try Self.number("limit", given["limit"], in: 1...100, usual: 50)
        return withLines { lines in
            ask(OwnCall(.campaigns, "/v1/campaigns?limit=\(limit)")) { answer, _ in
                Self.list { json in
                    for campaign in answer["data"]?.elements.map({ $0 }) ?? [] {
                        json.object { Self.write(campaign, lines, to: &$0) }
                    }
                }
            }
        }
    }

    private static func write(_ campaign: JSONValue, _ lines: [JSONValue], to json: inout JSONWriter) {
        let line = lines.first { $0["line"]?.string == campaign["line"]?.string }
        let number = line?["phoneNumberId"]?.string
        let messages = campaign["progress"]?["messages"]
        func count(_ states: String...) -> Int64 { states.reduce(0) { $0 + (messages?[$1]?.integer ?? 0) } }
        json.field("id", campaign["id"]?.string)
        json.field("account_id", line?["wabaId"]?.string.map(CallMissedID.account))
        json.field("phone_number_id", number)
        json.field("phone_id", number.map(CallMissedID.phone))
        json.field("name", campaign["name"]?.string)
        json.field("template_name", campaign["template"]?["name"]?.string)
        json.field("template_language", campaign["template"]?["language"]?.string)
        json.field("status", campaign["status"]?.string)
        json.field("scheduled_at", campaign["startAt"]?.string)
        json.field("started_at", campaign["startedAt"]?.string)
        json.field("completed_at", campaign["endedAt"]?.string)
        json.field("total", campaign["progress"]?["recipients"]?.integer)
        json.field("sent", count("sent", "delivered", "read"))
        json.field("delivered", count("delivered", "read"))
        json.field("read", count("read"))
        json.field("failed", count("failed"))
        json.field("created_at", campaign["createdAt"]?.string)
    }

    // MARK: Create

    func createCampaign(_ campaign: CallMissedCampaign) -> Translation {
        withLine(campaign.number) { line in
            let name = line["line"]?.string ?? ""
            return withLanguage(of: campaign, name) { language in
                let call = OwnCall(.createCampaign, "/v1/campaigns") {
                    $0.field("name", campaign.name)
                    $0.field("line", name)
                    $0.object("template") {
                        $0.field("name", campaign.template)
                        $0.field("language", language)
                        if let components = campaign.components { $0.field("components", raw: components) }
                    }
                }
                return ask(call) { answer, response in
                    guard let made = answer["data"] else {
                        return Self.refuse(APIError(.internalError, "outboxd's own answer could not be read"))
                    }
                    guard let recipients = campaign.recipients else {
                        return Self.done(response, status: 201) { Self.write(made, [line], to: &$0) }
                    }
                    return fill(made, recipients, line)
                }
            }
        }
    }

    /// As it says; else the language the template is there in, English before others.
    private func withLanguage(
        of campaign: CallMissedCampaign, _ line: String, _ then: @escaping (String) -> Translation
    ) -> Translation {
        if let language = campaign.language { return then(language) }
        let target = "/v1/lines/\(line)/templates?limit=100&name=\(percentEncoded(campaign.template))"
        return ask(OwnCall(.lineTemplates(line), target)) { answer, _ in
            let languages = answer["data"]?.elements.compactMap { $0["language"]?.string } ?? []
            if languages.count > 1, !languages.contains("en"), !languages.contains("en_US") {
                return Self.refuse(
                    .validation([
                        FieldError(
                            "language",
                            "is missing: the template \(campaign.template) is there in "
                                + languages.joined(separator: ", "))
                    ]))
            }
            let english = languages.first { $0 == "en" } ?? languages.first { $0 == "en_US" }
            return then(english ?? languages.first ?? "en")
        }
    }

    /// A campaign whose recipients are refused as a whole is none.
    private func fill(_ made: JSONValue, _ recipients: [UInt8], _ line: JSONValue) -> Translation {
        let id = made["id"]?.string ?? ""
        let add = OwnCall(.addRecipients(id), "/v1/campaigns/\(id)/recipients", body: recipients)
        func takeBack(_ error: APIError) -> Translation {
            .ask(OwnCall(.cancelCampaign(id), "/v1/campaigns/\(id)/cancel")) { _ in Self.refuse(error) }
        }
        return ask(add, refused: takeBack) { added, response in
            .ask(OwnCall(.campaign(id), "/v1/campaigns/\(id)")) { shown in
                Self.done(response, status: 201) { json in
                    // It is made, whether it can be shown or not.
                    let campaign = data(of: shown) ?? made
                    Self.write(campaign, [line], to: &json)
                    json.object("recipients") { Self.write(added: added, total: campaign, to: &$0) }
                }
            }
        }
    }

    func addRecipients(_ id: String, _ recipients: [UInt8]) -> Translation {
        let place = "/v1/campaigns/\(percentEncoded(id))"
        return ask(OwnCall(.addRecipients(id), "\(place)/recipients", body: recipients)) { added, response in
            .ask(OwnCall(.campaign(id), place)) { shown in
                Self.done(response) { Self.write(added: added, total: data(of: shown), to: &$0) }
            }
        }
    }

    private func data(of response: HTTPResponse) -> JSONValue? {
        response.isDone ? (try? parser.parse(response.body))?["data"] : nil
    }

    private static func write(added: JSONValue, total campaign: JSONValue?, to json: inout JSONWriter) {
        let data = added["data"]
        json.field("inserted", data?["added"]?.integer)
        json.field("skipped_invalid", data?["failedCount"]?.integer)
        json.field("skipped_duplicate", data?["duplicates"]?.integer)
        json.field("total_now", campaign?["progress"]?["recipients"]?.integer)
        json.field("errors", raw: data?["errors"]?.raw)
    }

    /// One without recipients is refused with 400.
    func launch(_ id: String) -> Translation {
        let place = "/v1/campaigns/\(percentEncoded(id))"
        func refused(_ error: APIError) -> Translation {
            guard error.code == .conflict else { return Self.refuse(error) }
            return ask(OwnCall(.campaign(id), place)) { answer, _ in
                let isEmpty = answer["data"]?["progress"]?["recipients"]?.integer == 0
                return Self.refuse(
                    isEmpty ? APIError(.malformed, "The campaign has no pending recipients to send to") : error)
            }
        }
        return withLines { lines in
            ask(OwnCall(.launchCampaign(id), "\(place)/launch"), refused: refused) { answer, response in
                Self.done(response) { json in if let data = answer["data"] { Self.write(data, lines, to: &json) } }
            }
        }
    }

    // MARK: Statistics

    func days(_ head: RequestHead, usual: Int) throws(APIError) -> Int {
        try Self.number("days", try parameters(head, known: ["days"])["days"], in: 1...90, usual: usual)
    }

    func funnel(_ days: Int) -> Translation {
        ask(OwnCall(.analytics(.funnel), "/v1/analytics/funnel?days=\(days)")) { answer, response in
            let steps = answer["data"]?["steps"]?.elements.map { $0 } ?? []
            func count(_ step: String) -> Int64 { steps.first { $0["step"]?.string == step }?["count"]?.integer ?? 0 }
            let (sent, delivered, read) = (count("sent"), count("delivered"), count("read"))
            return Self.done(response) {
                $0.field("days", days)
                // Of what comes in no statistics are kept.
                $0.field("inbound", nil as Int64?)
                $0.field("outbound", sent)
                $0.field("sent", sent)
                $0.field("delivered", delivered)
                $0.field("read", read)
                $0.field("replied", count("replied"))
                $0.field("delivery_rate", number: Self.rate(delivered, of: sent))
                $0.field("read_rate", number: Self.rate(read, of: delivered))
            }
        }
    }

    /// Three places.
    private static func rate(_ part: Int64, of whole: Int64) -> Double {
        whole == 0 ? 0 : Double(min(part, whole) * 1000 / whole) / 1000
    }

    func timeseries(_ days: Int) -> Translation {
        ask(OwnCall(.analytics(.timeseries), "/v1/analytics/timeseries?days=\(days)")) { answer, response in
            Self.done(response) { json in
                json.field("days", days)
                json.array("points") { json in
                    for point in answer["data"]?["points"]?.elements.map({ $0 }) ?? [] {
                        json.object { json in
                            json.field("date", point["at"]?.string.map { String($0.prefix(10)) })
                            json.field("event_type", "messages")
                            json.field("count", point["sent"]?.integer)
                            for name in ["sent", "delivered", "read", "replied", "failed"] {
                                json.field(name, point[name]?.integer)
                            }
                        }
                    }
                }
            }
        }
    }

    /// Its credits are the currency of the prices outboxd was told.
    func costs(_ days: Int) -> Translation {
        ask(OwnCall(.analytics(.costs), "/v1/analytics/costs?days=\(days)")) { answer, response in
            let data = answer["data"]
            let cost = Array((data?["cost"]?.string ?? "0.0").utf8)
            return Self.done(response) { json in
                json.field("days", days)
                json.field("llm_tokens", 0)
                json.field("llm_credits", number: 0)
                json.field("whatsapp_message_credits", raw: cost)
                json.field("whatsapp_call_credits", number: 0)
                json.field("total_credits", raw: cost)
                json.field("ledger_source", "delivered messages")
                json.field("currency", data?["currency"]?.string)
                json.field("messages", data?["messages"]?.integer)
                json.field("without_rate", data?["withoutRate"]?.integer)
                json.array("breakdown") { json in
                    for row in data?["rows"]?.elements.map({ $0 }) ?? [] {
                        json.object { json in
                            for name in ["country", "category", "type"] { json.field(name, row[name]?.string) }
                            json.field("billable", row["billable"]?.bool ?? false)
                            json.field("messages", row["messages"]?.integer)
                            json.field("cost", raw: row["cost"]?.string.map { Array($0.utf8) })
                        }
                    }
                }
            }
        }
    }
}
