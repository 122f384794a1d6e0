import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON

/// Templates, which are a business account's: asked for through the first of its lines.
extension CallMissed {
    private struct Business {
        var waba: String
        var line: String
    }

    private struct StoredRow {
        var business: Business
        var template: JSONValue
        var readAt: String?

        var metaID: String? { template["id"]?.string }
        var id: String? { metaID.map { CallMissedID.template($0, of: business.waba) } }
    }

    private static let rowsAtOnce = 200

    /// Those `chosen` names, by our id or Meta's; nil: all.
    private func withBusinesses(_ chosen: String?, _ then: @escaping ([Business]) -> Translation) -> Translation {
        withLines { lines in
            var found: [Business] = []
            for line in lines {
                guard let waba = line["wabaId"]?.string, let name = line["line"]?.string else { continue }
                guard !found.contains(where: { $0.waba == waba }) else { continue }
                found.append(Business(waba: waba, line: name))
            }
            guard let chosen else { return then(found) }
            found = found.filter { $0.waba == chosen || CallMissedID.account($0.waba) == chosen.lowercased() }
            guard !found.isEmpty else {
                return Self.refuse(APIError(.notFound, "waba_id not found: no line of this account names it"))
            }
            return then(found)
        }
    }

    /// The one there is, where none is chosen.
    private func withBusiness(_ chosen: String?, _ then: @escaping (Business) -> Translation) -> Translation {
        withBusinesses(chosen) { found in
            guard found.count == 1, let business = found.first else {
                return Self.refuse(
                    APIError(.malformed, "Either account_id (UUID) or waba_id (Meta) is required"))
            }
            return then(business)
        }
    }

    // MARK: Lists

    func templates(_ head: RequestHead) throws(APIError) -> Translation {
        let known = ["account_id", "waba_id", "status", "category", "language", "limit"]
        let given = try parameters(head, known: known)
        let limit = try Self.number("limit", given["limit"], in: 1...500, usual: 100)
        var query = ""
        for name in ["status", "category", "language"] {
            if let value = given[name] { query += "&\(name)=\(percentEncoded(value))" }
        }
        if let category = given["category"]?.uppercased(),
            !["MARKETING", "UTILITY", "AUTHENTICATION"].contains(category)
        {
            throw APIError(.malformed, "category must be MARKETING, UTILITY or AUTHENTICATION")
        }
        return withBusinesses(given["account_id"] ?? given["waba_id"]) { businesses in
            collect(businesses[...], query, nil, limit, []) { rows in
                Self.list { json in for row in rows { Self.write(row, to: &json) } }
            }
        }
    }

    private func collect(
        _ businesses: ArraySlice<Business>, _ query: String, _ cursor: String?, _ limit: Int, _ done: [StoredRow],
        _ then: @escaping ([StoredRow]) -> Translation
    ) -> Translation {
        guard let business = businesses.first, done.count < limit else { return then(Array(done.prefix(limit))) }
        let page = cursor.map { "&cursor=\(percentEncoded($0))" } ?? ""
        let target = "/v1/lines/\(business.line)/templates?limit=\(Self.rowsAtOnce)\(query)\(page)"
        return ask(OwnCall(.lineTemplates(business.line), target)) { answer, _ in
            let readAt = answer["meta"]?["readAt"]?.string
            let rows =
                answer["data"]?.elements.map { StoredRow(business: business, template: $0, readAt: readAt) } ?? []
            let next = answer["meta"]?["pagination"]?["cursor"]?.string
            return collect(
                next == nil ? businesses.dropFirst() : businesses, query, next, limit, done + rows, then)
        }
    }

