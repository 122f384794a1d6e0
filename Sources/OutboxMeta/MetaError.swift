/// What one of Meta's error codes asks of us. All of them are certain: the message was not sent.
package enum MetaErrorClass: String, Equatable, Sendable {
    /// No further attempt of this message will do better.
    case messageForGood
    /// Meta had a bad moment.
    case messageLater
    /// Too much to this recipient.
    case recipientLater
    /// The template is paused.
    case templateLater
    /// Too much on this number, or Meta holds it back.
    case lineLater
    /// Too much for the whole business account, or Meta holds it back.
    case businessLater
    /// Token, permission or registration of the number want an operator's hand.
    case lineConfiguration
}

/// Where a code is documented.
package enum MetaErrorSource: String, Sendable {
    /// Meta's page for WhatsApp.
    case whatsapp = "developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes"
    /// Meta's page for the Graph API as a whole.
    case graph = "developers.facebook.com/docs/graph-api/guides/error-handling"
    /// Seen by client libraries; on no page of Meta's.
    case clients = "seen by Cloud API clients, not on Meta's page"
}

package struct MetaError: Equatable, Sendable {
    package var code: Int64
    package var title: String
    package var errorClass: MetaErrorClass
    package var source: MetaErrorSource
    package var meaning: String
    package var remedy: String

    /// Meta's codes on `/messages` and in `failed` statuses, by code. The classes are ours. HTTP status, title and
    /// subcode decide nothing (but for code 100): Meta calls them unreliable or deprecated.
    package static let table: [Int64: MetaError] = Dictionary(
        uniqueKeysWithValues: metaErrorRows.map { ($0.code, $0) })

    /// What outboxd does when a POST is answered with it.
    package var action: String {
        code == 131_049
            ? "the message fails; other marketing to this recipient waits for 24 hours" : errorClass.action
    }

    /// 200 to 299 are all "permission missing".
    package static func of(_ code: Int64) -> MetaError? {
        if let known = table[code] { return known }
        guard (200...299).contains(code) else { return nil }
        return MetaError(
            code: code, title: "API Permission", errorClass: .lineConfiguration, source: .whatsapp,
            meaning: "the permission is missing or was removed",
            remedy: "give the app whatsapp_business_messaging for this account and make a new token")
    }
}

extension MetaErrorClass {
    /// How long to leave it at least, where Meta does not say.
    package var leastWait: Duration {
        switch self {
        case .messageForGood, .messageLater: .zero
        case .recipientLater: .seconds(6)
        case .lineLater: .seconds(5)
        case .businessLater: .seconds(60)
        case .templateLater: .seconds(600)
        case .lineConfiguration: .seconds(60)
        }
    }

    /// The same in words.
    package var waitWords: String {
        switch self {
        case .messageForGood: "none: there is no further attempt"
        case .messageLater: "growing from try to try, as the line's settings say"
        default: "what Meta asks, \(leastWait.components.seconds) s at least"
        }
    }

    /// What outboxd does when a POST is answered with such a code.
    package var action: String {
        switch self {
        case .messageForGood: "the message fails"
        case .messageLater: "the message is tried again, with growing waits, up to ten times"
        case .recipientLater: "messages to this recipient wait; the try does not count"
        case .templateLater: "messages of this template wait, ten minutes at least; the try does not count"
        case .lineLater, .businessLater, .lineConfiguration:
            "the line is held, one message at a time tries; tries do not count and no message fails"
        }
    }
}
