package import OutboxCore

/// A file with how its uploads stand, by the names of their lines.
package struct MediaListing: Sendable {
    package var file: MediaFile
    package var uploads: [(line: String, upload: MediaUpload)]
}

/// A file somebody sent to one of our lines, as far as its message tells of it.
package struct ReceivedMedia: Sendable {
    package var line: Line
    /// Meta's word, such as `image`.
    package var type: String
    /// JSON: the message's own object.
    package var body: [UInt8]
}

extension QueueReader {
    func upload(_ key: MediaUpload.Key) throws -> MediaUpload? {
        try database.prepare("SELECT \(MediaUpload.columns) FROM media_upload WHERE media = :media AND line = :line")
            .first(.integer(key.media.rawValue), .integer(key.line)) { MediaUpload($0) }
    }

    package func file(_ id: MessageID, account: Int64) throws -> MediaFile? {
        try database.prepare("SELECT \(MediaFile.columns) FROM media WHERE id = :id AND account = :account")
            .first(.integer(id.rawValue), .integer(account)) { MediaFile($0) }
    }

    /// An account's files, newest first; `next` is where the page behind begins, nil at the end.
    package func files(account: Int64, before: MessageID?, limit: Int) throws
        -> (files: [MediaListing], next: MessageID?)
    {
        var files = try database.prepare(
            """
            SELECT \(MediaFile.columns) FROM media WHERE account = :account AND id < :before ORDER BY id DESC LIMIT :limit
            """
        ).all(.integer(account), .integer(before?.rawValue ?? .max), .integer(Int64(limit + 1))) { MediaFile($0) }
        let hasMore = files.count > limit
        if hasMore { files.removeLast() }
        let listed = try files.map { MediaListing(file: $0, uploads: try uploads(of: $0.id)) }
        return (listed, hasMore ? files.last?.id : nil)
    }

    package func uploads(of media: MessageID) throws -> [(line: String, upload: MediaUpload)] {
        try database.prepare(
            """
            SELECT \(MediaUpload.columns), (SELECT name FROM line WHERE id = media_upload.line) FROM media_upload
            WHERE media = :media ORDER BY line
            """
        ).all(.integer(media.rawValue)) { (line: $0.text(11), upload: MediaUpload($0)) }
    }

    /// The newest message of an account that brought the file Meta calls so, on a line that is still there.
    package func received(media metaID: String, account: Int64) throws -> ReceivedMedia? {
        let found = try database.prepare(
            """
            SELECT line, type, body FROM inbound WHERE media = :media AND media IS NOT NULL AND account = :account
            ORDER BY id DESC LIMIT 1
            """
        ).first(.text(metaID), .integer(account)) { (line: $0.integer(0), type: $0.text(1), body: $0.bytes(2)) }
        guard let found, let line = try line(found.line) else { return nil }
        return ReceivedMedia(line: line, type: found.type, body: found.body)
    }

    /// Whether any account has a file with these bytes.
    package func hasFile(sha256: [UInt8]) throws -> Bool {
        try database.prepare("SELECT EXISTS (SELECT 1 FROM media WHERE sha256 = :sha256)")
            .first(.blob(sha256)) { $0.integer(0) != 0 } ?? false
    }
}
