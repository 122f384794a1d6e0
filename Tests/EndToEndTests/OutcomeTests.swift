import Foundation
import OutboxJSON
import OutboxMeta
import TestKit
import Testing

/// What Meta does wrong, and what Meta's webhooks may bring.
@Suite(.serialized) struct OutcomeTests {
    @Test func metasRefusalFailsWithItsCodeAndARetrySendsAgain() throws {
        let lab = try Lab()
        try lab.setFaults("error=131026:14155550100")
        let id = try lab.submit()
        let failed = try lab.wait(id, for: "failed")
        #expect(failed["errorCode"]?.string == "131026")
        #expect(failed["errorMessage"]?.string?.contains("Message undeliverable") == true)
        try lab.setFaults()
        #expect(try lab.call("POST", "/v1/messages/\(id)/retry").status == 202)
        let read = try lab.wait(id, for: "read")
        #expect(read["attempts"]?.integer == 2 && read["errorCode"]?.isNull == true)
    }

    @Test func aBadMomentOfMetasIsTriedAgain() throws {
        let lab = try Lab()
        for fault in ["error=131016", "http=404", "throttle=1", "error=130429"] {
            try lab.setFaults(fault)
            let id = try lab.submit()
            let waiting = try lab.wait(id, for: "retrying")
            #expect(waiting["gate"]?.string == "backoff" && waiting["nextAttemptAt"]?.string != nil)
            try lab.setFaults()
            try lab.wait(id, for: "read")
        }
    }

