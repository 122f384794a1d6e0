import OutboxCore
import Testing

@Suite struct LineHealthTests {
    /// Every word of Meta's, and what a number with it is when nothing else is told.
    @Test(arguments: [
        ("CONNECTED", LineStatus.online), ("FLAGGED", .online), ("PENDING", .notRegistered),
        ("UNVERIFIED", .notRegistered), ("DISCONNECTED", .offline), ("BANNED", .offline), ("RESTRICTED", .offline),
        ("RATE_LIMITED", .online), ("MIGRATED", .offline), ("DELETED", .offline), ("UNKNOWN", .online),
        ("A_NEW_WORD", .online), ("connected", .online),
    ])
    func metasWordsAreThree(_ word: String, _ status: LineStatus) {
        #expect(
            LineStatus.of(status: word, codeVerificationStatus: "VERIFIED", platformType: "CLOUD_API", canSend: nil)
                == status)
    }

    @Test func aNumberThatWasNeverProvenIsNotRegistered() {
        func of(_ status: String?, _ code: String?, _ platform: String? = nil, _ canSend: CanSend? = nil) -> LineStatus
        {
            .of(status: status, codeVerificationStatus: code, platformType: platform, canSend: canSend)
        }
        #expect(of("DISCONNECTED", "NOT_VERIFIED") == .notRegistered)
        #expect(of("DISCONNECTED", "VERIFIED", "NOT_APPLICABLE") == .notRegistered)
        #expect(of(nil, "NOT_VERIFIED") == .notRegistered)
        #expect(of(nil, nil, "NOT_APPLICABLE", .available) == .notRegistered)
        // The verification of a connected number may lapse.
        #expect(of("CONNECTED", "NOT_VERIFIED") == .online)
        #expect(of("CONNECTED", "EXPIRED") == .online)
    }

    @Test func withoutAStatusTheVerdictOnSendingDecides() {
        for (canSend, status) in [(CanSend.available, LineStatus.online), (.limited, .online), (.blocked, .offline)] {
            #expect(
                LineStatus.of(status: nil, codeVerificationStatus: nil, platformType: nil, canSend: canSend) == status)
        }
        #expect(LineStatus.of(status: nil, codeVerificationStatus: nil, platformType: nil, canSend: nil) == .offline)
    }

    @Test func whoIsOnlineAndNotBlockedSends() {
        for status in LineStatus.allCases {
            for canSend in CanSend.allCases {
                let health = LineHealth(
                    status: status, canSend: canSend, quality: .unknown, tier: nil, messagesPerSecond: nil, reasons: [],
                    readAt: Timestamp(milliseconds: 0))
                let sends = status == .online && canSend != .blocked
                #expect(health.canSendMessages == sends && health.canSendTemplates == sends)
                #expect(health.canReceiveMessages == (status == .online))
            }
        }
    }

    @Test func storedNumbersKeepTheirMeaning() {
        #expect(LineStatus.allCases.map(\.name) == ["ONLINE", "OFFLINE", "NOT_REGISTERED"])
        #expect(CanSend.allCases.map(\.name) == ["AVAILABLE", "LIMITED", "BLOCKED"])
        #expect(QualityRating.allCases.map(\.name) == ["GREEN", "YELLOW", "RED", "UNKNOWN"])
        #expect(LineStatus.allCases.map(\.rawValue) == [0, 1, 2] && CanSend.allCases.map(\.rawValue) == [0, 1, 2])
        #expect(QualityRating.allCases.map(\.rawValue) == [0, 1, 2, 3])
        for status in LineStatus.allCases { #expect(LineStatus(name: status.name) == status) }
        for verdict in CanSend.allCases { #expect(CanSend(name: verdict.name) == verdict) }
        for rating in QualityRating.allCases { #expect(QualityRating(name: rating.name) == rating) }
        #expect(LineStatus(name: "online") == nil && CanSend(name: "") == nil)
        #expect(QualityRating(name: "NA") == .unknown && QualityRating(name: "") == .unknown)
    }
}
