package import OutboxCore
package import OutboxHTTP
package import OutboxJSON

/// Making, changing and removing templates (Meta's page "Template management").
extension GraphEndpoint {
    /// `POST /{version}/{account id}/message_templates`; `body` is the template as Meta writes it. The answer is
    /// `{"id", "status", "category"}`.
    package func createTemplate(wabaID: String, body: [UInt8], token: String, timeout: Duration) -> OutgoingRequest {
        post("\(wabaID)/message_templates", body: body, token: token, timeout: timeout)
    }

    /// `POST /{version}/{template id}`; `body` holds the members that change. The answer is `{"success": true}`.
    package func editTemplate(id: String, body: [UInt8], token: String, timeout: Duration) -> OutgoingRequest {
        post(percentEncoded(id), body: body, token: token, timeout: timeout)
    }

    /// `DELETE /{version}/{account id}/message_templates?name=…`, with `&hsm_id=…` one language of it alone.
    package func deleteTemplate(
        wabaID: String, name: String, id: String?, token: String, timeout: Duration
    ) -> OutgoingRequest {
        let one = id.map { "&hsm_id=\(percentEncoded($0))" } ?? ""
        return OutgoingRequest(
            method: "DELETE",
            url: "\(baseURL)/\(version)/\(wabaID)/message_templates?name=\(percentEncoded(name))\(one)",
            headers: ["Authorization: Bearer \(token)"], timeout: timeout)
    }

    func post(_ path: String, body: [UInt8], token: String, timeout: Duration) -> OutgoingRequest {
        OutgoingRequest(
            method: "POST", url: "\(baseURL)/\(version)/\(path)",
            headers: ["Authorization: Bearer \(token)", "Content-Type: application/json"], body: body,
            timeout: timeout)
    }
}

/// Meta's codes of registering a number (Meta's page "Error codes", registration errors), and what to do about them.
package let registrationErrors: [Int64: (title: String, remedy: String)] = [
    133_000: ("Incomplete deregistration", "deregister the number once more, then register it"),
    133_005: ("Two-step verification PIN mismatch", "give the number's PIN, or change it in Meta's WhatsApp Manager"),
    133_006: ("Phone number re-verification needed", "verify the number in Meta's WhatsApp Manager, then register it"),
    133_008: (
        "Too many two-step verification PIN guesses", "wait as long as the message says, then give the right PIN"
    ),
    133_009: ("Two-step verification PIN guessed too fast", "wait a moment, then give the right PIN"),
    133_015: ("Please wait a few minutes before attempting to register", "wait five minutes, then register it"),
    133_016: ("Register and deregister limit", "a number may be registered ten times in 72 hours: wait"),
]

/// What to do about Meta's subcodes of templates (Meta's page "Error codes", template creation errors).
package let templateRemedies: [Int64: String] = [
    2_388_019: "the account has as many templates as it may: remove some that nobody uses",
    2_388_023: "a template of this name was removed a while ago: give another name, or wait up to 30 days",
    2_388_024: "there is one of this name and language: change it with outboxctl template edit, or give another name",
    2_388_040: "a text of it is too long: shorten it",
    2_388_047: "the header is not as it may be: look at its text, variable and example",
    2_388_072: "the body is not as it may be: look at its text, variables and examples",
    2_388_073: "the footer is not as it may be: it takes no variables",
    2_388_293: "it has too many variables for so few words: write more, or take some out",
    2_388_299: "a text begins or ends with a variable: put words around it",
]

extension Template {
    /// What becomes of a draft that Meta took, as its list would show it. `answer` is Meta's; it may give another
    /// category than was asked for.
    package static func made(from draft: JSONValue, answer: JSONValue) -> Template? {
        guard let id = answer["id"]?.identifier else { return nil }
        return rewritten(
            draft,
            with: [
                "id": id, "status": answer["status"]?.words ?? "PENDING",
                "category": answer["category"]?.words ?? draft["category"]?.words ?? "",
            ])
    }

    /// This template with the members of a change that Meta took: it is looked at once more.
    package func changed(by change: JSONValue, parser: JSONParser) -> Template? {
        guard let before = try? parser.parse(raw) else { return nil }
        var json = JSONWriter()
        json.object {
            for (name, value) in before.members where change[name] == nil && name != "status" {
                $0.field(name, raw: value.raw)
            }
            for (name, value) in change.members { $0.field(name, raw: value.raw) }
            $0.field("status", Status.pending.name)
        }
        return (try? parser.parse(json.bytes)).flatMap { template(from: $0) }
    }

    private static func rewritten(_ draft: JSONValue, with words: KeyValuePairs<String, String>) -> Template? {
        var json = JSONWriter()
        json.object {
            for (name, word) in words { $0.field(name, word) }
            for (name, value) in draft.members where !words.contains(where: { $0.key == name }) && name != "dryRun" {
                $0.field(name, raw: value.raw)
            }
        }
        return (try? JSONParser().parse(json.bytes)).flatMap { template(from: $0) }
    }
}
