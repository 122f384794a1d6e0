import OutboxJSON

/// Meta's pages "Image messages", "Video messages", "Audio messages", "Document messages" and "Sticker messages": an
/// uploaded id or a link (or, of outboxd's own, a file that was handed in to it), captions of 1024 characters, a file
/// name for documents, `voice` for audio.
func mediaRule(_ kind: ContentKind) -> ContentRule {
    var fields: [ContentField] = [.optional("id", .words), .optional("link", .address(schemes: ["https"]))]
    switch kind {
    case .image, .video: fields.append(.optional("caption", captionRule))
    case .document: fields += [.optional("caption", captionRule), .optional("filename", .words)]
    case .audio: fields.append(.optional("voice", .flag))
    default: break
    }
    fields.append(mediaMember)
    return .object(ContentShape(fields) { value, place, check in check.oneFile(in: value, place) })
}

let mediaMember = ContentField.optional(
    mediaField, .form(isMediaID, "the id of a file handed in with POST /v1/media"))

/// Ours beside Meta's `id` and `link`: a file that was handed in to outboxd.
package let mediaField = "media"

/// Whether it has the look of an id of ours: a UUID.
package func isMediaID(_ text: String) -> Bool {
    let bytes = Array(text.utf8)
    return bytes.count == 36
        && bytes.indices.allSatisfy { place in
            let byte = bytes[place]
            if [8, 13, 18, 23].contains(place) { return byte == UInt8(ascii: "-") }
            return (0x30...0x39).contains(byte) || (0x61...0x66).contains(byte) || (0x41...0x46).contains(byte)
        }
}

extension ContentCheck {
    /// Exactly one of `id`, `link` and `media`.
    mutating func oneFile(in value: JSONValue, _ place: String) {
        guard value.given(mediaField) != nil else { return oneOf("id", "link", in: value, place) }
        for other in ["id", "link"] where value.given(other) != nil {
            refuse("\(place).\(other)", "and \(mediaField) exclude each other: give one of them")
        }
    }
}

private let captionRule = ContentRule.text(0...1024)
