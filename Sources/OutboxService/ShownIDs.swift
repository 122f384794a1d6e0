import OutboxAPI
import OutboxCore
import OutboxJSON
import OutboxStore

extension IDCodec {
    /// The ids of a message received, as callers know them.
    func ids(of message: StoredInbound) -> InboundIDs {
        InboundIDs(
            message: text(message.id, .inbound), conversation: text(message.conversation, .conversation),
            contact: text(message.correspondent.id, .contact))
    }
}

extension LoggedEvent {
    /// As subscribers get it. Answers its name, the same whenever it is told.
    @discardableResult
    func write(to json: inout JSONWriter, _ codec: IDCodec, _ parser: JSONParser) -> String {
        let name = codec.text(event: sequence, at: at)
        write(
            to: &json, id: name, messageID: message.map { codec.text($0.id) },
            batchID: message?.batch.map { codec.text($0, .batch) }, parser: parser)
        return name
    }
}
