/// A message somebody sent to one of our numbers.
package struct InboundMessage: Equatable, Sendable {
    /// The number it came to.
    package var phoneNumberID: String
    /// Digits; nil for people whom Meta names by `userID` only.
    package var from: String?
    /// Meta's business-scoped user id (`US.1349…`), an opaque word.
    package var userID: String?
    /// When it was sent, by Meta's clock: an open window counts from here. Nil when Meta gave no time that can be read.
    package var at: Timestamp?
    /// It answers an ad or a page's button (`referral`), which opens a free entry point.
    package var isAdClick: Bool
    /// Came in a group: says nothing of a window with its sender.
    package var isGroup: Bool
    package var wamid: String?
    /// Meta's word, `text` or `button`; `unknown` when there is none.
    package var kind: String
    package var payload: Payload

    /// What is kept of it beside that.
    package struct Payload: Equatable, Sendable {
        /// JSON: the message as it was received.
        package var body: [UInt8]
        /// JSON: what stands of its sender in the `contacts` beside it.
        package var contact: [UInt8]?
        package var groupID: String?
        /// The sender's digits as WhatsApp writes them.
        package var waID: String?
        package var username: String?
        /// As the sender has it in the profile.
        package var name: String?
        /// Its words, as far as the kind has any.
        package var text: String?
        /// Meta's id of the message it answers, where its sender chose one.
        package var quotes: String?
        /// Meta's id of the file it brought.
        package var media: String?

        package init(body: [UInt8] = [], contact: [UInt8]? = nil, groupID: String? = nil, text: String? = nil) {
            self.body = body
            self.contact = contact
            self.groupID = groupID
            self.text = text
        }
    }

    package init(
        phoneNumberID: String, from: String? = nil, userID: String? = nil, at: Timestamp? = nil,
        isAdClick: Bool = false, isGroup: Bool = false, wamid: String? = nil, kind: String = "unknown",
        payload: Payload = Payload()
    ) {
        self.phoneNumberID = phoneNumberID
        self.from = from
        self.userID = userID
        self.at = at
        self.isAdClick = isAdClick
        self.isGroup = isGroup
        self.wamid = wamid
        self.kind = kind
        self.payload = payload
    }

    /// The addresses it names its sender by: digits and the user id; where neither is there, `@` and the username, which
    /// alone proves little: people give them up, and others take them.
    package var addresses: [String] {
        var list: [String] = []
        for address in [from, payload.waID, userID] {
            if let address, !list.contains(address) { list.append(address) }
        }
        return list.isEmpty ? [handle].compactMap { $0 } : list
    }

    /// `@` and the username.
    package var handle: String? { payload.username.map { "@" + $0 } }
}
