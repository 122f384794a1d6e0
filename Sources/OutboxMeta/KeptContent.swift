package import OutboxJSON

/// A message's content read back from how it is kept (`Draft.keptContent`).
package struct KeptContent: Sendable {
    /// What stands under the type in Meta's request.
    package var content: JSONValue
    /// Meta's id of the message it answers.
    package var answers: String?

    /// Nil for a damaged row.
    package init?(_ bytes: [UInt8], _ parser: JSONParser) {
        // Bytes of a row that cannot be read are shown bare.
        guard let whole = try? parser.parse(Array("{\"content\":".utf8) + bytes + [UInt8(ascii: "}")]),
            let content = whole["content"]
        else { return nil }
        self.content = content
        answers = whole["context"]?["message_id"]?.string
    }
}
