package import OutboxCore
package import OutboxJSON

/// One wrong field of a request.
package struct FieldError: Equatable, Sendable {
    /// Where it stands, such as `to` or `messages[3].template.name`.
    package var field: String
    /// What is wrong and what would be right.
    package var message: String

    package init(_ field: String, _ message: String) {
        self.field = field
        self.message = message
    }
}

/// An answer that is not what was asked for:
/// `{"error":{"code":"…","message":"…","details":[{"field":"…","message":"…"}]}}`
package struct APIError: Error, Equatable, Sendable {
    package enum Code: String, CaseIterable, Sendable {
        case validation = "VALIDATION_ERROR"
        case malformed = "MALFORMED_REQUEST"
        case unauthorized = "UNAUTHORIZED"
        case forbidden = "FORBIDDEN"
        case notFound = "NOT_FOUND"
        case methodNotAllowed = "METHOD_NOT_ALLOWED"
        case conflict = "CONFLICT"
        case idempotencyConflict = "IDEMPOTENCY_CONFLICT"
        /// Outside the person's 24 hours only templates may be sent: the hosted systems' code for Meta's 131047.
        case windowClosed = "63016"
        case lineStopped = "LINE_STOPPED"
        /// The person wants no marketing.
        case optedOut = "OPTED_OUT"
        /// The person was sent as much marketing as the cap allows.
        case frequencyCap = "FREQUENCY_CAP"
        case limitReached = "RATE_LIMITED"
        /// As many messages wait as may; see the setting queue-max.
        case queueFull = "QUEUE_FULL"
        case tooLate = "TOO_LATE"
        case tooLarge = "TOO_LARGE"
        /// Meta said no; its code is the detail errorCode.
        case metaRefused = "META_REFUSED"
        case metaUnreachable = "META_UNREACHABLE"
        case unavailable = "UNAVAILABLE"
        case storageFull = "STORAGE_FULL"
        case internalError = "INTERNAL_ERROR"

        package var status: Int {
            switch self {
            case .validation, .malformed: 400
            case .unauthorized: 401
            case .forbidden: 403
            case .notFound: 404
            case .methodNotAllowed: 405
            case .conflict, .idempotencyConflict, .tooLate, .optedOut: 409
            case .windowClosed, .lineStopped, .metaRefused: 400
            case .metaUnreachable: 502
            case .limitReached, .queueFull, .frequencyCap: 429
            case .tooLarge: 413
            case .unavailable: 503
            case .storageFull: 507
            case .internalError: 500
            }
        }
    }

    package var code: Code
    package var message: String
    package var details: [FieldError]
    /// For answers whose HTTP status says more than their code.
    private var ownStatus: Int?

    package var status: Int { ownStatus ?? code.status }
    /// The methods this path knows, for the Allow header.
    package var allow: String?
    /// Seconds, for the Retry-After header.
    package var retryAfter: Int64?
    /// Of `forbidden`: the role that is missing.
    package var needs: Role?

    package init(
        _ code: Code, _ message: String, _ details: [FieldError] = [], status: Int? = nil, allow: String? = nil,
        retryAfter: Int64? = nil
    ) {
        self.retryAfter = retryAfter
        self.allow = allow
        self.code = code
        self.message = message
        self.details = details
        ownStatus = status
    }

    package static func validation(_ details: [FieldError]) -> APIError {
        let fields = details.count == 1 ? "1 field is wrong" : "\(details.count) fields are wrong"
        return APIError(.validation, fields, details)
    }

    package func write(to json: inout JSONWriter, _ name: String? = "error") {
        json.object(name) {
            $0.field("code", code.rawValue)
            $0.field("message", message)
            $0.array("details") {
                for detail in details {
                    $0.object {
                        $0.field("field", detail.field)
                        $0.field("message", detail.message)
                    }
                }
            }
        }
    }

    package var body: [UInt8] {
        var json = JSONWriter()
        json.object { write(to: &$0) }
        return json.bytes
    }
}
