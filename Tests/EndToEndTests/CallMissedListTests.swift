import Foundation
import OutboxJSON
import TestKit
import Testing

/// A client of CallMissed's WhatsApp API: templates and campaigns.
@Suite(.serialized) struct CallMissedListTests {
    @Test func templatesAreMadeListedReadAndRemoved() throws {
        let client = try CallMissedClient.connected()
        let lab = client.lab
        let body = #"{"type":"BODY","text":"Hi {{1}}, order {{2}} shipped.","example":{"body_text":[["Priya","A-1"]]}}"#
        let draft = #"{"name":"order_shipped","category":"UTILITY","language":"en_US","components":[\#(body)]}"#
        let made = try client.call("POST", "/templates", draft)
        #expect(
            made.status == 200 && CallMissedClient.names(made.json) == ["template_id", "status", "template"],
            "\(made.text)")
        let documented: Set = [
            "id", "account_id", "template_id", "name", "language", "category", "status", "quality_score",
            "rejection_reason", "components", "last_meta_synced_at", "created_at", "updated_at",
        ]
        #expect(CallMissedClient.names(made.json?["template"]) == documented)
        let id = try #require(made.json?[path: "template", "id"]?.string)
        let account = try #require(made.json?[path: "template", "account_id"]?.string)
        func listed(_ query: String = "") throws -> [JSONValue] {
            let answer = try client.call("GET", "/templates\(query)")
            #expect(answer.status == 200, "\(answer.text)")
            return answer.json?.list ?? []
        }
        #expect(
            try eventually {
                try listed().first { $0["id"]?.string == id }?["status"]?.string == "APPROVED"
            })
        #expect(try listed().allSatisfy { CallMissedClient.names($0) == documented })
        for query in [
            "?waba_id=102290129340398", "?account_id=\(account)", "?status=approved&category=UTILITY&limit=500",
        ] {
            #expect(try listed(query).contains { $0["id"]?.string == id }, "\(query)")
        }
        #expect(try listed("?language=de").isEmpty && listed("?limit=1").count == 1)
        let synced = try client.call("POST", "/templates/sync")
        #expect(CallMissedClient.names(synced.json) == ["waba_id", "fetched", "inserted", "updated"], "\(synced.text)")
        #expect(synced.json?["inserted"]?.integer == 0 && synced.json?["waba_id"]?.string == "102290129340398")
        #expect(try client.call("POST", "/templates/sync", #"{"account_id":"\#(account)"}"#).status == 200)

        // One of two business accounts has to be named.
        let second = #"{"waba_id":"103","phone_number_id":"107","access_token":"EAAG"}"#
        #expect(try client.call("POST", "/onboarding/manual", second).status == 200)
        #expect(try client.call("GET", "/accounts").json?.list.count == 2)
        let unnamed = try client.call("POST", "/templates", draft)
        #expect(
            unnamed.status == 400
                && unnamed.json?["detail"]?.string == "Either account_id (UUID) or waba_id (Meta) is required")
        #expect(try client.call("POST", "/templates/sync", "{}").json?["waba_id"]?.isNull == true)
        #expect(try client.call("POST", "/templates/sync", #"{"waba_id":"9"}"#).status == 404)
        #expect(try client.call("POST", "/templates", #"{"waba_id":"102290129340398","name":"Order"}"#).status == 400)

        let removed = try client.call("DELETE", "/templates/\(id)")
        #expect(removed.status == 204 && removed.text.isEmpty, "\(removed.text)")
        #expect(try !listed("?waba_id=102290129340398").contains { $0["id"]?.string == id })
        #expect(try client.call("DELETE", "/templates/\(id)").status == 404)
        try lab.setFaults("error=100/message_templates")
        #expect(
            try client.call("POST", "/templates", draft.replacing("{\"name", with: "{\"waba_id\":\"103\",\"name"))
                .status
                == 422)
    }

    @Test func aCampaignIsMadeFilledAndLaunched() throws {
        let client = try CallMissedClient.connected()
        let plain = #"{"name":"April","template":"hello_world","phone_number_id":"1234567890"}"#
        let made = try client.call("POST", "/campaigns", plain)
        #expect(made.status == 201, "\(made.text)")
        let documented: Set = [
            "id", "account_id", "phone_number_id", "name", "template_name", "template_language", "status",
            "scheduled_at", "started_at", "completed_at", "total", "sent", "delivered", "read", "failed", "created_at",
        ]
        #expect(CallMissedClient.names(made.json) == documented.union(["phone_id"]))
        #expect(made.json?["status"]?.string == "draft" && made.json?["template_language"]?.string == "en_US")
        let id = try #require(made.json?["id"]?.string)
        let empty = try client.call("POST", "/campaigns/\(id)/launch")
        #expect(empty.status == 400 && empty.json?["detail"]?.string?.contains("no pending recipients") == true)
        let rows = #"{"recipients":[{"to_phone":"+1 (415) 555-0100"},{"to_phone":"14155550101"},{"to_phone":"12"}]}"#
        let added = try client.call("POST", "/campaigns/\(id)/recipients", rows)
        #expect(added.json?["inserted"]?.integer == 2 && added.json?["skipped_invalid"]?.integer == 1, "\(added.text)")
        #expect(added.json?["total_now"]?.integer == 2 && added.json?["skipped_duplicate"]?.integer == 0)
        let launched = try client.call("POST", "/campaigns/\(id)/launch")
        #expect(launched.status == 200 && launched.json?["status"]?.string == "running", "\(launched.text)")
        func listed() throws -> JSONValue? {
            try client.call("GET", "/campaigns?limit=5").json?.list.first { $0["id"]?.string == id }
        }
        #expect(try eventually { try listed()?["read"]?.integer == 2 })
        #expect(try eventually { try listed()?["status"]?.string == "completed" })
        #expect(try listed()?["total"]?.integer == 2 && listed()?["completed_at"]?.string != nil)
        #expect(try client.call("POST", "/campaigns/\(id)/launch").status == 409)
        #expect(try client.call("POST", "/campaigns/\(id)/recipients", rows).status == 409)

        // With its recipients, by our id of the number.
        let phone = try #require(listed()?["phone_id"]?.string)
        let whole =
            #"{"name":"May","template_name":"hello_world","template_language":"en_US","phone_id":"\#(phone)","#
            + #""template_components":[],"recipients":["14155550102",{"to":"14155550103","variables":{}},"x"]}"#
        let filled = try client.call("POST", "/campaigns", whole)
        #expect(filled.status == 201 && filled.json?["total"]?.integer == 2, "\(filled.text)")
        #expect(filled.json?[path: "recipients", "skipped_invalid"]?.integer == 1)
        #expect(filled.json?[path: "recipients", "inserted"]?.integer == 2)
        let none = try client.call(
            "POST", "/campaigns", plain.replacing("\"name\":\"April\"", with: "\"name\":\"June\",\"recipients\":[]"))
        #expect(none.status == 422 && none.json?["detail"]?.list.first?["loc"]?.list.last?.string == "recipients")
        #expect(try client.call("GET", "/campaigns").json?.list.first?["status"]?.string == "cancelled")
        #expect(try client.call("POST", "/campaigns", plain.replacing("hello_world", with: "nowhere")).status == 422)
    }
}
