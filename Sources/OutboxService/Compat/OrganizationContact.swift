import OutboxCore
import OutboxJSON

/// Somebody as clients of the API with organisation keys know them.
///
/// `contactIdentifier` is what they keep: Meta's business-scoped user id (BSUID) where there is one, else the phone
/// number, which is the WhatsApp ID, else `@` and the username. A contact need have no phone number.
struct OrganizationContact {
    /// Ours; nil: nobody of whom anything was received.
    var id: String?
    var phone: String?
    var userID: String?
    var username: String?
    var name: String?

    /// `own`: the members that tell of a contact, as `Correspondent.writeMembers` writes them.
    init(own: JSONValue) {
        id = own["contactId"]?.string
        phone = own["contactPhone"]?.string
        userID = own["contactUserId"]?.string
        username = own["contactUsername"]?.string
        name = own["contactName"]?.string
    }

    init(_ correspondent: Correspondent, id: String) {
        self.id = id
        phone = correspondent.phone
        userID = correspondent.userID
        username = correspondent.username
        name = correspondent.name
    }

    /// Whoever a message is to.
    init(to address: String) {
        if Recipient.isUserID(address) { userID = address } else { phone = address }
    }

    private var identifier: (text: String?, type: String?) {
        if let userID { return (userID, "bsuid") }
        if let phone { return (phone, "phone") }
        return username.map { ("@" + $0, "username") } ?? (nil, nil)
    }

    /// Whatever can be said of everybody, with null where it is not known.
    func writeMembers(to json: inout JSONWriter) {
        json.field("contactId", id)
        json.field("contactIdentifier", identifier.text)
        json.field("contactIdentifierType", identifier.type)
        json.field("contactReplyTo", phone ?? userID)
        json.field("contactPhone", phone)
        json.field("contactName", name)
        json.field("businessScopedUserId", userID)
        json.field("username", username)
    }
}

/// What a message says, in the same members wherever one is told of.
struct OrganizationContent {
    var type: String?
    var text: String?
    /// JSON: what stands under the message's type at Meta, but for texts.
    var content: [UInt8]?

    /// `own`: a message sent or received as `GET /v1/messages/{id}` shows it, or the data of `message.received`.
    init(own: JSONValue?) {
        type = own?["type"]?.string
        let isOutbound = own?["to"] != nil
        text = own?[isOutbound ? "message" : "text"]?.string
        guard type != "text", let value = isOutbound ? type.flatMap({ own?[$0] }) : own?["content"] else { return }
        content = value.compact
    }

    func writeMembers(to json: inout JSONWriter) {
        json.field("type", type)
        json.field("text", text)
        json.field("content", raw: content)
    }
}
