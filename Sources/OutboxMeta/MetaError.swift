/// What one of Meta's error codes asks of us.
package enum MetaErrorClass: Equatable, Sendable {
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

package struct MetaError: Equatable, Sendable {
    package var code: Int64
    package var title: String
    package var errorClass: MetaErrorClass

    /// Meta's codes on `/messages` and in `failed` statuses.
    ///
    /// developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes (May 2026); the classes
    /// are ours. HTTP status, title and subcode decide nothing: Meta calls them unreliable or deprecated.
    package static let table: [Int64: MetaError] = Dictionary(
        uniqueKeysWithValues: rows.map { ($0.0, MetaError(code: $0.0, title: $0.1, errorClass: $0.2)) })

    /// 200 to 299 are all "permission missing".
    package static func of(_ code: Int64) -> MetaError? {
        if let known = table[code] { return known }
        guard (200...299).contains(code) else { return nil }
        return MetaError(code: code, title: "API Permission", errorClass: .lineConfiguration)
    }

    private static let rows: [(Int64, String, MetaErrorClass)] = [
        (0, "AuthException", .lineConfiguration),
        (1, "API Unknown", .messageLater),
        (2, "API Service", .messageLater),
        (3, "API Method", .lineConfiguration),
        (4, "API Too Many Calls", .businessLater),
        (10, "Permission Denied", .lineConfiguration),
        (17, "User request limit", .businessLater),
        (33, "Parameter value is not valid", .lineConfiguration),
        (100, "Invalid parameter", .messageForGood),
        (190, "Access token has expired", .lineConfiguration),
        (341, "Application limit reached", .businessLater),
        (368, "Temporarily blocked for policy violations", .businessLater),
        (613, "Calls exceeded rate", .businessLater),
        (80007, "Rate limit issues", .businessLater),
        (130403, "Business has blocked this user", .messageForGood),
        (130429, "Rate limit hit", .lineLater),
        (130472, "User's number is part of an experiment", .messageForGood),
        (130497, "Business restricted from messaging this country", .messageForGood),
        (131000, "Something went wrong", .messageLater),
        (131005, "Access denied", .lineConfiguration),
        (131008, "Required parameter is missing", .messageForGood),
        (131009, "Parameter value is not valid", .messageForGood),
        (131016, "Service unavailable", .messageLater),
        (131021, "Recipient cannot be sender", .messageForGood),
        (131026, "Message undeliverable", .messageForGood),
        (131030, "Recipient not in allowed list", .messageForGood),
        (131031, "Account has been locked", .businessLater),
        (131037, "Display name approval needed", .lineConfiguration),
        (131042, "Business eligibility payment issue", .businessLater),
        (131045, "Incorrect certificate / phone registration error", .lineConfiguration),
        (131047, "Re-engagement message", .messageForGood),
        (131048, "Spam rate limit hit", .lineLater),
        (131049, "Meta chose not to deliver", .messageForGood),
        (131050, "User stopped marketing messages", .messageForGood),
        (131051, "Unsupported message type", .messageForGood),
        (131052, "Media download error", .messageForGood),
        (131053, "Media upload error", .messageForGood),
        (131055, "Method not allowed", .messageForGood),
        (131056, "Pair rate limit hit", .recipientLater),
        (131057, "Account in maintenance mode", .lineLater),
        (131062, "BSUID recipient not supported for this message", .messageForGood),
        (131063, "Marketing templates disabled on Cloud API", .templateLater),
        (131064, "Messaging limit reached (template classification violations)", .businessLater),
        (132000, "Template param count mismatch", .messageForGood),
        (132001, "Template does not exist", .messageForGood),
        (132005, "Hydrated text too long", .messageForGood),
        (132007, "Template content policy violated", .messageForGood),
        (132008, "Template parameter value invalid", .messageForGood),
        (132012, "Template parameter format mismatch", .messageForGood),
        (132015, "Template is paused", .templateLater),
        (132016, "Template is disabled", .messageForGood),
        (132018, "Template validation error", .messageForGood),
        (132068, "Flow is blocked", .messageForGood),
        (132069, "Flow is throttled", .templateLater),
        (133004, "Server temporarily unavailable", .messageLater),
        (133010, "Phone number not registered", .lineConfiguration),
        (134011, "Payments ToS not accepted", .messageForGood),
        (134100, "Only marketing messages supported", .messageForGood),
        (134101, "Template still syncing", .messageLater),
        (134102, "Template unavailable for use", .messageForGood),
        (135000, "Generic user error", .messageForGood),
        (137000, "Recipient identity key hash mismatch", .messageForGood),
        (2_494_100, "Phone number in maintenance mode", .lineLater),
    ]
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
}
