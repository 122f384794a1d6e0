import CLinux
import Glibc
package import OutboxSystem

/// HTTP/1.1 on one thread and one epoll: reads requests, hands them to a handler, writes its answers.
///
/// One request of a connection is with the handler at a time; what a client pipelines waits its turn in the socket.
/// Everything belongs to the thread that calls `run`; only the bell may be rung from anywhere.
package final class HTTPServer {
    private let limits: HTTPLimits
    private let epoll: Int32
    private let scratch: UnsafeMutableRawBufferPointer
    private var listeners: [Int32: Listener] = [:]
    private var connections: [Int32: Connection] = [:]
    private var lastSerial: UInt64 = 0
    private var bodyBytes = 0
    private var sweepAt: UInt64 = .max
    private var handlerWakesAt: UInt64?
    private var running = true
    private var draining = false
    /// Given up to tell one more client that all descriptors are used.
    private var spareDescriptor: Int32
    private var serving: (any HTTPHandler)?
    private let bell: Bell

    /// Whoever rings `bell` has the handler's `bellRang` called.
    package init(listeners: [Listener], bell: Bell, limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        self.bell = bell
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(epoll >= 0, "no epoll: errno \(errno)")
        scratch = .allocate(byteCount: 65_536, alignment: 16)
        spareDescriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
        watch(bell.descriptor, EPOLLIN.rawValue, EPOLL_CTL_ADD)
        for listener in listeners {
            self.listeners[listener.descriptor] = listener
            watch(listener.descriptor, EPOLLIN.rawValue, EPOLL_CTL_ADD)
        }
    }

    deinit {
        for descriptor in connections.keys { close(descriptor) }
        close(spareDescriptor)
        close(epoll)
        scratch.deallocate()
    }

    // MARK: The loop

    private var handler: any HTTPHandler {
        guard let serving else { preconditionFailure("the server is asked to act before it runs") }
        return serving
    }

    /// Serves until `stop`, or until `drain` has come to its end.
    package func run(_ handler: any HTTPHandler) {
        serving = handler
        defer { serving = nil }
        var events = [epoll_event](repeating: epoll_event(), count: 256)
        handlerWakesAt = handler.timeUp(nowNanoseconds: steadyNanoseconds())
        while running {
            let count = epoll_wait(epoll, &events, Int32(events.count), timeoutMilliseconds())
            for event in events.prefix(Int(max(0, count))) { handle(event) }
            let now = steadyNanoseconds()
            if now >= sweepAt { sweep(now) }
            if let at = handlerWakesAt, now >= at { handlerWakesAt = handler.timeUp(nowNanoseconds: now) }
            if draining, connections.isEmpty { running = false }
        }
        for listener in listeners.values {
            close(listener.descriptor)
            if let path = listener.path { unlink(path) }
        }
    }

    package func stop() { running = false }

    /// Takes no new connections, answers what is with the handler, closes idle connections, then stops.
    package func drain() {
        guard !draining else { return }
        draining = true
        for descriptor in listeners.keys { watch(descriptor, 0, EPOLL_CTL_DEL) }
        for connection in connections.values {
            if case .head = connection.stage, connection.unreadCount == 0, !connection.hasOutput {
                drop(connection)
            }
        }
    }

    /// Wakes the handler's `timeUp` at that moment of the steady clock.
    package func wake(atNanoseconds moment: UInt64?) { handlerWakesAt = moment }

    package var connectionCount: Int { connections.count }

    private func timeoutMilliseconds() -> Int32 {
        let next = min(sweepAt, handlerWakesAt ?? .max)
        if next == .max { return -1 }
        let now = steadyNanoseconds()
        return next <= now ? 0 : Int32(min((next - now) / 1_000_000 + 1, 3_600_000))
    }

    private func handle(_ event: epoll_event) {
        let descriptor = event.data.fd
        if descriptor == bell.descriptor {
            bell.clear()
            handler.bellRang()
        } else if let listener = listeners[descriptor] {
            accept(on: listener)
        } else if let connection = connections[descriptor] {
            if event.events & EPOLLOUT.rawValue != 0, !flush(connection) { return }
            let gone = event.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
            if gone || event.events & EPOLLIN.rawValue != 0 { read(connection) }
            // Not half closed but gone: the answer has nowhere to go, and epoll would say so for ever.
            if gone, connection.inputEnded, connections[descriptor] === connection { drop(connection) }
        }
    }

    private func watch(_ descriptor: Int32, _ events: UInt32, _ operation: Int32) {
        var event = epoll_event()
        event.events = events
        event.data.fd = descriptor
        let done = epoll_ctl(epoll, operation, descriptor, &event)
        precondition(done == 0 || errno == ENOENT, "epoll_ctl: errno \(errno)")
    }

    // MARK: Connections

    private func accept(on listener: Listener) {
        for _ in 0..<64 {
            let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let descriptor = accept4(listener.descriptor, nil, nil, flags)
            if descriptor < 0 {
                if errno == EMFILE || errno == ENFILE { turnAwayWithoutDescriptor(listener) }
                return
            }
            let connection = Connection(descriptor: descriptor, listener: listener.tag, peer: Peer(socket: descriptor))
            connections[descriptor] = connection
            connection.interest = EPOLLIN.rawValue
            watch(descriptor, EPOLLIN.rawValue, EPOLL_CTL_ADD)
            if connections.count > limits.connectionsMax {
                refuse(connection, HTTPRefusal(status: 503, message: "too many connections"))
            } else {
                setDeadline(connection, limits.idleSeconds)
            }
        }
    }

    /// All descriptors are used: the next client is told so by way of the spare one.
    private func turnAwayWithoutDescriptor(_ listener: Listener) {
        close(spareDescriptor)
        let descriptor = accept4(listener.descriptor, nil, nil, Int32(SOCK_NONBLOCK.rawValue))
        if descriptor >= 0 {
            let refusal = HTTPRefusal(status: 503, message: "no file descriptors left")
            let bytes = encode(handler.answer(to: refusal, listener: listener.tag), keepAlive: false, isHead: false)
            // Whether it takes it is its own affair.
            _ = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            close(descriptor)
        }
        spareDescriptor = open("/dev/null", O_RDONLY | O_CLOEXEC)
    }

    private func setDeadline(_ connection: Connection, _ seconds: Double) {
        connection.deadline = steadyNanoseconds() + UInt64(seconds * 1e9)
        sweepAt = min(sweepAt, connection.deadline)
    }

    /// Looks after everybody whose time may be over, and for the next such moment.
    private func sweep(_ now: UInt64) {
        sweepAt = .max
        for connection in Array(connections.values) {
            if connection.deadline <= now { expire(connection) }
            if connections[connection.descriptor] === connection { sweepAt = min(sweepAt, connection.deadline) }
        }
    }

    private func expire(_ connection: Connection) {
        switch connection.stage {
        case .head where connection.unreadCount == 0, .lingering: drop(connection)
        case .answering where connection.hasOutput: drop(connection)
        case .answering: connection.deadline = .max
        case .streaming(_, paused: true): connection.deadline = .max
        case .head, .collecting, .streaming:
            refuse(connection, HTTPRefusal(status: 408, message: "the rest of the request did not come in time"))
        }
    }

    private func drop(_ connection: Connection) {
        endStream(connection)
        bodyBytes -= connection.body.count
        connections[connection.descriptor] = nil
        close(connection.descriptor)
    }

    private func endStream(_ connection: Connection) {
        if case .streaming = connection.stage { handler.dropped(exchange(connection)) }
    }

    private func exchange(_ connection: Connection) -> Exchange {
        Exchange(descriptor: connection.descriptor, serial: connection.serial)
    }

    private func find(_ exchange: Exchange) -> Connection? {
        guard let connection = connections[exchange.descriptor], connection.serial == exchange.serial else {
            return nil
        }
        return connection
    }

    /// Tells epoll what the connection waits for now.
    private func updateInterest(_ connection: Connection) {
        var interest: UInt32 = 0
        switch connection.stage {
        case .head, .collecting, .lingering, .streaming(_, paused: false): interest = EPOLLIN.rawValue
        // A pipelined request is read ahead as far as one head goes, then left in the socket.
        case .answering, .streaming(_, paused: true):
            if connection.unreadCount < limits.headBytesMax { interest = EPOLLIN.rawValue }
        }
        if connection.inputEnded { interest = 0 }
        if connection.hasOutput { interest |= EPOLLOUT.rawValue }
        if interest != connection.interest {
            connection.interest = interest
            watch(connection.descriptor, interest, EPOLL_CTL_MOD)
        }
    }

    // MARK: Reading

    private func read(_ connection: Connection) {
        switch connection.readMore(into: scratch) {
        case .nothing: return
        case .failed: return drop(connection)
        case .ended:
            connection.inputEnded = true
            // A client may close its sending half and still wait for the answer.
            switch connection.stage {
            case .answering, .streaming(_, paused: true): return updateInterest(connection)
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
    private func advance(_ connection: Connection) {
        connection.isAdvancing = true
        defer { connection.isAdvancing = false }
        while connections[connection.descriptor] === connection {
            let goesOn: Bool
            switch connection.stage {
            case .head: goesOn = readHead(connection)
            case .collecting(let head, let decoder, let bytesMax):
                goesOn = collect(connection, head, decoder, bytesMax)
            case .streaming(let decoder, paused: false): goesOn = stream(connection, decoder)
            case .answering, .lingering, .streaming(_, paused: true): goesOn = false
            }
            if !goesOn { break }
        }
        if connections[connection.descriptor] === connection { updateInterest(connection) }
    }

    private func readHead(_ connection: Connection) -> Bool {
        guard connection.unreadCount > 0 else { return false }
        let parsed = connection.withUnread { RequestParser.head($0, scanned: connection.scanned, limits: limits) }
        switch parsed {
        case .needsMore:
            // The first bytes of a head start its clock; more of them do not prolong it.
            if connection.scanned == 0 { setDeadline(connection, limits.headSeconds) }
            connection.scanned = connection.unreadCount
            return false
        case .refused(let refusal):
            refuse(connection, refusal)
            return false
        case .complete(let head, let consumed):
            connection.consume(consumed)
            return begin(connection, head)
        }
    }

    private func begin(_ connection: Connection, _ head: RequestHead) -> Bool {
        lastSerial += 1
        connection.serial = lastSerial
        connection.keepAlive = head.keepAlive && !draining
        connection.isHead = head.method == "HEAD"
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
        case .stream:
            connection.stage = .streaming(BodyDecoder(head.body), paused: false)
        }
        if head.expectsContinue, head.body != .none, connection.unreadCount == 0 {
            connection.append(Array("HTTP/1.1 100 Continue\r\n\r\n".utf8))
            guard flush(connection) else { return false }
        }
        setDeadline(connection, limits.stallSeconds)
        return true
    }

    private func tooLarge(_ bytesMax: Int) -> HTTPRefusal {
        HTTPRefusal(status: 413, message: "the body is longer than the \(bytesMax) bytes allowed here")
    }

    private func collect(_ connection: Connection, _ head: RequestHead, _ decoder: BodyDecoder, _ bytesMax: Int) -> Bool
    {
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
        bodyBytes += connection.body.count - before
        if decoder.isDone {
            bodyBytes -= connection.body.count
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
        if bodyBytes > limits.bodyBytesInMemoryMax {
            refuse(connection, HTTPRefusal(status: 503, message: "too many bodies in memory; try again"))
            return false
        }
        connection.stage = .collecting(head, decoder, bytesMax: bytesMax)
        if used > 0 { setDeadline(connection, limits.stallSeconds) }
        return false
    }

    private func decode(_ connection: Connection, _ decoder: inout BodyDecoder, room: Int) throws(HTTPRefusal) -> Int {
        var failure: HTTPRefusal?
        let used = connection.withUnread { bytes -> Int in
            do throws(HTTPRefusal) {
                return try decoder.decode(bytes, into: &connection.body, room: room)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        return used
    }

    private func stream(_ connection: Connection, _ decoder: BodyDecoder) -> Bool {
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
        if decoder.isDone, piece.isEmpty {
            connection.stage = .answering
            connection.deadline = .max
            handler.ended(exchange(connection))
            return true
        }
        guard !piece.isEmpty else {
            connection.stage = .streaming(decoder, paused: false)
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
        setDeadline(connection, limits.stallSeconds)
        if connection.inputEnded, connection.unreadCount == 0, !decoder.isDone { return drop(connection) }
        advance(connection)
    }

    // MARK: Answering

    package func respond(_ exchange: Exchange, _ response: HTTPResponse) {
        guard let connection = find(exchange) else { return }
        switch connection.stage {
        case .answering: break
        case .streaming, .collecting: return refuse(connection, response)
        case .head, .lingering: return
        }
        let keepAlive = connection.keepAlive && !response.closes && !draining && !connection.inputEnded
        connection.append(encode(response, keepAlive: keepAlive, isHead: connection.isHead))
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
    private func flush(_ connection: Connection) -> Bool {
        guard connection.flush() else {
            drop(connection)
            return false
        }
        if connection.hasOutput {
            setDeadline(connection, limits.stallSeconds)
            updateInterest(connection)
            return true
        }
        if connection.closesAfterOutput {
            drop(connection)
            return false
        }
        if case .head = connection.stage { setDeadline(connection, limits.idleSeconds) }
        updateInterest(connection)
        return true
    }

    private func refuse(_ connection: Connection, _ refusal: HTTPRefusal) {
        refuse(connection, handler.answer(to: refusal, listener: connection.listener))
    }

    /// Answers in the middle of a request. What the client still sends is read and forgotten for a while: closing
    /// at once would make the kernel throw the answer away with it.
    private func refuse(_ connection: Connection, _ response: HTTPResponse) {
        endStream(connection)
        connection.append(encode(response, keepAlive: false, isHead: connection.isHead))
        connection.stage = .lingering
        connection.serial = 0
        bodyBytes -= connection.body.count
        connection.body = []
        connection.forgetInput()
        guard connection.flush() else { return drop(connection) }
        if !connection.hasOutput { shutdown(connection.descriptor, Int32(SHUT_WR)) }
        setDeadline(connection, limits.lingerSeconds)
        updateInterest(connection)
    }
}

func encode(_ response: HTTPResponse, keepAlive: Bool, isHead: Bool) -> [UInt8] {
    var text = "HTTP/1.1 \(response.status) \(reasonPhrase(response.status))\r\n"
    for header in response.headers { text += "\(header.name): \(header.value)\r\n" }
    text += "content-length: \(response.body.count)\r\n"
    text += keepAlive ? "\r\n" : "connection: close\r\n\r\n"
    var bytes = Array(text.utf8)
    if !isHead { bytes.append(contentsOf: response.body) }
    return bytes
}
