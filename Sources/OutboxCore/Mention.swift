/// Meta's id of a message, such as `wamid.HBgLMTY0NjcwNDM1OTUVAgASGBQzQTdCNTg5RjY1MEMyRjlGMjRGNgA=`: opaque, but visible
/// ASCII that needs no escape in JSON.
package struct WhatsAppID: Hashable, Sendable {
    package static let prefix = "wamid."
    package let text: String

    package init?(_ text: String) {
        guard (1...512).contains(text.utf8.count),
            text.utf8.allSatisfy({
                (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "\\")
            })
        else { return nil }
        self.text = text
    }
}

/// Another message that a message speaks of.
package struct Mention: Equatable, Sendable {
    package enum Role: Sendable {
        /// It is shown above the message.
        case answer
        /// The message is an emoji on it.
        case reaction
    }

    package enum Target: Equatable, Sendable {
        case known(WhatsAppID)
        /// An id of ours, of a message sent or received; the store looks up Meta's.
        case ours(String)
    }

    package var role: Role
    package var target: Target

    package init(_ role: Role, _ target: Target) {
        self.role = role
        self.target = target
    }

    /// The field callers name it in.
    package var field: String {
        switch role {
        case .answer: "replyTo"
        case .reaction: "reaction.message_id"
        }
    }
}

extension Draft {
    /// The content as it is kept and, untouched, put behind `"type":` in Meta's request. An answer has its `context`
    /// there too, as it stands in the request: `{"body":"Yes"},"context":{"message_id":"wamid.…"}`.
    package var keptContent: [UInt8] {
        guard let mention else { return content }
        guard case .known(let id) = mention.target else {
            preconditionFailure("what a message mentions is looked up before it is kept")
        }
        switch mention.role {
        case .answer: return content + Array(",\"context\":{\"message_id\":\"\(id.text)\"}".utf8)
        case .reaction: return Array("{\"message_id\":\"\(id.text)\",".utf8) + content.dropFirst()
        }
    }
}
