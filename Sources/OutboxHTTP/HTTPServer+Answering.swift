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
        put(noted(response, connection), keepAlive: keepAlive, on: connection)
        answered(connection, keepAlive: keepAlive)
    }

    private func put(_ response: HTTPResponse, keepAlive: Bool, on connection: Connection) {
        let isHead = connection.isHead
        connection.write { encode(response, keepAlive: keepAlive, isHead: isHead, to: &$0) }
    }

    /// Answers given within `body` are all written before the first is sent: a client that is woken takes the processor
    /// from those that wait.
    func gatherAnswers(_ body: () -> Void) {
        gathers = true
        body()
        gathers = false
        sendGathered()
    }

    func sendGathered() {
        let connections = answeredNow
        answeredNow = []
        for connection in connections where connection.isOpen { goOn(connection) }
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
        if gathers, !connection.isAdvancing { answeredNow.append(connection) } else { goOn(connection) }
    }

    private func goOn(_ connection: Connection) {
        guard flush(connection) else { return }
        // An answer given at once, from within `advance`, lets that go on instead of going deeper.
        if connection.isAdvancing { return }
        if connection.unreadCount > 0, !connection.closesAfterOutput {
            advance(connection)
        } else {
            updateInterest(connection)
        }
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
        put(noted(response, connection), keepAlive: false, on: connection)
        connection.stage = .lingering
        connection.serial = 0
        connection.share.bodyBytes -= connection.body.count
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

func encode(_ response: HTTPResponse, keepAlive: Bool, isHead: Bool, to bytes: inout [UInt8]) {
    bytes.reserveCapacity(bytes.count + 192 + response.body.count)
    write(statusAndHeadersOf: response, to: &bytes)
    bytes.append("content-length: ")
    bytes.append(decimal: response.body.count)
    bytes.append(keepAlive ? "\r\n\r\n" : "\r\nconnection: close\r\n\r\n")
    if !isHead { bytes.append(contentsOf: response.body) }
}

func write(statusAndHeadersOf response: HTTPResponse, to bytes: inout [UInt8]) {
    bytes.append("HTTP/1.1 ")
    bytes.append(decimal: response.status)
    bytes.append(UInt8(ascii: " "))
    bytes.append(reasonPhrase(response.status))
    bytes.append("\r\n")
    for header in response.headers {
        bytes.append(header.name)
        bytes.append(": ")
        bytes.append(header.value)
        bytes.append("\r\n")
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(contentsOf: $0) }
    }

    fileprivate mutating func append(decimal number: Int) {
        if number >= 10 { append(decimal: number / 10) }
        append(UInt8(ascii: "0") + UInt8(number % 10))
    }
}
