import Glibc
import OutboxSystem

/// From bytes to requests.
extension HTTPServer {
    func read(_ connection: Connection) {
        switch connection.readMore(into: scratch) {
        case .nothing: return
        case .failed: return drop(connection)
        case .ended:
            connection.inputEnded = true
            // A client may close its sending half and still wait for the answer.
            switch connection.stage {
            case .answering, .sending, .streaming(_, paused: true): return updateInterest(connection)
            default: break
            }
            if connection.hasOutput {
                connection.closesAfterOutput = true
                return updateInterest(connection)
            }
            return drop(connection)
        case .some:
            if case .lingering = connection.stage { return connection.forgetInput() }
            advance(connection)
        }
    }

    /// Goes on with what has been read, as far as it goes.
    func advance(_ connection: Connection) {
        connection.isAdvancing = true
        defer { connection.isAdvancing = false }
        while connection.isOpen {
            let goesOn: Bool
            switch connection.stage {
            case .head: goesOn = readHead(connection)
            case .collecting(let head, let decoder, let bytesMax):
                goesOn = collect(connection, head, decoder, bytesMax)
            case .streaming(let decoder, paused: false): goesOn = stream(connection, decoder)
            case .answering, .sending, .lingering, .streaming(_, paused: true): goesOn = false
            }
            if !goesOn { break }
        }
        if connection.isOpen { updateInterest(connection) }
    }

    func readHead(_ connection: Connection) -> Bool {
        guard connection.unreadCount > 0, !connection.hasOutput else { return false }
        if let head = connection.takeRepeatedHead() { return begin(connection, head) }
        let parsed = connection.withUnread { RequestParser.head($0, scanned: connection.scanned, limits: limits) }
        switch parsed {
        case .needsMore where connection.inputEnded:
            drop(connection)
            return false
        case .needsMore:
            // The first bytes of a head start its clock; more of them do not prolong it.
            if connection.scanned == 0 { setDeadline(connection, limits.headSeconds) }
            connection.scanned = connection.unreadCount
            return false
        case .refused(let refusal):
            refuse(connection, refusal)
            return false
        case .complete(let head, let consumed):
            connection.take(head, consumed)
            return begin(connection, head)
        }
    }

