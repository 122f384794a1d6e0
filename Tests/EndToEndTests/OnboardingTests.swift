import Foundation
import OutboxJSON
import TestKit
import Testing

/// Numbers connected, and tokens that end, with the real programs.
@Suite struct OnboardingTests {
    private static let line = #"{"phoneNumberId":"106","wabaId":"102","token":"t",\#(Lab.freely)}"#

    private func verdicts(_ lab: Lab) throws -> [String: String] {
        let checks = try lab.call("POST", "/v1/lines/main/verify").json?["data"]?["checks"]?.list ?? []
        return Dictionary(
            checks.map { ($0["check"]?.string ?? "", $0["verdict"]?.string ?? "") },
            uniquingKeysWith: { first, _ in first })
    }

    private func token(_ lab: Lab) throws -> JSONValue? {
        try lab.call("GET", "/v1/lines/main/health").json?["data"]?["token"]
    }

    @Test func aNumberIsRegisteredSubscribedAndVerified() throws {
        let lab = try Lab(line: Self.line)
        try lab.sandbox("PUT", "numbers/106", #"{"status":"PENDING","platform_type":"NOT_APPLICABLE"}"#)
        var found = try verdicts(lab)
        #expect(found["number"] == "problem" && found["subscription"] == "problem" && found["token"] == "ok")
        #expect(try lab.call("POST", "/v1/lines/main/register", #"{"pin":"123456"}"#).status == 200)
        #expect(try lab.call("POST", "/v1/lines/main/subscribe").status == 200)
        found = try verdicts(lab)
        #expect(found.values.allSatisfy { $0 == "ok" }, "\(found)")
        #expect(try lab.ctl("line", "verify", "main").status == 0)
        let wrong = try lab.call("POST", "/v1/lines/main/register", #"{"pin":"654321"}"#)
        #expect(wrong.status == 400 && wrong.text.contains("133005") && wrong.text.contains("remedy"))
        let told = try lab.call("GET", "/v1/events?event=operator.change").text
        #expect(told.contains("line.registered") && told.contains("line.subscribed") && !told.contains("123456"))
        // The journal, the database and the answers hold no PIN.
        #expect(!(lab.daemon?.words.contains("123456") ?? true))
    }

    @Test func eachCheckSaysWhatIsWrong() throws {
        let lab = try Lab(line: Self.line)
        try lab.sandbox("PUT", "tokens/t", #"{"scopes":["whatsapp_business_messaging"]}"#)
        try lab.setFaults("error=100/phone_numbers", "error=10/number")
        let found = try verdicts(lab)
        #expect(found["permissions"] == "problem" && found["account"] == "problem" && found["number"] == "problem")
        try lab.setFaults("drop/debug_token")
        #expect(try verdicts(lab)["token"] == "warning")
        try lab.setFaults()
        try lab.sandbox("PUT", "tokens/t", #"{"is_valid":false}"#)
        #expect(try verdicts(lab)["token"] == "problem")
        let tool = try lab.ctl("line", "verify", "main")
        #expect(tool.status == 8 && tool.text.contains("outboxctl line add main --token -"), "\(tool.text)")
    }

    @Test func aCodeBecomesALine() throws {
        let lab = try Lab(line: nil)
        let signup = #"{"code":"c1","appId":"7","line":"shop","phoneNumberId":"109","wabaId":"102"}"#
        let made = try lab.call("POST", "/v1/onboarding/exchange", signup)
        #expect(made.status == 201 && made.json?["data"]?["tokenSecret"]?.string == "line.shop.token", "\(made.text)")
        #expect(!made.text.contains("sandbox-token"))
        let file = lab.folder.file("state/secrets/line.shop.token")
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "sandbox-token-c1")
        let used = try lab.call("POST", "/v1/onboarding/exchange", signup)
        #expect(used.status == 400 && used.text.contains("META_REFUSED"))
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "sandbox-token-c1")
        // Another token for a line that is there leaves its settings.
        #expect(
            try lab.call(
                "PUT", "/v1/lines/shop",
                #"{"phoneNumberId":"109","wabaId":"102","tokenSecret":"line.shop.token","burst":7}"#
            ).status == 200)
        let again = try lab.call("POST", "/v1/onboarding/exchange", signup.replacing("c1", with: "c2"))
        #expect(again.status == 200 && again.json?["data"]?["burst"]?.integer == 7)
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "sandbox-token-c2")
        try lab.setFaults("lose-answer/access_token")
        #expect(try lab.call("POST", "/v1/onboarding/exchange", signup.replacing("c1", with: "c3")).status == 502)
        let words = lab.daemon?.words ?? ""
        #expect(!words.contains("sandbox-token") && !words.contains(lab.secret))
    }

