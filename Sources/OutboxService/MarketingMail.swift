import OutboxAPI
import OutboxCore
import OutboxStore

/// What somebody wants of campaigns, of who wants no marketing, and of how much of it there may be.
enum MarketingWish: Sendable {
    case create(CampaignBody)
    case add(MessageID, [RecipientItem])
    case order(MessageID, CampaignOrder)
    /// An address as it is stored.
    case optOut(String, OptOutBody)
    case optIn(String)
    /// Of a line by name; nil: of the account.
    case putCap(String?, MarketingCap)
    case removeCap(String?)
}

/// A recipient with its place in the request.
struct RecipientItem: Sendable {
    var index: Int
    var body: RecipientBody
}

/// What the writer answers to it.
enum MarketingReply: Sendable {
    case campaign(CampaignResult, line: String, isNew: Bool)
    /// Which of a slice were refused, and what became of the others; nil: the campaign takes none (any more).
    case added(CampaignAdded?, refused: [(index: Int, error: APIError)], state: CampaignState?)
    case optedOut(String, isNew: Bool)
    /// False: the person was not on the list.
    case optedIn(Bool)
    case cap(MarketingCap, line: String?)
    /// False: there was none.
    case capRemoved(Bool)
    case noSuchLine(String)
}
