import Foundation
import OutboxJSON
import TestKit
import Testing

/// What became of the messages, told from the counts that each change keeps.
@Suite(.serialized) struct AnalyticsTests {
    private func report(_ lab: Lab, _ path: String) throws -> JSONValue {
        let answer = try lab.call("GET", "/v1/analytics/\(path)")
        #expect(answer.status == 200, "\(answer.text)")
        return try #require(answer.json?["data"])
    }

    @Test func everyReportTellsOfTheSameMessages() throws {
        let folder = TemporaryFolder()
        let rates = folder.file("rates.csv")
        try Data("country,category,price,currency\nDE,utility,0.0456,EUR\n".utf8).write(to: URL(fileURLWithPath: rates))
        // So that a reply is known without a quote.
        let lab = try Lab(
            daemon: ["--rates", rates],
            line:
                #"{"phoneNumberId":"106","token":"t","messagesPerSecond":5000,"pairLimit":true,"closedWindow":"leave"}"#
        )
        let template = #"{"line":"main","to":"49151123456%@","template":{"name":"order","language":"en"}}"#
        for number in ["78", "79"] {
            let answer = try lab.call("POST", "/v1/messages", template.replacingOccurrences(of: "%@", with: number))
            let id = try #require(answer.json?["data"]?["id"]?.string, "\(answer.text)")
            try lab.wait(id, for: "read")
        }
        try lab.wait(try lab.submit(), for: "read")
        try lab.setFaults("error=131026")
        let failed = try lab.submit(to: "14155550101")
        try lab.wait(failed, for: "failed")
        try lab.setFaults()
        let later = try lab.submit(#","sendAt":"2099-01-01T00:00:00Z""#, to: "14155550102")
        #expect(try lab.call("POST", "/v1/messages/\(later)/cancel").status == 202)
        try lab.sandbox("POST", "inbound", #"{"phoneNumberId":"106","from":"14155550100","type":"text"}"#)
        #expect(try eventually { try report(lab, "summary")["replied"]?.integer == 1 })

        let summary = try report(lab, "summary")
        // The one of 2099 counts there.
        #expect(summary["total"]?.integer == 4)
        #expect(summary[path: "byStatus", "read"]?.integer == 3)
        #expect(summary[path: "byStatus", "failed"]?.integer == 1)
        #expect(summary["failureRate"].map { String(decoding: $0.raw, as: UTF8.self) } == "0.2500")
        let steps = try report(lab, "funnel")["steps"]?.list ?? []
        #expect(steps.map { $0["count"]?.integer } == [3, 3, 3, 1])
        for by in ["day", "hour"] {
            let points = try report(lab, "timeseries?days=2&by=\(by)")["points"]?.list ?? []
            #expect(points.count >= (by == "day" ? 2 : 25) && points.count <= (by == "day" ? 2 : 48))
            #expect(points.compactMap { $0["accepted"]?.integer }.reduce(0, +) == 4)
        }
        let rows = try report(lab, "breakdown?by=template")["rows"]?.list ?? []
        #expect(
            Set(rows.map { "\($0["template"]?.string ?? "-") \($0["read"]?.integer ?? -1)" }) == ["order/en 2", "- 1"])
        let codes = try report(lab, "failures?line=main")["codes"]?.list ?? []
        #expect(codes.map { $0["code"]?.string } == ["131026"] && codes[0]["title"]?.string?.isEmpty == false)
        let costs = try report(lab, "costs")
        #expect(
            costs["cost"]?.string == "0.0912" && costs["currency"]?.string == "EUR",
            "\(String(decoding: costs.raw, as: UTF8.self))")
        #expect(costs["messages"]?.integer == 3 && costs["withoutRate"]?.integer == 0)
        let message = try lab.message(failed)
        #expect(message["repliedAt"]?.isNull == true && message["pricing"] == nil)

        // All the same after a kill.
        lab.killDaemon()
        try lab.startDaemon()
        #expect(try report(lab, "summary")["total"]?.integer == 4)
        #expect(try report(lab, "summary?since=2098-12-31T00:00:00Z&until=2099-01-02T00:00:00Z")["total"]?.integer == 1)

        let drawn = try lab.ctl("stats", "-d", "2")
        #expect(drawn.status == 0, "\(drawn.text)")
        for words in ["4 messages", "3 read", "order/en", "131026", "0.0912 EUR", "\u{2588}"] {
            #expect(drawn.text.contains(words), "\(words) in \(drawn.text)")
        }
        let json = try lab.ctl("stats", "--json").text.split(separator: "\n")
        #expect(json.count == 8 && json.allSatisfy { $0.hasPrefix("{") }, "\(json)")
    }

    @Test func whatIsAskedForWronglyIsNamed() throws {
        let lab = try Lab()
        for (query, field) in [
            ("days=0", "days"), ("days=91", "days"), ("days=1&since=2026-01-01T00:00:00Z", "days"),
            ("since=yesterday", "since"),
            ("until=1970-01-01T00:00:00Z&since=1970-01-01T00:00:00Z", "until"),
            ("by=hour", "by"), ("color=red", "color"),
        ] {
            let answer = try lab.call("GET", "/v1/analytics/summary?\(query)")
            #expect(answer.status == 400 && answer.text.contains("\"field\":\"\(field)\""), "\(query): \(answer.text)")
        }
        #expect(try lab.call("GET", "/v1/analytics/timeseries?by=week").status == 400)
        #expect(try lab.call("GET", "/v1/analytics/timeseries?since=2020-01-01T00:00:00Z").status == 400)
        #expect(try lab.call("GET", "/v1/analytics/summary?since=2020-01-01T00:00:00Z").status == 200)
        #expect(try lab.call("GET", "/v1/analytics/summary?line=none").status == 404)
        #expect(try lab.call("GET", "/v1/analytics/summary").json?[path: "data", "deliveryRate"]?.isNull == true)
        #expect(try lab.ctl("stats", "-d", "100").status == 64)
        #expect(try lab.ctl("stats").text.contains("0 messages"))
    }
}