    private static func write(_ row: StoredRow, to json: inout JSONWriter, name: String? = nil) {
        let template = row.template
        json.object(name) {
            $0.field("id", row.id)
            $0.field("account_id", CallMissedID.account(row.business.waba))
            $0.field("template_id", row.metaID)
            for field in ["name", "language", "category", "status"] { $0.field(field, template[field]?.string) }
            $0.field("quality_score", template["quality_score"]?["score"]?.string ?? "UNKNOWN")
            let reason = template["rejected_reason"]?.string
            $0.field("rejection_reason", reason == "NONE" ? nil : reason)
            $0.field("components", raw: template["components"].map { Array($0.raw) } ?? Array("[]".utf8))
            $0.field("last_meta_synced_at", row.readAt)
            // When somebody made it Meta does not say.
            $0.field("created_at", nil as String?)
            $0.field("updated_at", row.readAt)
        }
    }

    // MARK: Changes

    /// What is wrong with a draft is one sentence.
    func makeTemplate(_ draft: JSONValue) throws(APIError) -> Translation {
        let chosen = try CallMissedBody.account(draft)
        return withBusiness(chosen) { business in
            let call = OwnCall(.makeTemplate(business.line), "/v1/lines/\(business.line)/templates") { json in
                for (name, value) in draft.members where !["account_id", "waba_id"].contains(name) {
                    json.field(name, raw: value.raw)
                }
            }
            return ask(call, refused: { Self.refuse($0.asSentence) }) { answer, response in
                let row = StoredRow(business: business, template: answer["data"] ?? draft)
                return Self.done(response) {
                    $0.field("template_id", row.metaID)
                    $0.field("status", row.template["status"]?.string)
                    Self.write(row, to: &$0, name: "template")
                }
            }
        }
    }

    func removeTemplate(_ id: String) -> Translation {
        withBusinesses(nil) { businesses in
            collect(businesses[...], "", nil, .max, []) { rows in
                let wanted = id.lowercased()
                let row = rows.first { $0.metaID == id || $0.id == wanted }
                guard let row, let name = row.template["name"]?.string, let language = row.template["language"]?.string
                else { return Self.refuse(APIError(.notFound, "there is no such template")) }
                let line = row.business.line
                let call = OwnCall(
                    .removeTemplate(line, name: name, language: language),
                    "/v1/lines/\(line)/templates/\(percentEncoded(name))/\(percentEncoded(language))")
                return ask(call) { _, response in
                    .answer(HTTPResponse(status: 204, headers: response.passedHeaders))
                }
            }
        }
    }

    /// All business accounts, where none is chosen.
    func syncTemplates(_ chosen: String?) -> Translation {
        withBusinesses(chosen) { businesses in
            guard !businesses.isEmpty else {
                return Self.refuse(APIError(.malformed, "Either account_id (UUID) or waba_id (Meta) is required"))
            }
            return sync(businesses[...], TemplateTally(waba: businesses.count == 1 ? businesses[0].waba : nil))
        }
    }

    private struct TemplateTally {
        /// Nil: of several.
        var waba: String?
        var fetched: Int64 = 0
        var inserted: Int64 = 0
    }

    private func sync(_ businesses: ArraySlice<Business>, _ tally: TemplateTally) -> Translation {
        guard let business = businesses.first else {
            return Self.done {
                $0.field("waba_id", tally.waba)
                $0.field("fetched", tally.fetched)
                $0.field("inserted", tally.inserted)
                $0.field("updated", tally.fetched - tally.inserted)
            }
        }
        let call = OwnCall(.syncTemplates(business.line), "/v1/lines/\(business.line)/template-sync")
        return ask(call) { answer, _ in
            let data = answer["data"]
            let total = data?["total"]?.integer ?? 0
            let new = data?["changes"]?.elements.count { $0["statusBefore"]?.isNull ?? true } ?? 0
            var tally = tally
            tally.fetched += total
            tally.inserted += data?["wasKnown"]?.bool == false ? total : Int64(new)
            return sync(businesses.dropFirst(), tally)
        }
    }
}

extension APIError {
    /// Of fields that are wrong: all of it in the message.
    fileprivate var asSentence: APIError {
        guard code == .validation else { return self }
        return APIError(.malformed, details.map { "\($0.field) \($0.message)" }.joined(separator: "; "))
    }
}
