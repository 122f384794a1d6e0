import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import TestKit
import Testing

@Suite struct PhoneNumberAnswerTests {
    private let parser = JSONParser()
    private let now = Timestamp(milliseconds: 1_800_000_000_000)

    private func read(_ body: String, status: Int = 200) -> Reading<LineHealth> {
        lineHealth(of: .answered(status: status, headers: [], body: Array(body.utf8)), parser: parser, now: now)
    }

    private func health(_ body: String) -> LineHealth? {
        if case .read(let health) = read(body) { health } else { nil }
    }

    private let whole = """
        {"verified_name":"Bakery","status":"CONNECTED","quality_rating":"YELLOW","throughput":{"level":"HIGH"},
        "code_verification_status":"EXPIRED","platform_type":"CLOUD_API","account_mode":"LIVE",
        "whatsapp_business_manager_messaging_limit":"TIER_2K","health_status":{"can_send_message":"LIMITED","entities":[
        {"entity_type":"PHONE_NUMBER","id":"106","can_send_message":"AVAILABLE"},
        {"entity_type":"WABA","id":"102","can_send_message":"LIMITED","errors":[
        {"error_code":141006,"error_description":"There is no payment method.","possible_solution":"Add one."}]},
        {"entity_type":"BUSINESS","id":"101","can_send_message":"LIMITED","additional_info":["Not verified yet."]},
        {"entity_type":"APP","id":"100","can_send_message":"BLOCKED"}]},"id":"106"}
        """

    @Test func theRequestAsksForWhatIsRead() {
        let request = GraphEndpoint(baseURL: "https://graph.example", version: "v25.0").phoneNumber(
            phoneNumberID: "106", token: "T", timeout: .seconds(9))
        #expect(request.method == "GET" && request.body.isEmpty && request.timeout == .seconds(9))
        #expect(request.headers == ["Authorization: Bearer T"])
        #expect(request.url.hasPrefix("https://graph.example/v25.0/106?fields=display_phone_number,"))
        for field in [
            "status", "quality_rating", "throughput", "code_verification_status", "platform_type", "health_status",
            "whatsapp_business_manager_messaging_limit",
        ] {
            #expect(request.url.split(separator: "=")[1].split(separator: ",").contains { $0 == field }, "\(field)")
        }
    }

    @Test func everythingMetaSaysIsRead() {
        #expect(
            health(whole)
                == LineHealth(
                    status: .online, canSend: .limited, quality: .yellow, tier: .tier2K, messagesPerSecond: 1000,
                    reasons: [
                        "WABA: There is no payment method. Add one.", "BUSINESS: Not verified yet.",
                        "APP: sending is BLOCKED; Meta gives no reason",
                    ], readAt: now))
    }

    @Test func whatIsNotToldIsNotInvented() {
        #expect(
            health(#"{"id":"106","status":"CONNECTED"}"#)
                == LineHealth(
                    status: .online, canSend: .available, quality: .unknown, tier: nil, messagesPerSecond: nil,
                    reasons: [], readAt: now))
        #expect(health(#"{"id":"1","throughput":{"level":"STANDARD"}}"#)?.messagesPerSecond == 80)
        #expect(health(#"{"id":"1","throughput":{"level":"NOT_APPLICABLE"}}"#)?.messagesPerSecond == nil)
        let blocked = #"{"id":"1","status":"CONNECTED","health_status":{"can_send_message":"BLOCKED"}}"#
        #expect(health(blocked)?.reasons == ["sending is BLOCKED; Meta gives no reason"])
        #expect(health(blocked)?.canSendMessages == false)
    }

    @Test func reasonsAreFewAndDifferent() {
        func entities(_ errors: [String]) -> String {
            let list = errors.map { #"{"error_description":"\#($0)"}"# }.joined(separator: ",")
            return #"{"id":"1","health_status":{"entities":[{"entity_type":"WABA","errors":[\#(list)]}]}}"#
        }
        #expect(health(entities(["a", "a", "b"]))?.reasons == ["WABA: a", "WABA: b"])
        #expect(health(entities((0..<100).map { "e\($0)" }))?.reasons.count == 20)
        #expect(
            health(#"{"id":"1","health_status":{"entities":[{"errors":[{"error_code":7},{},7]}]}}"#)?.reasons
                == ["Meta: error 7"])
    }

    @Test func whatFailsSaysWhy() {
        func failed(_ code: String, _ message: String) -> Reading<LineHealth> {
            .failed(Failure(code: code, message: message))
        }
        #expect(lineHealth(of: .notSent("refused"), parser: parser, now: now) == failed("NOT_CONNECTED", "refused"))
        #expect(lineHealth(of: .broken("reset"), parser: parser, now: now) == failed("NO_ANSWER", "reset"))
        #expect(
            read(#"{"error":{"message":"Session has expired","code":190,"error_data":"x"}}"#, status: 401)
                == failed("190", "Session has expired: x"))
        #expect(
            read(#"{"error":{"message":"m","code":100,"error_data":{"details":"d"}}}"#, status: 200)
                == failed("100", "m: d"))
        #expect(read(#"{"error":{}}"#, status: 500) == failed("NO_CODE", "Meta gave no reason"))
        for body in ["", "<html>", "[]", "7", "{}", #"{"status":"CONNECTED"}"#, #"{"id":""}"#] {
            #expect(read(body) == failed("HTTP_200", "HTTP 200 without what was asked for"), "\(body)")
        }
        #expect(read(#"{"id":"106"}"#, status: 302) == failed("HTTP_302", "HTTP 302 without what was asked for"))
    }

    @Test func nothingStrangeIsFatal() throws {
        for text in try mutations(of: whole) {
            _ = lineHealth(of: .answered(status: 200, headers: [], body: text), parser: parser, now: now)
        }
    }
}
