import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON

/// The WhatsApp API of CallMissed (docs.callmissed.com): `/api/v1/whatsapp/…`.
///
/// An answer is the object or array itself; a refusal is `{"detail": "…"}`, and with 422 for fields that are wrong
/// `{"detail": [{"type": "…", "loc": ["body", "to"], "msg": "…", "input": null}]}`.
struct CallMissed: Dialect {
    let front: Frontend
    let guest: Guest

    func translate(_ call: CallMissedCall, _ request: HTTPRequest) throws(APIError) -> Translation {
        switch call {
        case .exchange: connect(try .read(try front.parse(request.body), isCode: true))
        case .connect: connect(try .read(try front.parse(request.body), isCode: false))
        case .accounts: accounts()
        case .numbers: numbers()
        case .linkBot(let phone): linkBot(phone, try CallMissedBody.bot(try front.parse(request.body)))
        case .autoReply(let phone): setAutoReply(phone, try CallMissedBody.enabled(try front.parse(request.body)))
        case .send(let kind): send(try CallMissedMessage.read(kind, try front.parse(request.body)))
        case .markRead(let id):
            markRead(id, request.body.isEmpty ? false : try CallMissedBody.typing(try front.parse(request.body)))
        case .uploadMedia: preconditionFailure("a file comes in pieces")
        case .templates: try templates(request.head)
        case .makeTemplate: try makeTemplate(try front.parse(request.body))
        case .syncTemplates:
            syncTemplates(
                try request.body.isEmpty ? nil : CallMissedBody.account(try front.parse(request.body), others: []))
        case .removeTemplate(let id): removeTemplate(id)
        case .campaigns: try campaigns(request.head)
        case .createCampaign: createCampaign(try CallMissedCampaign.read(try front.parse(request.body)))
        case .addRecipients(let id):
            addRecipients(id, try CallMissedCampaign.recipients(try front.parse(request.body)))
        case .launchCampaign(let id): launch(id)
        case .funnel: funnel(try days(request.head, usual: 7))
        case .timeseries: timeseries(try days(request.head, usual: 14))
        case .costs: costs(try days(request.head, usual: 30))
        }
    }

    // MARK: Own calls

    /// `own` is the answer of ours it is made of.
    static func done(_ own: HTTPResponse? = nil, status: Int = 200, _ body: (inout JSONWriter) -> Void) -> Translation {
        var response = HTTPResponse.json(status, body)
        response.headers += own?.passedHeaders ?? []
        return .answer(response)
    }

    /// An array.
    static func list(_ items: (inout JSONWriter) -> Void) -> Translation {
        var json = JSONWriter()
        json.array(nil, items)
        return .answer(HTTPResponse(status: 200, headers: [HTTPResponse.jsonType], body: json.bytes + [0x0A]))
    }

    /// The account's lines, as we tell them.
    func withLines(_ then: @escaping ([JSONValue]) -> Translation) -> Translation {
        ask(OwnCall(.lines, "/v1/lines")) { answer, _ in then(answer["data"]?.elements.map { $0 } ?? []) }
    }

    /// The line a number is of: ours or Meta's id of it, or the line's name.
    func withLine(_ number: String, _ then: @escaping (JSONValue) -> Translation) -> Translation {
        withLines { lines in
            guard let line = lines.first(where: { CallMissedID.names(number, $0) }) else {
                return Self.refuse(CallMissedID.unknownNumber)
            }
            return then(line)
        }
    }

    // MARK: Parameters

    func parameters(_ head: RequestHead, known: [String]) throws(APIError) -> [String: String] {
        guard let given = head.query else { throw APIError(.malformed, "the query holds a broken % escape") }
        var values: [String: String] = [:]
        var errors: [FieldError] = []
        for (name, value) in given {
            if known.contains(name) {
                values[name] = value
            } else {
                errors.append(
                    FieldError(Self.query + name, "is not known here; known are \(known.joined(separator: ", "))"))
            }
        }
        guard errors.isEmpty else { throw .validation(errors) }
        return values
    }

    static func number(_ name: String, _ text: String?, in range: ClosedRange<Int>, usual: Int) throws(APIError) -> Int
    {
        guard let text else { return usual }
        guard let number = Int(text), range.contains(number) else {
            throw .validation([
                FieldError(query + name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            ])
        }
        return number
    }
}
