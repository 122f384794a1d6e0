/// A WhatsApp business phone number messages are sent from.
package struct Line: Equatable, Sendable {
    package let id: Int64
    package let account: Int64
    package var settings: LineSettings
    package var createdAt: Timestamp
    package var updatedAt: Timestamp

    package var name: String { settings.name }

    package init(id: Int64, account: Int64, settings: LineSettings, createdAt: Timestamp, updatedAt: Timestamp) {
        self.id = id
        self.account = account
        self.settings = settings
        self.createdAt = createdAt
        self.updatedAt = updatedAt
    }
}

/// What an operator says of a line.
package struct LineSettings: Equatable, Sendable {
    package var name: String
    /// Meta's id of the number, digits today, an opaque word by contract.
    package var phoneNumberID: String
    /// Meta's id of the WhatsApp business account.
    package var wabaID: String?
    /// The name of the secret that holds the access token.
    package var credential: String
    package var unknownPolicy: UnknownPolicy
    package var unknownGrace: Duration

    /// Messages of any direction in a second. Meta: 80 unless the number was upgraded to 1,000, 20 for numbers that
    /// also live in the WhatsApp Business app.
    package var messagesPerSecond: Int64

    package static let messagesPerSecondDefault: Int64 = 80
    package static let unknownGraceDefault = Duration.seconds(300)

    package init(
        name: String, phoneNumberID: String, wabaID: String?, credential: String,
        unknownPolicy: UnknownPolicy = .hold, unknownGrace: Duration = Self.unknownGraceDefault,
        messagesPerSecond: Int64 = Self.messagesPerSecondDefault
    ) {
        self.name = name
        self.phoneNumberID = phoneNumberID
        self.wabaID = wabaID
        self.credential = credential
        self.unknownPolicy = unknownPolicy
        self.unknownGrace = unknownGrace
        self.messagesPerSecond = messagesPerSecond
    }
}
