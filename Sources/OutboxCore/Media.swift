/// A file somebody handed in for messages. Its bytes lie in the state directory, named by their SHA-256.
package struct MediaFile: Equatable, Sendable {
    package var id: MessageID
    /// 32 bytes.
    package var sha256: [UInt8]
    package var mime: String
    package var size: Int64
    /// As it was last handed in.
    package var filename: String?
    package var createdAt: Timestamp
    /// When it was last handed in or named by a message, to the hour.
    package var lastUsedAt: Timestamp
    package var audience: Audience

    /// Whom messages that name it are, or were, for.
    package enum Audience: Equatable, Sendable {
        case nobody
        case one(String)
        case several
    }

    package init(
        id: MessageID, sha256: [UInt8], mime: String, size: Int64, filename: String?, createdAt: Timestamp,
        lastUsedAt: Timestamp, audience: Audience = .nobody
    ) {
        self.id = id
        self.sha256 = sha256
        self.mime = mime
        self.size = size
        self.filename = filename
        self.createdAt = createdAt
        self.lastUsedAt = lastUsedAt
        self.audience = audience
    }
}

/// A file that has been written and is to be known. The bytes are on stable storage.
package struct MediaDraft: Equatable, Sendable {
    package var sha256: [UInt8]
    package var mime: String
    package var size: Int64
    package var filename: String?
    /// The line for which it is to be uploaded at once.
    package var line: String?

    package init(sha256: [UInt8], mime: String, size: Int64, filename: String?, line: String?) {
        self.sha256 = sha256
        self.mime = mime
        self.size = size
        self.filename = filename
        self.line = line
    }
}

/// The file a message names, as its caller has it.
package struct MediaName: Equatable, Sendable {
    /// Our id, in the spelling that stands in the content: `"media":"…"`.
    package var id: String
    /// Where it stands, such as `image.media`.
    package var field: String
    /// Meta's word for what it is to be shown as, such as `image`.
    package var shownAs: String

    package init(id: String, field: String, shownAs: String) {
        self.id = id
        self.field = field
        self.shownAs = shownAs
    }

    /// The content with Meta's id in place of ours. A quote inside a JSON text is escaped, so that nothing in a caption
    /// can look like the member.
    package static func filled(_ content: [UInt8], media id: String, metaID: String) -> [UInt8] {
        replacing(Array("\"media\":\"\(id)\"".utf8), in: content, with: Array("\"id\":\"\(metaID)\"".utf8))
    }

    package static func replacing(_ old: [UInt8], in bytes: [UInt8], with new: [UInt8]) -> [UInt8] {
        guard let first = old.first, bytes.count >= old.count else { return bytes }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var at = 0
        while at < bytes.count {
            if bytes[at] == first, bytes[at...].starts(with: old) {
                result += new
                at += old.count
            } else {
                result.append(bytes[at])
                at += 1
            }
        }
        return result
    }
}

/// Where the upload of a file for a line's number stands. The numbers are stored.
package enum MediaUploadState: Int64, NamedCase {
    /// To be made, or made again.
    case waiting = 0
    /// Meta has it.
    case done = 1
    /// Meta does not take it.
    case refused = 2
}

/// The upload of one file for one line's number.
package struct MediaUpload: Equatable, Sendable {
    package struct Key: Hashable, Sendable {
        package var media: MessageID
        package var line: Int64

        package init(media: MessageID, line: Int64) {
            self.media = media
            self.line = line
        }
    }

    package var key: Key
    package var state: MediaUploadState
    /// Meta's id of it.
    package var metaID: String?
    /// Until when Meta keeps it.
    package var expiresAt: Timestamp?
    /// Since it was last asked for.
    package var attempts: Int64
    /// Those of them that count against the allowed number.
    package var failures: Int64
    /// Times in a row that Meta said it does not know the id it gave.
    package var rejections: Int64
    /// Waiting: when it is tried. Refused: when a message may ask for it again.
    package var nextAt: Timestamp?
    package var failure: Failure?

    package init(key: Key) {
        self.key = key
        state = .waiting
        attempts = 0
        failures = 0
        rejections = 0
    }

    /// Meta's page "Upload media": files that were uploaded are kept for 30 days. A message under way shall not arrive
    /// behind the end of it.
    package static let kept = Duration.seconds(30 * 86_400)
    package static let margin = Duration.seconds(3600)
    /// What Meta refused is tried again for a message that comes so much later: it may have been mended.
    package static let refusedFor = Duration.seconds(600)
    /// Meta's ids that Meta did not know, one after the other, before it is a failure of the message's.
    package static let rejectionsMax: Int64 = 3

    /// The id to send; nil when there is none that Meta still knows.
    package func usable(_ now: Timestamp) -> String? {
        guard state == .done, let metaID, let expiresAt, now + Self.margin < expiresAt else { return nil }
        return metaID
    }
}

/// What became of one try to upload.
package enum MediaOutcome: Equatable, Sendable {
    case taken(metaID: String)
    /// No further try will do better.
    case refused(Failure)
    /// `counts`: against the number of tries the line allows.
    case later(Failure, askedFor: Duration?, counts: Bool)
}

/// What a message's file says to its wish to leave.
package enum MediaStanding: Equatable, Sendable {
    /// It has none, or Meta has it.
    case ready
    /// Meta does not have it yet, or no longer.
    case uploading
    /// The message cannot go.
    case refused(Failure)
}
