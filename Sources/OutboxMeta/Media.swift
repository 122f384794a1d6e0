package import OutboxCore
package import OutboxHTTP
package import OutboxJSON

extension GraphEndpoint {
    /// `POST /{version}/{phone number id}/media`: a form with `messaging_product`, `type` and the file itself, which is
    /// read as it is sent. `boundary` must not occur in the file.
    package func upload(
        phoneNumberID: String, token: String, file: BodyFile, mime: String, filename: String, boundary: String,
        timeout: Duration
    ) -> OutgoingRequest {
        var body = ""
        for (name, value) in [("messaging_product", "whatsapp"), ("type", mime)] {
            body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
        }
        body += "--\(boundary)\r\nContent-Disposition: form-data; name=\"file\"; filename=\"\(formName(filename))\"\r\n"
        body += "Content-Type: \(mime)\r\n\r\n"
        var request = OutgoingRequest(
            method: "POST", url: "\(baseURL)/\(version)/\(phoneNumberID)/media",
            headers: [
                "Authorization: Bearer \(token)", "Content-Type: multipart/form-data; boundary=\(boundary)",
            ], body: Array(body.utf8), timeout: timeout)
        request.file = file
        request.bodyEnd = Array("\r\n--\(boundary)--\r\n".utf8)
        return request
    }

    /// `GET /{version}/{media id}`: where a file's bytes are.
    ///
    /// Without `phone_number_id`: with it Meta answers only for files that number uploaded, not for received ones.
    package func media(_ id: String, token: String, timeout: Duration) -> OutgoingRequest {
        get(percentEncoded(id), token: token, timeout: timeout)
    }

    /// Whether a place for bytes that Meta named may be given the token: one of Meta's own, or where the Graph API is.
    package func trusts(_ url: String) -> Bool {
        guard let (scheme, host) = origin(of: url) else { return false }
        if let own = origin(of: baseURL), own == (scheme, host) { return true }
        let domains = ["facebook.com", "fbsbx.com", "fbcdn.net", "whatsapp.net", "whatsapp.com"]
        return scheme == "https" && domains.contains { host == $0 || host.hasSuffix(".\($0)") }
    }
}

/// The bytes behind an address of `MediaPlace`. What Meta answers to no browser known to it is an error page.
package func mediaBytes(_ place: MediaPlace, token: String, timeout: Duration, quietMax: Duration) -> OutgoingRequest {
    var request = OutgoingRequest(
        method: "GET", url: place.url, headers: ["Authorization: Bearer \(token)", "User-Agent: outboxd"],
        timeout: timeout)
    request.quietMax = quietMax
    return request
}

/// Scheme and host with its port, lower case; nil where somebody's name stands before the host.
private func origin(of url: String) -> (scheme: String, host: String)? {
    guard let colon = url.firstIndex(of: ":"), url[colon...].hasPrefix("://") else { return nil }
    let host = url[colon...].dropFirst(3).prefix { $0 != "/" && $0 != "?" && $0 != "#" }
    guard !host.isEmpty, !host.contains("@"), !host.contains("\\") else { return nil }
    return (url[..<colon].lowercased(), host.lowercased())
}

/// A file name as it may stand between quotes in a form's header: no quotes, no line ends, not too long.
private func formName(_ name: String) -> String {
    let scalars = name.unicodeScalars.filter { $0.value >= 0x20 && $0.value != 0x7F && $0 != "\"" && $0 != "\\" }
    let short = String(String.UnicodeScalarView(scalars.suffix(100)))
    return short.isEmpty ? "file" : short
}

/// Where a file's bytes are, for five minutes:
///
///     {"url": "https://lookaside.fbsbx.com/…", "mime_type": "image/jpeg", "sha256": "…", "file_size": 303833, "id": "1"}
package struct MediaPlace: Equatable, Sendable {
    package var url: String
    package var mime: String?
    /// 64 hexadecimal digits, lower case.
    package var sha256: String?
    package var size: Int64?

    package init(url: String, mime: String? = nil, sha256: String? = nil, size: Int64? = nil) {
        self.url = url
        self.mime = mime
        self.sha256 = sha256
        self.size = size
    }
}

package func mediaPlace(of result: HTTPResult, parser: JSONParser) -> Reading<MediaPlace> {
    reading(of: result, parser: parser) { json in
        guard let url = json["url"]?.words else { return nil }
        let digest = json["sha256"]?.words?.lowercased()
        let isHexadecimal = digest.map { $0.utf8.count == 64 && $0.allSatisfy(\.isHexDigit) } ?? false
        // Meta's samples have the size as a number and as a text.
        let size = json["file_size"].flatMap { $0.integer ?? $0.words.flatMap { Int64($0) } }
        return MediaPlace(
            url: url, mime: json["mime_type"]?.words, sha256: isHexadecimal ? digest : nil, size: size)
    }
}

/// Reads how an upload ended: `{"id": "…"}`, or an error of Meta's with the same codes as on `/messages`. An upload
/// nobody knows the end of is simply made again: a file too many lies there for 30 days.
package func mediaOutcome(of result: HTTPResult, parser: JSONParser) -> MediaOutcome {
    if case .answered(200...299, _, let body) = result, let id = (try? parser.parse(body))?["id"]?.identifier,
        isMetaID(id)
    {
        return .taken(metaID: id)
    }
    switch outcome(of: result, parser: parser) {
    case .refused(let failure, .forGood):
        return .refused(
            Failure(code: "MEDIA_REFUSED", message: "Meta did not take the file: \(failure.code) \(failure.message)"))
    case .refused(let failure, .forNow(let askedFor)): return .later(failure, askedFor: askedFor, counts: true)
    case .refused(let failure, .throttled(let askedFor)), .refused(let failure, .lineLater(let askedFor)):
        return .later(failure, askedFor: askedFor, counts: false)
    case .unknown(let failure): return .later(failure, askedFor: nil, counts: true)
    case .accepted:
        return .later(Failure(code: "NO_CODE", message: "an answer without an id"), askedFor: nil, counts: true)
    }
}

/// Digits as a rule; what is put into requests needs no escape.
package func isMetaID(_ text: String) -> Bool {
    (1...128).contains(text.utf8.count)
        && text.utf8.allSatisfy { byte in
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
        }
}
