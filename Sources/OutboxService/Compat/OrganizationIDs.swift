import OutboxCore
import OutboxStore

/// The ids by which the organisation-key API knows what has names or small numbers here: UUIDs of version 8, the same
/// whenever they are asked for, those of another installation or account being others.
///
/// Messages, conversations and contacts have UUIDs of their own. A line keeps its id when it gets another number, and
/// has it again when it is removed and made anew.
struct OrganizationIDs {
    let codec: IDCodec
    let account: Int64

    /// The account.
    var organization: String { codec.text(naming: "organization \(account)") }

    /// The line of that name.
    func phone(_ line: String) -> String { codec.text(naming: "phone \(account) \(line)") }

    /// The subscription of that number.
    func webhook(_ subscription: Int64) -> String { codec.text(naming: "webhook \(account) \(subscription)") }

    /// Whether a caller who writes `text` means the line: by its id, by Meta's id of its number, or by its name.
    func names(_ text: String, line: String, phoneNumberID: String?) -> Bool {
        text.lowercased() == phone(line) || text == phoneNumberID || text == line
    }
}
