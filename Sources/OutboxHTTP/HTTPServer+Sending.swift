/// Answers that go on: a head, pieces as they come, an end.
extension HTTPServer {
    /// Begins an answer whose pieces follow, with `response.body` as the first of them.
    ///
    /// False: no pieces are wanted, for the client has gone, asked with HEAD, or the server drains. `endless`: the
    /// answer has no end of its own, and ends when the server drains; any other that is not ended by then is broken
    /// off, which a client of HTTP/1.1 can tell from an end.
    package func begin(_ exchange: Exchange, _ response: HTTPResponse, endless: Bool) -> Bool {
        release(exchange)
        guard let connection = find(exchange), case .answering = connection.stage else { return false }
        let chunked = !connection.isOld
        if !chunked || response.closes || !keeps(connection) { connection.keepAlive = false }
        connection.append(encodeHead(noted(response, connection), chunked: chunked, keepAlive: connection.keepAlive))
        if connection.isHead {
            answered(connection, keepAlive: connection.keepAlive)
            return false
        }
        connection.stage = .sending(chunked: chunked, endless: endless)
        connection.tellsDrained = false
        connection.deadline = .max
        if endless, drainsUntil != nil {
            end(exchange)
            return false
        }
        if !response.body.isEmpty { connection.append(encode(piece: response.body, chunked: chunked)) }
        return flush(connection)
    }

    /// Writes one more piece. What the client does not take is kept: write the next when the handler was told that
    /// everything is drained.
    package func write(_ exchange: Exchange, _ piece: [UInt8]) {
        guard !piece.isEmpty, let connection = find(exchange), case .sending(let chunked, _) = connection.stage else {
            return
        }
        connection.append(encode(piece: piece, chunked: chunked))
        _ = flush(connection)
    }

    package func end(_ exchange: Exchange) {
        guard let connection = find(exchange), case .sending(let chunked, _) = connection.stage else { return }
        if chunked { connection.append(Array("0\r\n\r\n".utf8)) }
        answered(connection, keepAlive: keeps(connection))
    }

    /// Ends an answer that would go on for ever.
    func cutShort(_ connection: Connection) {
        let exchange = exchange(connection)
        end(exchange)
        handler.cutOff(exchange)
    }

    func willTellDrained(_ connection: Connection) {
        guard !connection.tellsDrained else { return }
        connection.tellsDrained = true
        drainedNow.append(exchange(connection))
    }

    /// Later than where it was noticed: a handler that writes again at once neither goes deeper nor keeps others waiting.
    func tellDrained() {
        let exchanges = drainedNow
        drainedNow = []
        for exchange in exchanges {
            guard let connection = find(exchange) else { continue }
            connection.tellsDrained = false
            if case .sending = connection.stage, !connection.hasOutput { handler.drained(exchange) }
        }
    }
}

private func encodeHead(_ response: HTTPResponse, chunked: Bool, keepAlive: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    write(statusAndHeadersOf: response, to: &bytes)
    if chunked { bytes.append(contentsOf: "transfer-encoding: chunked\r\n".utf8) }
    bytes.append(contentsOf: (keepAlive ? "\r\n" : "connection: close\r\n\r\n").utf8)
    return bytes
}

private func encode(piece: [UInt8], chunked: Bool) -> [UInt8] {
    guard chunked else { return piece }
    return Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [0x0D, 0x0A]
}
