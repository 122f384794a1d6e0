import OutboxJSON

/// Meta's pages "Image messages", "Video messages", "Audio messages", "Document messages" and "Sticker messages": an
/// uploaded id or a link, captions of 1024 characters, a file name for documents, `voice` for audio.
func mediaRule(_ kind: ContentKind) -> ContentRule {
    var fields: [ContentField] = [.optional("id", .words), .optional("link", .address(schemes: ["https"]))]
    switch kind {
    case .image, .video: fields.append(.optional("caption", captionRule))
    case .document: fields += [.optional("caption", captionRule), .optional("filename", .words)]
    case .audio: fields.append(.optional("voice", .flag))
    default: break
    }
    return .object(ContentShape(fields) { value, place, check in check.oneOf("id", "link", in: value, place) })
}

private let captionRule = ContentRule.text(0...1024)
