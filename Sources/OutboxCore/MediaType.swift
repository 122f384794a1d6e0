/// A kind of file Meta takes, by its MIME type.
///
/// Types and sizes are those of Meta's page
/// developers.facebook.com/documentation/business-messaging/whatsapp/business-phone-numbers/media, as of March 2026.
package struct MediaType: Equatable, Sendable {
    /// Lower case, without parameters.
    package var mime: String
    package var bytesMax: Int64
    /// Meta's words for messages that may carry it, the first one the usual.
    package var messages: [String]
    /// What its first bytes look like; empty: they tell nothing for sure.
    var signatures: [MediaSignature] = []
    /// How names of such files end.
    var endings: [String]

    /// How a name of such a file usually ends.
    package var ending: String { endings.first ?? "bin" }

    /// Of the largest kind.
    package static let bytesMax: Int64 = 100 << 20
    /// A sticker that does not move.
    package static let stillStickerBytesMax: Int64 = 100 << 10
    /// So many first bytes of a file are looked at.
    package static let headBytes = 64

    package static let all: [MediaType] = {
        let (sound, film) = (Int64(16 << 20), Int64(16 << 20))
        func type(
            _ mime: String, _ bytesMax: Int64, _ message: String, _ signatures: [MediaSignature], _ endings: String...
        ) -> MediaType {
            MediaType(
                mime: mime, bytesMax: bytesMax, messages: message == "document" ? [message] : [message, "document"],
                signatures: signatures, endings: endings)
        }
        let office = "application/vnd.openxmlformats-officedocument."
        return [
            type("image/jpeg", 5 << 20, "image", [.jpeg], "jpg", "jpeg"),
            type("image/png", 5 << 20, "image", [.png], "png"),
            type("image/webp", 500 << 10, "sticker", [.webp], "webp"),
            type("audio/aac", sound, "audio", [], "aac"),
            type("audio/amr", sound, "audio", [.amr], "amr"),
            type("audio/mpeg", sound, "audio", [], "mp3"),
            type("audio/mp4", sound, "audio", [.isoMedia], "m4a"),
            type("audio/ogg", sound, "audio", [.ogg], "ogg", "opus", "oga"),
            type("video/mp4", film, "video", [.isoMedia], "mp4"),
            type("video/3gpp", film, "video", [.isoMedia], "3gp"),
            type("text/plain", bytesMax, "document", [], "txt"),
            type("application/pdf", bytesMax, "document", [.pdf], "pdf"),
            type("application/msword", bytesMax, "document", [], "doc"),
            type("application/vnd.ms-excel", bytesMax, "document", [], "xls"),
            type("application/vnd.ms-powerpoint", bytesMax, "document", [], "ppt"),
            type("\(office)wordprocessingml.document", bytesMax, "document", [.zip], "docx"),
            type("\(office)spreadsheetml.sheet", bytesMax, "document", [.zip], "xlsx"),
            type("\(office)presentationml.presentation", bytesMax, "document", [.zip], "pptx"),
        ]
    }()

    /// The type a Content-Type names; parameters and case do not count.
    package static func named(_ contentType: String) -> MediaType? {
        let mime = contentType.prefix { $0 != ";" }.filter { $0 != " " }.lowercased()
        return all.first { $0.mime == mime }
    }

    /// The type of a file nobody named one for, by its first bytes or the end of its name; nil: Meta takes none such.
    package static func of(head: [UInt8], filename: String?) -> MediaType? {
        let ending = filename.flatMap { name in name.lastIndex(of: ".").map { name[name.index(after: $0)...] } }
        let byName = ending.flatMap { ending in all.first { $0.endings.contains(ending.lowercased()) } }
        guard let seen = MediaSignature.of(head) else { return byName.flatMap { $0.signatures.isEmpty ? $0 : nil } }
        if let byName, byName.signatures.contains(seen) { return byName }
        if seen == .isoMedia { return named(isoType(head)) }
        return all.first { $0.signatures == [seen] && seen != .zip }
    }

    /// By the brand in the first box (ISO/IEC 14496-12).
    private static func isoType(_ head: [UInt8]) -> String {
        let brand = String(decoding: head.dropFirst(8).prefix(4), as: UTF8.self)
        return brand.hasPrefix("3g") ? "video/3gpp" : brand.hasPrefix("M4A") ? "audio/mp4" : "video/mp4"
    }

    /// What speaks against a file of this type that begins so; nil: nothing for sure.
    package func problem(head: [UInt8]) -> String? {
        let seen = MediaSignature.of(head)
        if signatures.isEmpty {
            return seen.map { "is said to be \(mime), and its first bytes are those of \($0.words)" }
        }
        if let seen, signatures.contains(seen) { return nil }
        let words = seen.map { "those of \($0.words)" } ?? "not"
        return "is said to be \(mime), and its first bytes are \(words)"
    }

    /// What speaks against a file of this type that is so long; nil: nothing.
    package func problem(size: Int64, head: [UInt8]) -> String? {
        func words(_ most: Int64) -> String {
            "is longer than the \(most >> 10) KiB Meta allows for \(mime)"
        }
        if size > bytesMax { return words(bytesMax) }
        let isStill = mime == "image/webp" && !MediaSignature.isMovingWebP(head)
        if isStill, size > Self.stillStickerBytesMax {
            return "\(words(Self.stillStickerBytesMax)) that does not move"
        }
        return nil
    }
}

/// What the first bytes of a file show for sure.
enum MediaSignature: Sendable {
    case jpeg, png, webp, pdf, ogg, amr, isoMedia, zip

    var words: String {
        switch self {
        case .jpeg: "a JPEG image"
        case .png: "a PNG image"
        case .webp: "a WebP image"
        case .pdf: "a PDF"
        case .ogg: "an Ogg file"
        case .amr: "an AMR file"
        case .isoMedia: "an MP4 or 3GPP file"
        case .zip: "a ZIP archive"
        }
    }

    static func of(_ head: [UInt8]) -> MediaSignature? {
        func begins(_ text: String, at place: Int = 0) -> Bool { head.dropFirst(place).starts(with: text.utf8) }
        if head.starts(with: [0xFF, 0xD8, 0xFF]) { return .jpeg }
        if head.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) { return .png }
        if begins("RIFF"), begins("WEBP", at: 8) { return .webp }
        if begins("%PDF-") { return .pdf }
        if begins("OggS") { return .ogg }
        if begins("#!AMR") { return .amr }
        if begins("ftyp", at: 4) { return .isoMedia }
        if head.starts(with: [0x50, 0x4B, 0x03, 0x04]) { return .zip }
        return nil
    }

    /// The animation flag of the extended format (developers.google.com/speed/webp/docs/riff_container).
    static func isMovingWebP(_ head: [UInt8]) -> Bool {
        head.count > 20 && head.dropFirst(12).starts(with: "VP8X".utf8) && head[20] & 0x02 != 0
    }
}
