/// A message somebody sent to one of our numbers: as much as outboxd needs to know of it.
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

    package init(
        phoneNumberID: String, from: String? = nil, userID: String? = nil, at: Timestamp? = nil,
        isAdClick: Bool = false, isGroup: Bool = false, wamid: String? = nil, kind: String = "unknown"
    ) {
        self.phoneNumberID = phoneNumberID
        self.from = from
        self.userID = userID
        self.at = at
        self.isAdClick = isAdClick
        self.isGroup = isGroup
        self.wamid = wamid
        self.kind = kind
    }
}
