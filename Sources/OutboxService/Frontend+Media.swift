import OutboxAPI
import OutboxCore
import OutboxHTTP
import OutboxJSON
import OutboxStore
import OutboxSystem

/// Files on the socket.
extension Frontend {
    /// The body of a file, which is written to the disk piece by piece.
    func planUpload(
        _ head: RequestHead, _ guest: Guest, _ peer: Peer, _ exchange: Exchange, takesNumber: Bool = false
    ) throws(APIError) -> BodyPlan {
        guard let parameters = head.query else { throw APIError(.malformed, "the query holds a broken % escape") }
        var query = try MediaQuery.read(parameters)
        query.takesNumber = takesNumber
        // A form around the file has some bytes of its own.
        var size: Int64 = 0
        if case .length(let length) = head.body {
            size = Int64(length)
            guard size <= MediaType.bytesMax + 65_536 else { throw APIError(.tooLarge, MediaIntake.tooLong) }
        }
        guard parts.media.hasRoom(for: size) else { throw .diskFull }
        guard uploads.count < MediaStore.intakesMax else {
            throw APIError(
                .unavailable, "\(MediaStore.intakesMax) files are being handed in: try again in a moment", retryAfter: 1
            )
        }
        let own = uploads.values.count { $0.guest.name == guest.name && $0.guest.home == guest.home }
        guard own < MediaStore.intakesOfOneMax else {
            throw APIError(
                .unavailable, "you hand in \(own) files at once: go on when one of them has ended", retryAfter: 1)
        }
        uploads[exchange] = Visitor(guest: guest, peer: peer)
        parts.media.begin(exchange, try asker(guest, .uploadMedia, head), query, contentType: head["content-type"])
        return .stream(hasLeastRate: true)
    }

    func getMedia(_ id: String, _ request: HTTPRequest, _ exchange: Exchange, _ guest: Guest) {
        followers[exchange] = Visitor(guest: guest, peer: request.peer)
        downloads.insert(exchange)
        parts.media.get(exchange, id, account: guest.account)
    }

    func listMedia(_ head: RequestHead, _ exchange: Exchange, _ guest: Guest) throws(APIError) {
        guard let parameters = head.query else { throw APIError(.malformed, "the query holds a broken % escape") }
        let query = try PageQuery.read(parameters)
        var before: MessageID?
        if let cursor = query.cursor {
            guard let id = codec.id(cursor, .media) else {
                throw .validation([FieldError("cursor", "must be the meta.pagination.cursor of the page before")])
            }
            before = id
        }
        parts.reader.ask(exchange, .media(before: before, limit: query.limit), account: guest.account)
    }

    func mediaID(_ text: String) throws(APIError) -> MessageID {
        guard let id = codec.id(text, .media) else { throw APIError(.notFound, "there is no such file") }
        return id
    }
}

extension Answerer {
    func media(before: MessageID?, limit: Int) throws -> HTTPResponse {
        let (files, next) = try reader.files(account: account, before: before, limit: limit)
        let now = Timestamp(milliseconds: wallClockMilliseconds())
        return .page(limit: limit, cursor: next.map { reader.codec.text($0, .media) }) { json in
            for listing in files {
                listing.file.write(
                    to: &json, id: reader.codec.text(listing.file.id, .media),
                    sha256: hexadecimal(listing.file.sha256), uploads: listing.uploads, now: now)
            }
        }
    }
}

extension ReplyWords {
    func response(to kept: KeptMedia) -> HTTPResponse {
        let uploads = kept.line.flatMap { line in kept.upload.map { [(line: line, upload: $0)] } } ?? []
        let now = Timestamp(milliseconds: wallClockMilliseconds())
        // Somebody asked for Meta's id and it is not there yet.
        let isOpen = kept.upload.map { $0.usable(now) == nil } ?? false
        return .json(isOpen ? 202 : kept.isNew ? 201 : 200) {
            kept.file.write(
                to: &$0, name: "data", id: codec.text(kept.file.id, .media), sha256: hexadecimal(kept.file.sha256),
                uploads: uploads, now: now)
        }
    }

    func response(to removal: MediaRemoval) -> HTTPResponse {
        switch removal {
        case .done: HTTPResponse(status: 204)
        case .notFound: .error(APIError(.notFound, "there is no such file"))
        case .inUse:
            .error(
                APIError(
                    .conflict, "a message that names the file has not left yet; cancel it, or remove the file later"))
        }
    }
}
