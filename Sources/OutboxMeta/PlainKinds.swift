import OutboxJSON

/// Meta's page "Text messages": 4096 characters.
let textRule = ContentRule.object(
    ContentShape([.required("body", .text(1...4096)), .optional("preview_url", .flag)]))

/// Meta's page "Location messages".
let locationRule = ContentRule.object(
    ContentShape([
        .required("latitude", .degrees(-90...90)),
        .required("longitude", .degrees(-180...180)),
        .optional("name", .text(0...Int.max)),
        .optional("address", .text(0...Int.max)),
    ]))

/// Meta's page "Reaction messages": the emoji itself; the empty text takes the reaction back.
let reactionRule = ContentRule.object(
    ContentShape([
        .required("message_id", .words),
        .required("emoji", .form({ $0.isEmpty || isEmoji($0) }, "one emoji, or \"\" to take the reaction back")),
    ]))

/// One emoji, with whatever skin, hair or flag belongs to it.
func isEmoji(_ text: String) -> Bool {
    guard text.count == 1, let first = text.unicodeScalars.first, first.properties.isEmoji else { return false }
    // Digits, # and * are emoji only with a keycap.
    return !first.isASCII || text.unicodeScalars.contains("\u{20E3}")
}
