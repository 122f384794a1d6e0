package import OutboxJSON

/// Something in a message's content that Meta would refuse.
package struct ContentProblem: Equatable, Sendable {
    /// Where it stands, such as `interactive.action.buttons[2].reply.title`.
    package var field: String
    /// What is wrong and what would be right.
    package var message: String

    package init(_ field: String, _ message: String) {
        self.field = field
        self.message = message
    }
}

package enum ContentVerdict: Equatable, Sendable {
    case fits
    /// There are no rules here for this kind, or for something in it: Meta decides.
    case unknown
    case wrong([ContentProblem])
}

/// Meta's kinds of messages whose content is written as Meta has it. Templates have a check of their own.
///
/// Limits are those of Meta's page of each kind below
/// developers.facebook.com/documentation/business-messaging/whatsapp/messages, as of March 2026.
package enum ContentKind: String, CaseIterable, Sendable {
    case text, image, video, audio, document, sticker, location, contacts, reaction, interactive

    /// Whether Meta shows what it answers.
    package var canAnswer: Bool { self != .reaction }

    fileprivate var rule: ContentRule {
        switch self {
        case .text: textRule
        case .image, .video, .audio, .document, .sticker: mediaRule(self)
        case .location: locationRule
        case .contacts: contactsRule
        case .reaction: reactionRule
        case .interactive: .object(ContentShape([]))
        }
    }
}

/// Whether Meta would take `content` as what stands under `type`. `place` is what it is called in problems.
package func verdict(on content: JSONValue, of type: String, place: String? = nil) -> ContentVerdict {
    guard let kind = ContentKind(rawValue: type) else { return .unknown }
    var check = ContentCheck()
    if kind == .interactive {
        check.lookAtInteractive(content, place ?? type)
    } else {
        check.look(at: content, place ?? type, kind.rule)
    }
    if !check.problems.isEmpty { return .wrong(check.problems) }
    return check.isUnknown ? .unknown : .fits
}

/// Whether a word can be Meta's name of a kind: `poll`. Names of what stands beside it in a request are none.
package func isContentType(_ word: String) -> Bool {
    let beside: Set = [
        "messaging_product", "recipient_type", "to", "recipient", "type", "context", "status", "message_id",
        "typing_indicator", "biz_opaque_callback_data", "recipient_identity_key_hash",
    ]
    return (1...64).contains(word.utf8.count) && !beside.contains(word)
        && word.utf8.allSatisfy { (0x61...0x7A).contains($0) || (0x30...0x39).contains($0) || $0 == 0x5F }
        && !(word.utf8.first.map { (0x30...0x39).contains($0) } ?? true)
}
