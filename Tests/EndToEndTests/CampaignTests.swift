import Foundation
import OutboxCore
import OutboxJSON
import TestKit
import Testing

/// Campaigns on the real programs.
@Suite(.serialized) struct CampaignTests {
    private let folder = TemporaryFolder()

    private func write(_ name: String, _ text: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: folder.file(name)))
        return folder.file(name)
    }

    private func create(_ lab: Lab, _ fields: String = "", line: String = "main") throws -> String {
        let body = #"{"name":"spring","line":"\#(line)","template":{"name":"t","language":"en"}\#(fields)}"#
        let answer = try lab.call("POST", "/v1/campaigns", body)
        return try #require(answer.json?[path: "data", "id"]?.string, "\(answer.text)")
    }

    private func add(_ lab: Lab, _ id: String, _ numbers: [String]) throws {
        let lines = numbers.map { #"{"to":"\#($0)","variables":["Ann"]}"# }.joined(separator: "\n")
        let answer = try lab.call(
            "POST", "/v1/campaigns/\(id)/recipients", lines, headers: ["Content-Type: application/x-ndjson"])
        #expect(answer.json?[path: "data", "added"]?.integer == Int64(numbers.count), "\(answer.text)")
    }

    private func campaign(_ lab: Lab, _ id: String) throws -> JSONValue {
        try #require(try lab.call("GET", "/v1/campaigns/\(id)").json?["data"])
    }

    private func wait(_ lab: Lab, _ id: String, for status: String, within seconds: Double = 60) throws {
        var shown = ""
        let reached = try eventually(within: seconds) {
            let campaign = try self.campaign(lab, id)
            shown = String(decoding: campaign.compact, as: UTF8.self)
            return campaign["status"]?.string == status
        }
        #expect(reached, "not \(status): \(shown)")
    }

    private func numbers(_ count: Int) -> [String] { (0..<count).map { "1415556\(1000 + $0)" } }

    private func ledger(_ lab: Lab) throws -> [String: Int] {
        let all = try lab.sandbox("GET", "ledger?limit=100000")?["data"]?.list ?? []
        return Dictionary(grouping: all.compactMap { $0["to"]?.string }) { String($0.drop { $0 == "+" }) }.mapValues(
            \.count)
    }

    @Test func aFileOfPeopleGoesOutAndIsReported() throws {
        let rates = try write("rates.csv", "country,category,price,currency\nUS,marketing,0.025,USD\n")
        let lab = try Lab(daemon: ["--rates", rates])
        let made = try lab.ctl("campaign", "create", "Spring sale", "--template", "t", "--language", "en", "--json")
        let id = try #require(try JSONParser().parse(made.text.utf8)[path: "data", "id"]?.string, "\(made.text)")
        let csv = try write(
            "people.csv",
            "to,timezone,1\n+14155550101,America/New_York,Ann\n14155550102,,Bob\n14155550102,,Bob\n12,,X\n")
        let added = try lab.ctl("campaign", "add", id, "--from", csv)
        #expect(
            added.status == 5 && added.text.contains("added 2 of 4, 1 were in the campaign already"), "\(added.text)")
        #expect(added.text.contains("line 5: to must be a phone number"), "\(added.text)")
        let again = try lab.ctl("campaign", "add", id, "14155550101", "14155550103")
        #expect(again.status == 0 && again.text.contains("added 1 of 2"), "\(again.text)")
        let forecast = try lab.ctl("campaign", "forecast", id)
        #expect(forecast.status == 0 && forecast.text.contains("cost        0.075 USD"), "\(forecast.text)")
        #expect(try lab.ctl("campaign", "launch", id).status == 0)
        let watched = try lab.ctl("campaign", "watch", id)
        #expect(watched.status == 0 && watched.text.contains("completed  3 of 3"), "\(watched.text)")
        let delivered = try eventually {
            try self.campaign(lab, id)[path: "progress", "messages", "read"]?.integer == 3
        }
        #expect(delivered)
        let report = try lab.ctl("campaign", "report", id)
        #expect(
            report.text.contains("read        3") && report.text.contains("cost        0.075 USD"), "\(report.text)")
        let rows = try lab.call("GET", "/v1/analytics/breakdown?by=campaign").json?[path: "data", "rows"]?.list ?? []
        #expect(rows.first?["campaign"]?.string == id && rows.first?["read"]?.integer == 3)
        #expect(try lab.call("GET", "/v1/analytics/summary?campaign=\(id)").text.contains(#""total":3,"#))
        let list = try lab.ctl("campaign", "ls", "-o", "id")
        #expect(list.text == "\(id)\n")
        let shown = try lab.ctl("campaign", "show", id)
        #expect(shown.text.contains("status      completed"), "\(shown.text)")
        let events = try lab.call("GET", "/v1/events?event=campaign.completed&after=0").text
        #expect(events.split(separator: "\n").count == 1 && events.contains(id), "\(events)")
        #expect(try lab.ctl("campaign", "launch", id).status == 5)
        #expect(try lab.ctl("campaign", "show", "01a1fde1-218e-7000-82f6-e07a0b91ee61").status == 4)
        let recipients = try lab.ctl("campaign", "recipients", id)
        #expect(recipients.text.split(separator: "\n").count == 3, "\(recipients.text)")
    }

    @Test func killsLoseAndDoubleNobody() throws {
        let lab = try Lab(
            line:
                #"{"phoneNumberId":"106","token":"t","messagesPerSecond":150,"pairLimit":false,"closedWindow":"leave"}"#
        )
        let id = try create(lab)
        try add(lab, id, numbers(400))
        #expect(try lab.call("POST", "/v1/campaigns/\(id)/launch").status == 200)
        for _ in 0..<6 {
            usleep(250_000)
            lab.killDaemon()
            try lab.startDaemon()
        }
        // Whose outcome the kill left open settles by Meta's statuses, or stays held.
        let settled = try eventually(within: 60) { () throws -> Bool in
            let progress = try self.campaign(lab, id)["progress"]
            let messages = progress?["messages"]
            let waiting = ["scheduled", "queued", "retrying"].compactMap { messages?[$0]?.integer }.reduce(0, +)
            let unknown = try lab.call("GET", "/v1/status").json?[path: "data", "unknownOutcomes"]?.integer
            return progress?["pending"]?.integer == 0 && waiting == 0 && messages?["processing"]?.integer == unknown
        }
        let shown = try campaign(lab, id)
        #expect(settled, "\(String(decoding: shown.compact, as: UTF8.self))")
        let received = try ledger(lab)
        #expect(received.values.allSatisfy { $0 == 1 }, "somebody got it twice: \(received.filter { $0.value > 1 })")
        let held = shown[path: "progress", "messages", "processing"]?.integer ?? 0
        #expect(received.count >= 400 - Int(held))
        let list = try lab.call("GET", "/v1/campaigns/\(id)/recipients?limit=200").json?["data"]?.list ?? []
        #expect(Set(list.compactMap { $0["messageId"]?.string }).count == 200)
        if held == 0 { try wait(lab, id, for: "completed") }
        let events = try lab.call("GET", "/v1/events?event=campaign.completed&after=0").text
        #expect(events.split(separator: "\n").count == (held == 0 ? 1 : 0))
    }

    @Test func aCanaryStopsACampaignThatFails() throws {
        let lab = try Lab()
        try lab.setFaults("error=131026")
        let id = try create(lab, #","canary":{"first":5,"waitSeconds":60,"abortAboveFailureShare":0.2}"#)
        try add(lab, id, numbers(50))
        _ = try lab.call("POST", "/v1/campaigns/\(id)/launch")
        try wait(lab, id, for: "paused")
        let stopped = try campaign(lab, id)
        #expect(stopped["aborted"]?.bool == true)
        #expect(stopped["reason"]?.string?.contains("failed") ?? false)
        #expect(stopped[path: "progress", "pending"]?.integer ?? 0 >= 45)
        #expect(try lab.ctl("campaign", "watch", id).status == 6)
        #expect(try lab.call("GET", "/v1/events?event=campaign.aborted&after=0").text.contains(id))
        try lab.setFaults()
        #expect(try lab.ctl("campaign", "resume", id).status == 0)
        try wait(lab, id, for: "completed")
        let report = try lab.call("GET", "/v1/campaigns/\(id)/report").json?["data"]
        #expect(report?["failures"]?.list.first?["code"]?.string == "131026")
    }

    @Test func whoStopsMarketingInWhatsAppGetsNone() throws {
        let lab = try Lab()
        let value = #"""
            {"messaging_product":"whatsapp","metadata":{"display_phone_number":"1","phone_number_id":"106"},
             "user_preferences":[{"wa_id":"14155561000","category":"marketing_messages","value":"stop",
             "timestamp":1800000000}]}
            """#
        _ = try lab.sandbox("POST", "event", #"{"field":"user_preferences","wabaId":"102","value":\#(value)}"#)
        let isKnown = try eventually { try lab.call("GET", "/v1/opt-outs/14155561000").status == 200 }
        #expect(isKnown)
        let id = try create(lab)
        try add(lab, id, numbers(3))
        let forecast = try lab.call("GET", "/v1/campaigns/\(id)/forecast").json?["data"]
        #expect(forecast?["optedOut"]?.integer == 1)
        _ = try lab.call("POST", "/v1/campaigns/\(id)/launch")
        try wait(lab, id, for: "completed")
        #expect(try campaign(lab, id)[path: "progress", "skipped", "opted_out"]?.integer == 1)
        #expect(try ledger(lab)["14155561000"] == nil)
        let skipped = try lab.call("GET", "/v1/campaigns/\(id)/recipients?status=skipped").json?["data"]?.list
        #expect(skipped?.first?["skipped"]?.string == "opted_out" && skipped?.count == 1)
        let template = #"{"to":"14155561000","priority":"low","template":{"name":"t","language":"en"}}"#
        let refused = try lab.call("POST", "/v1/messages", template)
        #expect(refused.status == 409 && refused.text.contains("OPTED_OUT"), "\(refused.text)")
        #expect(try lab.ctl("opt-out", "ls").text.contains("preference"))
        #expect(try lab.ctl("opt-out", "rm", "14155561000").status == 0)
        #expect(try lab.ctl("opt-out", "rm", "14155561000").status == 4)
        #expect(try lab.call("POST", "/v1/messages", template).status == 202)
        #expect(try lab.ctl("opt-out", "add", "14155561001", "--reason", "by phone").status == 0)
        #expect(try lab.ctl("opt-out", "show", "14155561001").text.contains("by phone"))
        #expect(try lab.ctl("cap", "set", "1/7", "--when-reached", "fail").status == 0)
        #expect(try lab.ctl("cap", "ls").text.contains("account\t1\t7\tfail"))
        let other = #"{"to":"14155561009","priority":"low","template":{"name":"t","language":"en"}}"#
        let first = try #require(try lab.call("POST", "/v1/messages", other).json?[path: "data", "id"]?.string)
        try lab.wait(first, for: "read")
        #expect(try lab.call("POST", "/v1/messages", other).status == 429)
        #expect(try lab.ctl("cap", "rm").status == 0)
    }

    @Test func nobodyIsWokenUp() throws {
        let lab = try Lab()
        // Two hours around now, where the recipients are.
        let minutes = Int(Date().timeIntervalSince1970 / 60) % 1440
        func text(_ minute: Int) -> String {
            let minute = (minute + 1440) % 1440
            return "\(minute / 60 < 10 ? "0" : "")\(minute / 60):\(minute % 60 < 10 ? "0" : "")\(minute % 60)"
        }
        let id = try create(lab, #","quietHours":{"from":"\#(text(minutes - 60))","to":"\#(text(minutes + 60))"}"#)
        let lines = [
            #"{"to":"14155561000","variables":["Ann"],"timeZone":"Etc/UTC"}"#,
            #"{"to":"14155561001","variables":["Ann"],"timeZone":"Asia/Tokyo"}"#,
        ].joined(separator: "\n")
        let added = try lab.call(
            "POST", "/v1/campaigns/\(id)/recipients", lines, headers: ["Content-Type: application/x-ndjson"])
        #expect(added.json?[path: "data", "added"]?.integer == 2, "\(added.text)")
        let forecast = try lab.call("GET", "/v1/campaigns/\(id)/forecast").json?["data"]
        #expect(forecast?["limitedBy"]?.string == "quiet_hours")
        _ = try lab.call("POST", "/v1/campaigns/\(id)/launch")
        let isThere = try eventually { try self.ledger(lab)["14155561001"] == 1 }
        #expect(isThere)
        #expect(try ledger(lab)["14155561000"] == nil)
        #expect(try campaign(lab, id)[path: "progress", "pending"]?.integer == 1)
        #expect(try lab.ctl("campaign", "cancel", id, "--reason", "enough").text.contains("is cancelled"))
        try wait(lab, id, for: "cancelled")
    }
}
