import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxStore

/// The log on the socket: who reads it, and how far they say they have got.
extension Frontend {
    func readLog(_ request: HTTPRequest, _ exchange: Exchange, _ guest: Guest) throws(APIError) {
        guard let parameters = request.head.query else {
            throw APIError(.malformed, "the query holds a broken % escape")
        }
        let query = try EventQuery.read(
            parameters, accept: request.head["accept"], lastEventID: request.head["last-event-id"])
        var message: MessageID?
        if let text = query.messageID {
            message = messageID(text)
            if message == nil { throw APIError(.notFound, "there is no such message") }
        }
        events.post(.follow(exchange, query, message: message, user: guest.caller, account: guest.account))
    }

    func drained(_ exchange: Exchange) {
        if backups.contains(exchange) { parts.backups.drained(exchange) } else { events.post(.drained(exchange)) }
    }

    func cutOff(_ exchange: Exchange) {
        if backups.remove(exchange) != nil { parts.backups.gone(exchange) } else { events.post(.gone(exchange)) }
    }

    func carryOut(_ order: StreamOrder) {
        switch order {
        case .refuse(let exchange, let error):
            backups.remove(exchange)
            server.respond(exchange, .error(error))
        case .begin(let exchange, let head, let endless):
            if !server.begin(exchange, head, endless: endless) { cutOff(exchange) }
        case .piece(let exchange, let bytes): server.write(exchange, bytes)
        case .end(let exchange):
            backups.remove(exchange)
            server.end(exchange)
        case .breakOff(let exchange):
            backups.remove(exchange)
            server.breakOff(exchange)
        }
    }

    // MARK: Cursors

    func putCursor(_ asker: Asker, _ name: String, _ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        guard LogCursor.isName(name) else { throw .validation([FieldError("cursor", CursorBody.nameWords)]) }
        post(asker, .moveCursor(exchange, name: name, try CursorBody.read(try parse(body))))
    }
}
