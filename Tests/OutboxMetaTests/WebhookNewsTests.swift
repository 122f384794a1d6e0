import OutboxCore
import OutboxJSON
import OutboxMeta
import TestKit
import Testing

/// Messages received, by number.
func counts(_ inbound: [InboundMessage]) -> [String: Int] {
    Dictionary(grouping: inbound, by: \.phoneNumberID).mapValues(\.count)
}

@Suite struct WebhookNewsTests {
    /// Without what is kept of it beside what is understood.
    private func bare(_ message: InboundMessage) -> InboundMessage {
        var message = message
        message.payload = InboundMessage.Payload()
        return message
    }

    @Test func twoNumbersAreTwoPeople() throws {
        let read = try content(
            "messages",
            #"{"contacts":[{"wa_id":"14155550100","user_id":"US.1"}],"messages":[{"from":"447911123456","type":"text"}]}"#
        )
        #expect(read.inbound.map(\.userID) == [nil] && read.inbound.map(\.payload.waID) == [nil])
    }

    private func content(_ field: String, _ value: String) throws -> WebhookContent {
        let text = #"{"entry":[{"id":"102","time":1,"changes":[{"field":"\#(field)","value":\#(value)}]}]}"#
        return try #require(webhookContent(try JSONParser().parse(text.utf8)))
    }

    private func news(_ field: String, _ value: String) throws -> [AccountNews] {
        let content = try content(field, value)
        #expect(content.others.isEmpty && content.statuses.isEmpty && content.inbound.isEmpty)
        return content.news
    }

    // MARK: People

