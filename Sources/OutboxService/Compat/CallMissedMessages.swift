import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON

/// Messages, read marks and files.
extension CallMissed {
    /// `wamid` is our id of the message: Meta's is not known before it has left.
    func send(_ message: CallMissedMessage) -> Translation {
        withLine(message.number) { line in
            let call = OwnCall(.submit, "/v1/messages", body: message.body(line: line["line"]?.string ?? ""))
            return ask(call) { answer, response in
                let data = answer["data"]
                return Self.done(response) { json in
                    json.field("wamid", data?["id"]?.string)
                    json.array("wamids") { if let id = data?["id"]?.string { $0.value(id) } }
                    json.array("contacts") {
                        $0.object {
                            $0.field("input", message.to)
                            $0.field("wa_id", PhoneNumber(message.to)?.digits)
                        }
                    }
                    json.field("status", data?["status"]?.string)
                }
            }
        }
    }

    func markRead(_ id: String, _ typing: Bool) -> Translation {
        let call = OwnCall(.markRead(id), "/v1/messages/\(percentEncoded(id))/read") { $0.field("typing", typing) }
        return ask(call) { _, response in Self.done(response) { $0.field("success", true) } }
    }

    /// What was handed in, once it is stored.
    func uploaded(_ response: HTTPResponse) -> Translation {
        if let error = response.refusal(parser) { return Self.refuse(error) }
        guard let data = (try? parser.parse(response.body))?["data"] else {
            return Self.refuse(APIError(.internalError, "outboxd's own answer could not be read"))
        }
        return Self.done(response) {
            $0.field("media_id", data["id"]?.string)
            $0.field("mime_type", data["type"]?.string)
            $0.field("size_bytes", data["size"]?.integer)
        }
    }
}

extension Frontend {
    /// The form goes the way of `POST /v1/media`, piece by piece; only the answer is another one.
    func planCallMissedUpload(
        _ head: RequestHead, _ guest: Guest, _ peer: Peer, _ listener: Int, _ exchange: Exchange
    ) throws(APIError) -> BodyPlan {
        guard head["content-type"].flatMap(MultipartReader.boundary) != nil else {
            throw .validation([FieldError("file", "is missing: send it as multipart/form-data")])
        }
        let plan = try planUpload(head, guest, peer, exchange, takesNumber: true)
        let callMissed = CallMissed(front: self, guest: guest)
        translations[exchange] = Translating(
            request: HTTPRequest(head: head, body: [], peer: peer, listener: listener), guest: guest,
            then: { callMissed.uploaded($0) })
        return plan
    }
}