    @Test func numbersAreListedWithTheirLines() throws {
        let lab = try Lab(line: Self.line)
        let listed = try lab.call("POST", "/v1/onboarding/numbers", #"{"line":"main"}"#).json
        let account = listed?["data"]?.list.first
        #expect(account?["wabaId"]?.string == "100000000000001")
        #expect(account?["numbers"]?.list.first?["line"]?.string == "main")
        #expect(listed?["meta"]?["token"]?["missingScopes"]?.list.isEmpty == true)
        let own = #"{"granular_scopes":[{"scope":"whatsapp_business_management","target_ids":["102","103"]}]}"#
        try lab.sandbox("PUT", "tokens/other", own)
        let two = try lab.call("POST", "/v1/onboarding/numbers", #"{"token":"other"}"#).json
        #expect(two?["data"]?.list.compactMap { $0["wabaId"]?.string } == ["102", "103"])
        try lab.sandbox("PUT", "tokens/other", #"{"is_valid":false}"#)
        #expect(try lab.call("POST", "/v1/onboarding/numbers", #"{"token":"other"}"#).status == 400)
        #expect(try lab.ctl("line", "numbers", "--line", "main").text.contains("106\t100000000000001"))
    }

    @Test func aTokenThatEndsIsSaidLoudly() throws {
        let lab = try Lab(line: nil)
        let end = Int(Date().timeIntervalSince1970) + 3 * 86_400
        try lab.sandbox("PUT", "tokens/t", #"{"expires_at":\#(end)}"#)
        #expect(try lab.call("PUT", "/v1/lines/main", Self.line).status == 201)
        #expect(try eventually { try token(lab)?["state"]?.string == "expiring" })
        // The journal is told behind the answer.
        #expect(eventually { lab.daemon?.words.contains("the access token ends at") ?? false })
        #expect(try lab.ctl("line", "show", "main").text.contains("expiring"))
        #expect(try lab.ctl("status").text.contains("the access token of the line main ends at"))
        #expect(try lab.ctl("doctor").text.contains("the access token ends at"))
        let metrics = try lab.call("GET", "/metrics").text
        #expect(metrics.contains("outboxd_line_token_expiry_time_seconds{line=\"main\"} \(end).0"))
        #expect(try lab.call("GET", "/v1/events?event=line.updated").text.contains("\"token\":\"expiring\""))
        // A token that never ends takes its place.
        #expect(try lab.call("PUT", "/v1/lines/main", Self.line.replacing("\"t\"", with: "\"t2\"")).status == 200)
        #expect(try eventually { try token(lab)?["state"]?.string == "valid" })
        #expect(try !lab.ctl("status").text.contains("access token"))
    }

    @Test func aRefusedTokenHoldsMessagesUntilThereIsANewOne() throws {
        let lab = try Lab(line: Self.line)
        try lab.sandbox("PUT", "tokens/t", #"{"is_valid":false}"#)
        let first = try lab.submit()
        // The first try finds it out; then the line is held with that reason.
        #expect(try eventually { try token(lab)?["state"]?.string == "refused" })
        let second = try lab.submit(to: "14155550101")
        let why = try lab.call("GET", "/v1/lines/main/why").json?["data"]
        #expect(why?["held"]?["errorCode"]?.string == "190")
        #expect(try lab.call("GET", "/metrics").text.contains("outboxd_line_token_valid{line=\"main\"} 0"))
        for id in [first, second] {
            #expect(["queued", "retrying"].contains(try lab.message(id)["status"]?.string ?? ""))
        }
        #expect(try lab.call("PUT", "/v1/lines/main", Self.line.replacing("\"t\"", with: "\"t2\"")).status == 200)
        for id in [first, second] { try lab.wait(id, for: "read") }
        #expect(try eventually { try token(lab)?["state"]?.string == "valid" })
    }
}