    @Test func whoWroteIsRead() throws {
        let read = try content(
            "messages",
            #"{"metadata":{"phone_number_id":"106"},"contacts":[{"wa_id":"14155550100","user_id":"US.1"},{"wa_id":"447911123456","user_id":"GB.2"}],"messages":[{"from":"447911123456","id":"wamid.1","timestamp":"1800000000","type":"text","referral":{"source_type":"ad"}},{"from":"","from_user_id":"US.1","id":"wamid.2","timestamp":1800000001,"type":"button"},{"from":"14155550100","group_id":"G","id":"wamid.3","timestamp":"x"}]}"#
        )
        #expect(
            read.inbound.map(bare) == [
                InboundMessage(
                    phoneNumberID: "106", from: "447911123456", userID: "GB.2",
                    at: Timestamp(milliseconds: 1_800_000_000_000), isAdClick: true, wamid: "wamid.1", kind: "text"),
                InboundMessage(
                    phoneNumberID: "106", userID: "US.1", at: Timestamp(milliseconds: 1_800_000_001_000),
                    wamid: "wamid.2", kind: "button"),
                InboundMessage(
                    phoneNumberID: "106", from: "14155550100", userID: "US.1", isGroup: true, wamid: "wamid.3"),
            ])
        #expect(counts(read.inbound) == ["106": 3] && read.news.isEmpty && read.others == ["messages.unknown": 1])
        #expect(read.inbound.map(\.payload.waID) == ["447911123456", "14155550100", "14155550100"])
        #expect(read.inbound[2].payload.groupID == "G")
        #expect(String(decoding: read.inbound[1].payload.body, as: UTF8.self).hasPrefix(#"{"from":"","#))
    }

    @Test func theOnlyContactIsTheSender() throws {
        let read = try content(
            "messages", #"{"contacts":[{"wa_id":"","user_id":"US.1"}],"messages":[{"type":"text"},7]}"#)
        #expect(read.inbound.map(\.userID) == ["US.1", "US.1"] && read.inbound.map(\.kind) == ["text", "unknown"])
        #expect(counts(read.inbound) == ["": 2])
    }

    @Test func whoGotAMessageIsRead() throws {
        func report(_ person: String) throws -> StatusReport? {
            try content(
                "messages", #"{"statuses":[{"id":"w","status":"sent","timestamp":"1"\#(person)}]}"#
            ).statuses.first
        }
        #expect(try report("")?.person == nil && report("")?.userID == nil)
        #expect(try report(#","recipient_id":"14155550100""#)?.person == "14155550100")
        let both = try report(#","recipient_id":"","recipient_user_id":"US.1""#)
        #expect(both?.person == nil && both?.userID == "US.1")
        #expect(try report(#","recipient_id":"G1234567890123456789","recipient_user_id":7"#)?.person == nil)
    }

    @Test func wishesAreRead() throws {
        let read = try news(
            "user_preferences",
            #"{"metadata":{"phone_number_id":"106"},"user_preferences":[{"wa_id":"14155550100","category":"marketing_messages","value":"stop","timestamp":1800000000},{"user_id":"US.1","category":"marketing_messages","value":"resume"},{"wa_id":"14155550100","category":"other","value":"stop"},{"wa_id":"14155550100","value":"?"},{"value":"stop"},7]}"#
        )
        #expect(
            read == [
                .preference(
                    phoneNumberID: "106", person: "14155550100", userID: nil, stopsMarketing: true,
                    at: Timestamp(milliseconds: 1_800_000_000_000)),
                .preference(phoneNumberID: "106", person: nil, userID: "US.1", stopsMarketing: false, at: nil),
            ])
    }

    // MARK: Numbers and accounts

    @Test func tiersComeInManyShapes() throws {
        let shapes: [(String, Tier?)] = [
            ("\"TIER_2K\"", .tier2K), ("2000", .tier2K), ("250", .tier250), ("-1", .unlimited),
            ("\"100000\"", .tier100K),
            ("\"TIER_UNLIMITED\"", .unlimited), ("\"TIER_NOT_SET\"", nil), ("7", nil), ("null", nil), ("{}", nil),
            ("9223372036854775807", nil),
        ]
        for (text, tier) in shapes {
            let value = #"{"max_daily_conversations_per_business":\#(text),"max_phone_numbers_per_waba":25}"#
            #expect(
                try news("business_capability_update", value) == [.capability(wabaID: "102", tier: tier)], "\(text)")
        }
        #expect(
            try news("business_capability_update", #"{"max_daily_conversation_per_phone":-1}"#)
                == [.capability(wabaID: "102", tier: .unlimited)])
    }

    @Test func throughputIsTold() throws {
        for tier in [#""max_daily_conversations_per_business":"TIER_10K""#, #""current_limit":"TIER_10K""#] {
            #expect(
                try news(
                    "phone_number_quality_update",
                    #"{"display_phone_number":"15550100","event":"THROUGHPUT_UPGRADE",\#(tier)}"#)
                    == [
                        .quality(
                            wabaID: "102", displayPhoneNumber: "15550100", event: "THROUGHPUT_UPGRADE", tier: .tier10K)
                    ])
        }
    }

    @Test(arguments: [
        (
            #"{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"DISABLE"}}"#, "DISABLED_UPDATE",
            [false, false, true]
        ),
        (
            #"{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"REINSTATE"}}"#, "DISABLED_UPDATE",
            [false, true, false]
        ),
        (
            #"{"event":"DISABLED_UPDATE","ban_info":{"waba_ban_state":"SCHEDULE_FOR_DISABLE"}}"#, "DISABLED_UPDATE",
            [false, false, false]
        ),
        (
            #"{"event":"ACCOUNT_VIOLATION","violation_info":{"violation_type":"ADULT"}}"#, "ACCOUNT_VIOLATION",
            [false, false, false]
        ),
        (
            #"{"event":"ACCOUNT_RESTRICTION","restriction_info":[{"restriction_type":"RESTRICTED_ADD_PHONE_NUMBER_ACTION"},{"restriction_type":"RESTRICTED_BIZ_INITIATED_MESSAGING","expiration":1}]}"#,
            "ACCOUNT_RESTRICTION", [true, false, false]
        ),
        (
            #"{"event":"ACCOUNT_RESTRICTION","restriction_info":[{"restriction_type":"RESTRICTED_BIZ_INITIATED_CALLING"}]}"#,
            "ACCOUNT_RESTRICTION", [false, false, false]
        ),
        (#"{"event":"ACCOUNT_RESTRICTION"}"#, "ACCOUNT_RESTRICTION", [true, false, false]),
    ])
    func accountsAreRestrictedBannedAndReinstated(_ value: String, _ event: String, _ flags: [Bool]) throws {
        #expect(
            try news("account_update", value)
                == [
                    .account(
                        wabaID: "102", phoneNumber: nil, event: event, restricted: flags[0], reinstated: flags[1],
                        banned: flags[2])
                ])
    }

    @Test func theAccountOfAPartnersEventIsItsOwn() throws {
        #expect(
            try news(
                "account_update", #"{"event":"PARTNER_ADDED","phone_number":"15550100","waba_info":{"waba_id":"9"}}"#)
                == [
                    .account(
                        wabaID: "9", phoneNumber: "15550100", event: "PARTNER_ADDED", restricted: false,
                        reinstated: false, banned: false)
                ])
    }

    @Test func alertsAreRead() throws {
        let alert =
            #""alert_severity":"WARNING","alert_status":"ACTIVE","alert_type":"OBA_REJECTED","alert_description":"D""#
        for value in [
            #"{"entity_type":"BUSINESS","entity_id":506,"alert_info":{\#(alert)}}"#,
            #"{"entity_type":"BUSINESS","entity_id":"506",\#(alert)}"#,
        ] {
            #expect(
                try news("account_alerts", value)
                    == [
                        .alert(
                            AccountAlert(
                                wabaID: "102", entityType: "BUSINESS", entityID: "506", severity: "WARNING",
                                status: "ACTIVE", type: "OBA_REJECTED", description: "D"))
                    ])
        }
    }

    // MARK: Templates

    @Test(
        arguments: [
            (#""event":"APPROVED","reason":"NONE""#, Template.Status.approved, nil),
            (#""event":"REINSTATED""#, .approved, nil), (#""event":"FLAGGED","reason":null"#, .unknown("FLAGGED"), nil),
            (#""event":"PENDING_DELETION""#, .pendingDeletion, nil),
            (
                #""event":"REJECTED","reason":"INVALID_FORMAT","rejection_info":{"reason":"Variables touch."}"#,
                .rejected,
                "INVALID_FORMAT: Variables touch."
            ),
            (
                #""event":"PAUSED","other_info":{"title":"FIRST_PAUSE","description":"For 3 hours."}"#, .paused,
                "For 3 hours."
            ),
        ] as [(String, Template.Status, String?)])
    func templatesChange(_ event: String, _ status: Template.Status, _ reason: String?) throws {
        #expect(
            try news(
                "message_template_status_update",
                #"{"message_template_id":7,"message_template_name":"n","message_template_language":"en-US",\#(event)}"#)
                == [.template(wabaID: "102", name: "n", language: "en_US", status: status, reason: reason)])
    }

    @Test func categoriesChange() throws {
        func value(_ more: String) -> String {
            #"{"message_template_name":"n","message_template_language":"en","new_category":"UTILITY"\#(more)}"#
        }
        #expect(
            try news("template_category_update", value(#","correct_category":"MARKETING""#))
                == [
                    .templateCategory(
                        wabaID: "102", name: "n", language: "en", category: .utility, correct: .marketing)
                ])
        #expect(
            try news("template_category_update", value(#","previous_category":"MARKETING""#))
                == [.templateCategory(wabaID: "102", name: "n", language: "en", category: .utility, correct: nil)])
    }

    // MARK: The rest

    /// The last one is a change of quality under another field's name, as Meta's page shows it.
    @Test(arguments: [
        ("account_update", "{}"), ("account_update", "7"), ("account_alerts", "{}"), ("user_preferences", "{}"),
        ("business_capability_update", "[]"), ("phone_number_quality_update", "null"), ("flows", #"{"event":"X"}"#),
        ("template_category_update", #"{"message_template_name":"n","message_template_language":"en"}"#),
        ("user_preferences", #"{"user_preferences":[]}"#), ("history", #"{"messages":[{}]}"#),
        (
            "message_template_status_update",
            #"{"message_template_name":"n","message_template_language":"en","new_quality_score":"RED"}"#
        ),
    ])
    func whatIsNoNewsIsCounted(_ field: String, _ value: String) throws {
        let read = try content(field, value)
        #expect(read.others == [field: 1] && read.news.isEmpty && read.inbound.isEmpty)
    }

    @Test func nothingStrangeIsFatal() throws {
        let parser = JSONParser()
        let changes = [
            #"{"field":"messages","value":{"metadata":{"phone_number_id":"106"},"contacts":[{"wa_id":"14155550100","user_id":"U"}],"messages":[{"from":"14155550100","timestamp":"1","type":"text","referral":{},"id":"w"}],"statuses":[{"id":"w","status":"failed","timestamp":"1","recipient_id":"14155550100","errors":[{"code":1,"title":"t","error_data":{"details":"d"}}]}]}}"#,
            #"{"field":"account_update","value":{"event":"ACCOUNT_RESTRICTION","restriction_info":[{"restriction_type":"X"}],"ban_info":{"waba_ban_state":"D"},"waba_info":{"waba_id":"1"}}}"#,
            #"{"field":"message_template_status_update","value":{"event":"REJECTED","message_template_name":"n","message_template_language":"en-US","reason":"R","rejection_info":{"reason":"r"}}}"#,
            #"{"field":"user_preferences","value":{"metadata":{"phone_number_id":"1"},"user_preferences":[{"wa_id":"14155550100","value":"stop","timestamp":1,"category":"marketing_messages"}]}}"#,
        ]
        for change in changes {
            for text in try mutations(of: #"{"entry":[{"id":"102","changes":[\#(change)]}]}"#) {
                _ = webhookContent(try parser.parse(text))
            }
        }
    }
}