    func begin(_ connection: Connection, _ head: RequestHead) -> Bool {
        lastSerial += 1
        connection.serial = lastSerial
        connection.hasAsked = true
        connection.askedAt = steadyNanoseconds()
        connection.keepAlive = head.keepAlive && drainsUntil == nil
        connection.isHead = head.method == "HEAD"
        connection.isOld = head.isOld
        connection.notes = []
        switch handler.plan(head, peer: connection.peer, listener: connection.listener, exchange(connection)) {
        case .refuse(let response):
            refuse(connection, response)
            return false
        case .collect(let bytesMax):
            if case .length(let length) = head.body, length > bytesMax {
                refuse(connection, tooLarge(bytesMax))
                return false
            }
            connection.stage = .collecting(head, BodyDecoder(head.body), bytesMax: bytesMax)
        case .stream(let hasLeastRate):
            connection.stage = .streaming(BodyDecoder(head.body), paused: false)
            connection.pace = hasLeastRate ? (0, 0) : nil
        }
        if head.expectsContinue, head.body != .none, connection.unreadCount == 0 {
            connection.append(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
            guard flush(connection) else { return false }
        }
        setDeadline(connection, limits.stallSeconds)
        return true
    }

    func tooLarge(_ bytesMax: Int) -> HTTPRefusal {
        HTTPRefusal(status: 413, message: "the body is longer than the \(bytesMax) bytes allowed here")
    }

    func collect(_ connection: Connection, _ head: RequestHead, _ decoder: BodyDecoder, _ bytesMax: Int) -> Bool {
        var decoder = decoder
        let before = connection.body.count
        let room = bytesMax - before
        let used: Int
        do throws(HTTPRefusal) {
            used = try decode(connection, &decoder, room: room)
        } catch {
            refuse(connection, error)
            return false
        }
        connection.consume(used)
        connection.share.bodyBytes += connection.body.count - before
        if connection.share.bodyBytes > limits.bodyBytesInMemoryMax {
            refuse(connection, HTTPRefusal(status: 503, message: "too many bodies in memory; try again"))
            return false
        }
        if decoder.isDone {
            hold(connection)
            let request = HTTPRequest(
                head: head, body: connection.body, peer: connection.peer, listener: connection.listener)
            connection.body = []
            connection.stage = .answering
            connection.deadline = .max
            handler.received(request, exchange(connection))
            return true
        }
        if connection.unreadCount > 0 {
            refuse(connection, tooLarge(bytesMax))
            return false
        }
        connection.stage = .collecting(head, decoder, bytesMax: bytesMax)
        if used > 0 { setBodyDeadline(connection) }
        return false
    }

    /// Who goes on sending gets more time, but not for a byte now and then.
    private func setBodyDeadline(_ connection: Connection) {
        setDeadline(connection, limits.stallSeconds)
        let seconds = limits.bodySeconds + Double(connection.body.count) / limits.bodyBytesPerSecondMin
        connection.deadline = min(connection.deadline, connection.askedAt + UInt64(seconds * 1e9))
        sweepAt = min(sweepAt, connection.deadline)
    }

    /// As a body that is collected, but for the time its handler takes.
    private func setStreamDeadline(_ connection: Connection) {
        setDeadline(connection, limits.stallSeconds)
        guard let pace = connection.pace else { return }
        let seconds =
            limits.bodySeconds + Double(pace.bytes) / limits.bodyBytesPerSecondMin - Double(pace.waited) / 1e9
        connection.deadline = min(connection.deadline, connection.waitsSince + UInt64(max(0, seconds) * 1e9))
        sweepAt = min(sweepAt, connection.deadline)
    }

    /// What the handler makes of a body takes as much memory as the body, also when its client has gone. Small ones
    /// are bounded by the number of connections.
    private func hold(_ connection: Connection) {
        if connection.body.count >= Self.heldBytesMin {
            heldBodies[exchange(connection)] = (connection.share, connection.body.count)
        } else {
            connection.share.bodyBytes -= connection.body.count
        }
    }

    private static var heldBytesMin: Int { 4096 }

    func release(_ exchange: Exchange) {
        guard !heldBodies.isEmpty, let held = heldBodies.removeValue(forKey: exchange) else { return }
        held.share.bodyBytes -= held.count
    }

    func decode(_ connection: Connection, _ decoder: inout BodyDecoder, room: Int) throws(HTTPRefusal) -> Int {
        var failure: HTTPRefusal?
        let before = connection.body.count
        let used = connection.withUnread { bytes -> Int in
            do throws(HTTPRefusal) {
                return try decoder.decode(bytes, into: &connection.body, room: room)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure {
            // What was counted stays, what this piece brought goes.
            connection.body.removeSubrange(before...)
            throw failure
        }
        return used
    }

    func stream(_ connection: Connection, _ decoder: BodyDecoder) -> Bool {
        var decoder = decoder
        let used: Int
        do throws(HTTPRefusal) {
            used = try decode(connection, &decoder, room: Int.max)
        } catch {
            refuse(connection, error)
            return false
        }
        connection.consume(used)
        let piece = connection.body
        connection.body = []
        if let pace = connection.pace {
            let waited = steadyNanoseconds() - connection.waitsSince
            connection.pace = (pace.bytes + piece.count, pace.waited + waited)
        }
        if decoder.isDone, piece.isEmpty {
            connection.stage = .answering
            connection.deadline = .max
            handler.ended(exchange(connection))
            return true
        }
        guard !piece.isEmpty else {
            connection.stage = .streaming(decoder, paused: false)
            if connection.pace != nil { setStreamDeadline(connection) }
            return false
        }
        connection.stage = .streaming(decoder, paused: true)
        connection.deadline = .max
        handler.received(piece: piece, exchange(connection))
        return true
    }

    /// Lets a streamed body go on.
    package func resume(_ exchange: Exchange) {
        guard let connection = find(exchange), case .streaming(let decoder, paused: true) = connection.stage else {
            return
        }
        connection.stage = .streaming(decoder, paused: false)
        setStreamDeadline(connection)
        advance(connection)
        // What is missing will not come any more.
        guard connection.inputEnded, connection.isOpen else { return }
        if case .streaming(_, paused: false) = connection.stage { drop(connection) }
    }
}
