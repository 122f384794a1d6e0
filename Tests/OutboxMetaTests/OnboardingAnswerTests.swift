import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxMeta
import Testing

/// What Meta answers to who connects a number.
@Suite struct OnboardingAnswerTests {
    private let parser = JSONParser()

    private func result(_ body: String, _ status: Int = 200) -> HTTPResult {
        .answered(status: status, headers: [], body: Array(body.utf8))
    }

    @Test func aTokenTellsItsEndAndItsAccounts() throws {
        let body = #"""
            {"data":{"app_id":"1","type":"SYSTEM_USER","application":"Shop","expires_at":1800000000,"is_valid":true,
            "scopes":["whatsapp_business_messaging"],"granular_scopes":[
            {"scope":"whatsapp_business_management","target_ids":["102","103"]},
            {"scope":"whatsapp_business_messaging","target_ids":["102"]},{"scope":"pages_show_list","target_ids":["9"]}]}}
            """#
        guard case .read(let facts) = tokenFacts(of: result(body), parser: parser) else {
            Issue.record("not read")
            return
        }
        #expect(facts.isValid && facts.expiresAt == Timestamp(milliseconds: 1_800_000_000_000))
        #expect(facts.appID == "1" && facts.appName == "Shop" && facts.wabaIDs == ["102", "103"])
        let never = #"{"data":{"is_valid":true,"expires_at":0}}"#
        guard case .read(let good) = tokenFacts(of: result(never), parser: parser) else {
            Issue.record("not read")
            return
        }
        #expect(good.expiresAt == nil && good.scopes.isEmpty)
        let revoked = #"{"data":{"is_valid":false,"error":{"code":190,"message":"revoked"}}}"#
        guard case .read(let bad) = tokenFacts(of: result(revoked), parser: parser) else {
            Issue.record("not read")
            return
        }
        #expect(!bad.isValid && bad.problem == "revoked")
        for wrong in ["{}", "[]", #"{"data":{}}"#, "<html>"] {
            guard case .failed(let failure) = tokenFacts(of: result(wrong), parser: parser) else {
                Issue.record("\(wrong) was read")
                continue
            }
            #expect(failure.code == "HTTP_200")
        }
    }

    @Test func numbersComeInPages() throws {
        let body = #"""
            {"data":[{"id":"106","display_phone_number":"+1 555","verified_name":"Shop","status":"CONNECTED",
            "quality_rating":"GREEN","whatsapp_business_manager_messaging_limit":"TIER_2K"},{"id":107,"status":"PENDING"},{}],
            "paging":{"cursors":{"after":"b"},"next":"https://x"}}
            """#
        guard case .read(let page) = numberPage(of: result(body), parser: parser) else {
            Issue.record("not read")
            return
        }
        #expect(page.after == "b" && page.numbers.map(\.id) == ["106", "107"])
        #expect(page.numbers.map(\.status) == [.online, .notRegistered] && page.numbers[0].tier == .tier2K)
    }

    @Test func appsStandOneLevelBelow() throws {
        let apps = #"{"data":[{"whatsapp_business_api_data":{"id":"1","name":"Shop"}},{"id":"2"},{"name":"x"}]}"#
        #expect(
            nodes(of: result(apps), parser: parser) == .read([NamedNode(id: "1", name: "Shop"), NamedNode(id: "2")]))
        #expect(node(of: result(#"{"id":7,"name":"N"}"#), parser: parser) == .read(NamedNode(id: "7", name: "N")))
        #expect(exchangedToken(of: result(#"{"access_token":"t"}"#), parser: parser) == .read("t"))
    }

    @Test func aRefusalOfATemplateTellsWhatToDo() throws {
        let body = #"""
            {"error":{"message":"Invalid parameter","code":100,"error_subcode":2388024,"error_user_msg":"There is one."}}
            """#
        guard case .refused(let failure, _) = callEnd(of: result(body, 400), parser: parser) else {
            Issue.record("not refused")
            return
        }
        #expect(failure.message == "Invalid parameter: There is one.")
        #expect(failure.subcode.flatMap { templateRemedies[$0] } != nil)
        #expect(!CallEnd(failure).isUncertain)
        #expect(callEnd(of: .broken("x"), parser: parser).isUncertain)
        #expect(callEnd(of: result("", 502), parser: parser).isUncertain)
        #expect(!callEnd(of: .notSent("x"), parser: parser).isUncertain)
    }

    @Test func secretsAndNamesStandEscapedInAddresses() {
        let endpoint = GraphEndpoint(baseURL: "http://m")
        let exchange = endpoint.exchange(
            code: "a&b", appID: "1", secret: "s=#", redirectURI: "https://x/?y", timeout: .seconds(1))
        #expect(
            exchange.url
                == "http://m/v25.0/oauth/access_token?client_id=1&client_secret=s%3D%23&code=a%26b&redirect_uri=https%3A%2F%2Fx%2F%3Fy"
        )
        let delete = endpoint.deleteTemplate(wabaID: "102", name: "a&b", id: "7", token: "t", timeout: .seconds(1))
        #expect(delete.url == "http://m/v25.0/102/message_templates?name=a%26b&hsm_id=7" && delete.method == "DELETE")
    }
}