    /// The message went out, the answer did not come back: the status webhook settles it, nothing is sent twice.
    @Test(arguments: ["lose-answer", "reset", "truncate", "garbage"])
    func aLostAnswerIsSettledByTheWebhook(_ fault: String) throws {
        let lab = try Lab()
        try lab.setFaults(fault)
        let id = try lab.submit()
        let message = try lab.wait(id, for: "read")
        #expect(message["attempts"]?.integer == 1)
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "received"]?.integer == 1)
        let events = message["timeline"]?.list.compactMap { $0["event"]?.string } ?? []
        #expect(events.contains("outcomeUnknown") || events.contains("noted"))
    }

    @Test(arguments: ["drop", "http=502"])
    func anUnknownOutcomeIsHeldAndSaysSo(_ fault: String) throws {
        let lab = try Lab()
        try lab.setFaults(fault)
        let id = try lab.submit()
        let unknown = try eventually { try lab.message(id)["gate"]?.string == "outcome_unknown" }
        #expect(unknown)
        #expect(try lab.message(id)["status"]?.string == "processing")
        #expect(try lab.call("GET", "/v1/status").json?[path: "data", "unknownOutcomes"]?.integer == 1)
        #expect(try lab.sandbox("GET", "summary")?[path: "data", "received"]?.integer == 1)
        #expect(try lab.call("POST", "/v1/messages/\(id)/cancel").status == 409)
    }

    @Test func anUnknownOutcomeIsSentAgainWhereTheLineSaysSo() throws {
        let line = #"{"phoneNumberId":"106","token":"t","onUnknown":"resend","unknownGraceSeconds":5,\#(Lab.freely)}"#
        let lab = try Lab(line: line)
        try lab.setFaults("drop")
        let id = try lab.submit()
        _ = try eventually { try lab.message(id)["gate"]?.string == "outcome_unknown" }
        try lab.setFaults()
        let message = try lab.wait(id, for: "read")
        #expect(message["attempts"]?.integer == 2)
        let opaque = try lab.sandbox("GET", "ledger")?["data"]?.list.compactMap { $0["opaque"]?.string }
        #expect(opaque == ["\(id).1", "\(id).2"])
    }

    @Test func metasLaterFailureIsFinalWithAndWithoutTheOpaqueId() throws {
        for arguments in [[], ["--no-opaque-on-failed"]] {
            let lab = try Lab(sandbox: arguments)
            try lab.setFaults("fail=131049")
            let id = try lab.submit()
            let message = try lab.wait(id, for: "failed")
            #expect(message["errorCode"]?.string == "131049" && message["sentAt"]?.string != nil)
        }
    }

    @Test func repeatedAndReorderedWebhooksEndTheSame() throws {
        let lab = try Lab(sandbox: ["--duplicate-webhooks", "0.5", "--reorder-webhooks", "0.5"])
        let ids = try (0..<50).map { try lab.submit(to: "141555501\(10 + $0)") }
        for id in ids { try lab.wait(id, for: "read") }
    }

    /// Measured where it arrives.
    @Test func aLineKeepsItsRateOnTheWire() throws {
        let lab = try Lab(
            line:
                #"{"phoneNumberId":"106","token":"t","messagesPerSecond":50,"closedWindow":"leave","pairLimit":false}"#)
        let items = (0..<150).map { #"{"to":"1415556\#(1000 + $0)","message":"a"}"# }.joined(separator: ",")
        #expect(try lab.call("POST", "/v1/messages/bulk", #"{"messages":[\#(items)]}"#).status == 202)
        let all = try eventually { try lab.sandbox("GET", "summary")?[path: "data", "received"]?.integer == 150 }
        #expect(all)
        let times = try lab.sandbox("GET", "ledger")?["data"]?.list.compactMap { $0["at"]?.string } ?? []
        let formatter = ISO8601DateFormatter()
        formatter.formatOptions = [.withInternetDateTime, .withFractionalSeconds]
        let moments = times.compactMap { formatter.date(from: $0)?.timeIntervalSince1970 }.sorted()
        #expect(moments.count == 150)
        // Ten more would be a fifth over the rate; the machine's own jitter moves one or two.
        for index in moments.indices.dropFirst(60) { #expect(moments[index] - moments[index - 60] > 1) }
    }

    // MARK: The webhook door

    private func webhook(_ lab: Lab, _ body: String, signature: String? = nil, path: String = "/webhooks/default")
        throws -> Int
    {
        let signature = signature ?? webhookSignature(secret: lab.secret, body: Array(body.utf8))
        return try lab.tryCall(
            "POST", path, body, headers: ["X-Hub-Signature-256: \(signature)"], socket: lab.webhookSocket
        ).status
    }

    @Test func onlySignedWebhooksAreTaken() throws {
        let lab = try Lab()
        #expect(try webhook(lab, "{}", signature: "sha256=00") == 401)
        #expect(try webhook(lab, "{}", signature: "") == 401)
        #expect(try webhook(lab, #"{"entry":[]}"#) == 200)
        #expect(try webhook(lab, #"{"entry":[]}"#, path: "/webhooks/other") == 404)
        #expect(try webhook(lab, #"{"entry":[]}"#, path: "/v1/messages") == 404)
        #expect(try lab.tryCall("GET", "/v1/status", socket: lab.webhookSocket).status == 404)
        #expect(try lab.call("POST", "/webhooks/default", "{}").status == 404)
    }

    @Test func metaVerifiesTheAddress() throws {
        let lab = try Lab()
        func verify(_ token: String) throws -> (Int, String) {
            let answer = try lab.tryCall(
                "GET", "/webhooks/default?hub.mode=subscribe&hub.verify_token=\(token)&hub.challenge=1158201444",
                socket: lab.webhookSocket)
            return (answer.status, answer.text)
        }
        #expect(try verify("verify") == (200, "1158201444"))
        #expect(try verify("other").0 == 403)
        #expect(try verify("").0 == 403)
    }

    @Test func whatCannotBeReadIsKeptAndTheRestGoesOn() throws {
        let lab = try Lab()
        #expect(try webhook(lab, "not json") == 200)
        #expect(try webhook(lab, #"{"object":"x"}"#) == 200)
        #expect(
            try webhook(
                lab,
                #"{"entry":[{"changes":[{"field":"never_seen","value":7},{"field":"messages","value":{"statuses":[{"id":"w","status":"dancing","timestamp":"1"},{}]}}]}]}"#
            ) == 200)
        #expect(try lab.call("GET", "/v1/status").json?[path: "data", "unreadWebhooks"]?.integer == 2)
        let id = try lab.submit()
        try lab.wait(id, for: "read")
    }

    @Test func aThousandUpdatesInOneCallAreApplied() throws {
        let lab = try Lab(sandbox: ["--fault", "silent"])
        let ids = try (0..<40).map { try lab.submit(to: "141555501\(10 + $0)") }
        for id in ids { try lab.wait(id, for: "sent") }
        let statuses = ids.flatMap { id in
            (0..<25).map { _ in
                #"{"id":"w\#(id)","status":"delivered","timestamp":"1800000000","biz_opaque_callback_data":"\#(id).1"}"#
            }
        }
        let body =
            #"{"object":"whatsapp_business_account","entry":[{"changes":[{"field":"messages","value":{"metadata":{"phone_number_id":"106"},"statuses":["#
            + statuses.joined(separator: ",") + "]}}]}]}"
        #expect(try webhook(lab, body) == 200)
        for id in ids { try lab.wait(id, for: "delivered") }
    }
}
