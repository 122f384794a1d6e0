import CLinux
import Glibc

/// From answers to bytes.
extension HTTPServer {
    /// Headers that go with the answer to a request, whatever that is; to be called from `plan`.
    package func note(_ exchange: Exchange, _ headers: [HTTPHeader]) { find(exchange)?.notes = headers }

    func noted(_ response: HTTPResponse, _ connection: Connection) -> HTTPResponse {
        guard !connection.notes.isEmpty else { return response }
        var response = response
        response.headers += connection.notes
        return response
    }

    package func respond(_ exchange: Exchange, _ response: HTTPResponse) {
        release(exchange)
        guard let connection = find(exchange) else { return }
        switch connection.stage {
        case .answering: break
        case .streaming, .collecting: return refuse(connection, response)
        case .head, .sending, .lingering: return
        }
        let keepAlive = keeps(connection) && !response.closes
        connection.append(encode(noted(response, connection), keepAlive: keepAlive, isHead: connection.isHead))
        answered(connection, keepAlive: keepAlive)
    }

    /// Whether the connection may serve one more request.
    func keeps(_ connection: Connection) -> Bool {
        // A client that closed its sending half may have sent more requests before.
        let isLast = connection.inputEnded && connection.unreadCount == 0
        return connection.keepAlive && drainsUntil == nil && !isLast
    }

    /// The answer is written to its last byte: on to the next request.
    func answered(_ connection: Connection, keepAlive: Bool) {
        connection.isHead = false
        connection.stage = .head
        connection.serial = 0
        if !keepAlive { connection.closesAfterOutput = true }
        guard flush(connection) else { return }
        // An answer given at once, from within `advance`, lets that go on instead of going deeper.
        if connection.isAdvancing { return }
        if connection.unreadCount > 0, keepAlive { advance(connection) } else { updateInterest(connection) }
    }

    /// Ends an exchange without a proper answer: writes `bytes` as they are, then closes, or resets the connection.
    /// For those who play a broken server.
    package func breakOff(_ exchange: Exchange, writing bytes: [UInt8] = [], reset: Bool = false) {
        release(exchange)
        guard let connection = find(exchange) else { return }
        connection.append(bytes)
        // What it does not take is part of the break.
        _ = connection.flush()
        if reset {
            var linger = linger(l_onoff: 1, l_linger: 0)
            setsockopt(
                connection.descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout<Glibc.linger>.size))
        }
        drop(connection)
    }

    /// False when the connection is gone.
    func flush(_ connection: Connection) -> Bool {
        let before = connection.unsentCount
        let waited = connection.interest & EPOLLOUT.rawValue != 0
        guard connection.flush() else {
            drop(connection)
            return false
        }
        if connection.hasOutput {
            // Only a client that takes something gets more time.
            if !waited || connection.unsentCount < before { setDeadline(connection, limits.stallSeconds) }
            updateInterest(connection)
            return true
        }
        if connection.closesAfterOutput {
            drop(connection)
            return false
        }
        switch connection.stage {
        case .lingering where before > 0: beginLingering(connection)
        case .head: setDeadline(connection, limits.idleSeconds)
        case .sending:
            // Quiet, not idle: what it waits for is ours to say.
            connection.deadline = .max
            willTellDrained(connection)
        case .collecting, .streaming, .answering, .lingering: break
        }
        updateInterest(connection)
        return true
    }

    func refuse(_ connection: Connection, _ refusal: HTTPRefusal) {
        refuse(connection, handler.answer(to: refusal, listener: connection.listener))
    }

    /// Answers in the middle of a request. What the client still sends is read and forgotten for a while: closing
    /// at once would make the kernel throw the answer away with it.
    func refuse(_ connection: Connection, _ response: HTTPResponse) {
        endStream(connection)
        connection.append(encode(noted(response, connection), keepAlive: false, isHead: connection.isHead))
        connection.stage = .lingering
        connection.serial = 0
        bodyBytes[connection.listener, default: 0] -= connection.body.count
        connection.body = []
        connection.forgetInput()
        guard connection.flush() else { return drop(connection) }
        connection.isHead = false
        beginLingering(connection)
        updateInterest(connection)
    }

    func beginLingering(_ connection: Connection) {
        if !connection.hasOutput { shutdown(connection.descriptor, Int32(SHUT_WR)) }
        setDeadline(connection, limits.lingerSeconds)
    }
}

func encode(_ response: HTTPResponse, keepAlive: Bool, isHead: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(192 + response.body.count)
    write(statusAndHeadersOf: response, to: &bytes)
    bytes.append(contentsOf: "content-length: ".utf8)
    bytes.append(contentsOf: String(response.body.count).utf8)
    bytes.append(contentsOf: (keepAlive ? "\r\n\r\n" : "\r\nconnection: close\r\n\r\n").utf8)
    if !isHead { bytes.append(contentsOf: response.body) }
    return bytes
}

func write(statusAndHeadersOf response: HTTPResponse, to bytes: inout [UInt8]) {
    bytes.append(contentsOf: "HTTP/1.1 ".utf8)
    bytes.append(contentsOf: String(response.status).utf8)
    bytes.append(UInt8(ascii: " "))
    bytes.append(contentsOf: reasonPhrase(response.status).utf8)
    bytes.append(contentsOf: "\r\n".utf8)
    for header in response.headers {
        bytes.append(contentsOf: header.name.utf8)
        bytes.append(contentsOf: ": ".utf8)
        bytes.append(contentsOf: header.value.utf8)
        bytes.append(contentsOf: "\r\n".utf8)
    }
}
