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
        followers[exchange] = Visitor(guest: guest, peer: request.peer)
        events.post(.follow(exchange, query, message: message, user: guest.caller, account: guest.account))
    }

    func drained(_ exchange: Exchange) {
        if downloads.contains(exchange) {
            parts.media.drained(exchange)
        } else if backups.contains(exchange) {
            parts.backups.drained(exchange)
        } else {
            events.post(.drained(exchange))
        }
    }

    func cutOff(_ exchange: Exchange) {
        followers[exchange] = nil
        translations[exchange] = nil
        if downloads.remove(exchange) != nil {
            parts.media.gone(exchange)
        } else if backups.remove(exchange) != nil {
            parts.backups.gone(exchange)
        } else {
            events.post(.gone(exchange))
        }
    }

    /// Whose key has ended or whose role was taken away, gets and gives no more by what was begun before.
    func expelStrangers() { expel { !parts.door.stillAdmits($0.guest, $0.peer) } }

    func expel(_ isMeant: (Visitor) -> Bool) {
        for (exchange, visitor) in followers where isMeant(visitor) {
            cutOff(exchange)
            server.breakOff(exchange)
        }
        // One whose body is there is with the writer, and answered by it.
        for (exchange, visitor) in uploads where isMeant(visitor) && !uploadsEnded.contains(exchange) {
            uploads[exchange] = nil
            parts.media.dropped(exchange)
            let words = "the key has ended, or the role was taken away, while the file came"
            respond(exchange, .error(APIError(.unauthorized, words)))
        }
        expelUploaders(isMeant)
        for (exchange, job) in bulks {
            guard let visitor = job.visitor, isMeant(visitor) else { continue }
            bulks[exchange] = nil
            let error = APIError(.unauthorized, "the key has ended, or the role was taken away, while the body came")
            respond(exchange, finished(job, error))
        }
    }

    func carryOut(_ order: StreamOrder) {
        switch order {
        case .refuse(let exchange, let error):
            forget(exchange)
            respond(exchange, .error(error))
        case .begin(let exchange, let head, let endless):
            // What streams is handed on as it is.
            translations[exchange] = nil
            if !server.begin(exchange, head, endless: endless) { cutOff(exchange) }
        case .piece(let exchange, let bytes): server.write(exchange, bytes)
        case .end(let exchange):
            forget(exchange)
            server.end(exchange)
        case .breakOff(let exchange):
            forget(exchange)
            server.breakOff(exchange)
        }
    }

    private func forget(_ exchange: Exchange) {
        followers[exchange] = nil
        backups.remove(exchange)
        downloads.remove(exchange)
    }

    // MARK: Cursors

    func putCursor(_ asker: Asker, _ name: String, _ body: [UInt8], _ exchange: Exchange) throws(APIError) {
        guard LogCursor.isName(name) else { throw .validation([FieldError("cursor", CursorBody.nameWords)]) }
        post(asker, .moveCursor(exchange, name: name, try CursorBody.read(try parse(body))))
    }
}
