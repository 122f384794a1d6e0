package import OutboxCore
package import OutboxJSON

/// What stands behind the `?` of `POST /v1/media`.
package struct MediaQuery: Equatable, Sendable {
    /// The file's MIME type; nil: as its Content-Type says, or its bytes.
    package var type: String?
    package var filename: String?
    /// For which the file is uploaded at once.
    package var line: String?
    /// The same, by the id of its number, ours or Meta's: in a form that CallMissed's clients send.
    package var number: String?
    package var takesNumber = false

    package static let filenameLengthMax = 240

    package init() {}

    package static func read(_ parameters: [(name: String, value: String)]) throws(APIError) -> MediaQuery {
        var query = MediaQuery()
        var errors: [FieldError] = []
        for (name, value) in parameters {
            if let problem = query.set(name, value) { errors.append(FieldError(name, problem)) }
        }
        guard errors.isEmpty else { throw .validation(errors) }
        return query
    }

    /// Also for the fields of a form. What is wrong with it; nil: nothing.
    package mutating func set(_ name: String, _ value: String) -> String? {
        switch name {
        case "type":
            guard MediaType.named(value) != nil else { return Self.typeWords(value) }
            type = value
        case "filename":
            guard Self.isFilename(value) else {
                return "must be 1 to \(Self.filenameLengthMax) bytes without slashes and control characters"
            }
            filename = value
        case "phone_id" where takesNumber, "phone_number_id" where takesNumber:
            if number != nil { return "is one number too many: give phone_id or phone_number_id" }
            number = value
        case "line": line = value
        // Forms made for Meta's own API have it.
        case "messaging_product": return value == "whatsapp" ? nil : "must be \"whatsapp\""
        default: return "is not known here; known are type, filename, line"
        }
        return nil
    }

    package static func typeWords(_ type: String) -> String {
        let known = MediaType.all.map(\.mime).joined(separator: ", ")
        return "\(beginning(of: type)) is none of the types Meta takes: \(known)"
    }

    package static func isFilename(_ name: String) -> Bool {
        (1...filenameLengthMax).contains(name.utf8.count) && !name.contains("/")
            && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
    }
}

extension MediaFile {
    /// `uploads` by the names of their lines.
    package func write(
        to json: inout JSONWriter, name: String? = nil, id: String, sha256: String,
        uploads: [(line: String, upload: MediaUpload)], now: Timestamp
    ) {
        json.object(name) {
            $0.field("id", id)
            $0.field("type", mime)
            $0.field("size", size)
            $0.field("sha256", sha256)
            $0.field("filename", filename)
            $0.field("createdAt", createdAt.rfc3339)
            $0.field("lastUsedAt", lastUsedAt.rfc3339)
            $0.array("uploads") {
                for (line, upload) in uploads { upload.write(to: &$0, line: line, now: now) }
            }
        }
    }
}

extension MediaUpload {
    /// `waiting`, `done`, `expired` or `refused`.
    private func status(_ now: Timestamp) -> String {
        state == .done && usable(now) == nil ? "expired" : state.name
    }

    func write(to json: inout JSONWriter, line: String, now: Timestamp) {
        json.object {
            $0.field("line", line)
            $0.field("status", status(now))
            $0.field("metaId", metaID)
            $0.field("expiresAt", expiresAt?.rfc3339)
            $0.field("attempts", attempts)
            $0.field("nextTryAt", state == .waiting ? nextAt?.rfc3339 : nil)
            $0.field("errorCode", failure?.code)
            $0.field("errorMessage", failure?.message)
        }
    }
}
