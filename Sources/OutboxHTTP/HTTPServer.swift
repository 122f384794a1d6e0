import CLinux
import Glibc
package import OutboxSystem

/// HTTP/1.1 on one thread and one epoll: reads requests, hands them to a handler, writes its answers.
///
/// One request of a connection is with the handler at a time; what a client pipelines waits its turn in the socket.
/// Everything belongs to the thread that calls `run`; only the bell may be rung from anywhere.
package final class HTTPServer {
    let limits: HTTPLimits
    let epoll: Int32
    let scratch: UnsafeMutableRawBufferPointer
    var listeners: [Int32: Listener] = [:]
    var connections = ConnectionTable()
    var openConnections: [Connection.Owner: Int] = [:]
    var lastSerial: UInt64 = 0
    /// By listener.
    var shares: [Int: Connection.Share] = [:]
    var sweepAt: UInt64 = .max
    var handlerWakesAt: UInt64?
    /// Whose handler is to hear that everything was taken.
    var drainedNow: [Exchange] = []
    /// Answers are being gathered, to be sent together; these have one.
    var gathers = false
    var answeredNow: [Connection] = []
    var running = true
    /// Takes no more connections; ends when the last one has gone, at this moment of the steady clock at the latest.
    var drainsUntil: UInt64?
    /// Given up to tell one more client that all descriptors are used; -1 while there is none to have.
    var spareDescriptor: Int32
    /// No connections are taken until this moment of the steady clock.
    var acceptsAgainAt: UInt64?
    /// Bytes of bodies the handler has and has not answered.
    var heldBodies: [Exchange: (share: Connection.Share, count: Int)] = [:]
    var serving: (any HTTPHandler)?
    let bell: Bell

    /// Whoever rings `bell` has the handler's `bellRang` called.
    package init(listeners: [Listener], bell: Bell, limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        self.bell = bell
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(epoll >= 0, "no epoll: errno \(errno)")
        scratch = .allocate(byteCount: 65_536, alignment: 16)
        spareDescriptor = -1
        takeSpareDescriptor()
        // Told of every ring anew, nobody has to read how often it rang.
        watch(bell.descriptor, EPOLLIN.rawValue | EPOLLET.rawValue, EPOLL_CTL_ADD)
        for listener in listeners {
            self.listeners[listener.descriptor] = listener
            watch(listener.descriptor, EPOLLIN.rawValue, EPOLL_CTL_ADD)
        }
    }

    deinit {
        for connection in connections.values { close(connection.descriptor) }
        close(spareDescriptor)
        close(epoll)
        scratch.deallocate()
    }

    // MARK: The loop

    var handler: any HTTPHandler {
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
            tellDrained()
            let now = steadyNanoseconds()
            if now >= sweepAt { sweep(now) }
            if let at = acceptsAgainAt, now >= at { acceptAgain() }
            if let at = handlerWakesAt, now >= at { handlerWakesAt = handler.timeUp(nowNanoseconds: now) }
            if let drainsUntil, connections.isEmpty || now >= drainsUntil { running = false }
        }
        for listener in listeners.values {
            close(listener.descriptor)
            listener.removePath()
        }
    }

    package func stop() { running = false }

    /// Takes no new connections, answers what has been asked, ends answers that have no end of their own, closes
    /// connections that served and are idle, then stops.
    ///
    /// Whoever connected and has not asked yet gets a moment for it: a client takes a connection closed before its
    /// first request for a server that is not there.
    package func drain() {
        guard drainsUntil == nil else { return }
        drainsUntil = steadyNanoseconds() + UInt64(limits.drainSeconds * 1e9)
        acceptsAgainAt = nil
        for descriptor in listeners.keys { watch(descriptor, 0, EPOLL_CTL_DEL) }
        sendGathered()
        for connection in connections.values {
            if case .sending(_, endless: true) = connection.stage { cutShort(connection) }
            guard connection.isOpen else { continue }
            // A request may lie in the socket already: its sender shall not wonder what became of it.
            if case .head = connection.stage, !connection.hasOutput { read(connection) }
            guard connection.isOpen else { continue }
            guard case .head = connection.stage, connection.unreadCount == 0, !connection.hasOutput else { continue }
            if connection.hasAsked { drop(connection) } else { setDeadline(connection, limits.firstRequestSeconds) }
        }
    }

    /// Wakes the handler's `timeUp` at that moment of the steady clock.
    package func wake(atNanoseconds moment: UInt64?) { handlerWakesAt = moment }

    package var connectionCount: Int { connections.count }

    func timeoutMilliseconds() -> Int32 {
        let next = min(sweepAt, handlerWakesAt ?? .max, drainsUntil ?? .max, acceptsAgainAt ?? .max)
        if !drainedNow.isEmpty { return 0 }
        if next == .max { return -1 }
        let now = steadyNanoseconds()
        return next <= now ? 0 : Int32(min((next - now) / 1_000_000 + 1, 3_600_000))
    }

    func handle(_ event: epoll_event) {
        let descriptor = event.data.fd
        if descriptor == bell.descriptor {
            gatherAnswers { handler.bellRang() }
        } else if let connection = connections[descriptor] {
            if event.events & EPOLLOUT.rawValue != 0 {
                guard flush(connection) else { return }
                // What was pipelined had to wait until the client took its answers.
                if !connection.hasOutput { advance(connection) }
            }
            let gone = event.events & (EPOLLHUP.rawValue | EPOLLERR.rawValue) != 0
            if gone || event.events & EPOLLIN.rawValue != 0 { read(connection) }
            // Not half closed but gone: the answer has nowhere to go, and epoll would say so for ever.
            if gone, connection.inputEnded, connection.isOpen { drop(connection) }
        } else if let listener = listeners[descriptor] {
            accept(on: listener)
        }
    }

    func watch(_ descriptor: Int32, _ events: UInt32, _ operation: Int32) {
        var event = epoll_event()
        event.events = events
        event.data.fd = descriptor
        let done = epoll_ctl(epoll, operation, descriptor, &event)
        precondition(done == 0 || errno == ENOENT, "epoll_ctl: errno \(errno)")
    }

    // MARK: Connections

    func setDeadline(_ connection: Connection, _ seconds: Double) {
        connection.waitsSince = steadyNanoseconds()
        connection.deadline = connection.waitsSince + UInt64(seconds * 1e9)
        sweepAt = min(sweepAt, connection.deadline)
    }

    /// Looks after everybody whose time may be over, and for the next such moment.
    func sweep(_ now: UInt64) {
        sweepAt = .max
        for connection in connections.values where connection.isOpen {
            if connection.deadline <= now { expire(connection) }
            if connection.isOpen { sweepAt = min(sweepAt, connection.deadline) }
        }
    }

    func expire(_ connection: Connection) {
        switch connection.stage {
        case _ where connection.hasOutput: drop(connection)
        case .head where connection.unreadCount == 0, .lingering: drop(connection)
        case .answering, .sending: connection.deadline = .max
        case .streaming(_, paused: true): connection.deadline = .max
        case .head, .collecting, .streaming:
            refuse(connection, HTTPRefusal(status: 408, message: "the rest of the request did not come in time"))
        }
    }

    func drop(_ connection: Connection) {
        endStream(connection)
        // Unless its handler, hearing of that, had it dropped already.
        guard connection.isOpen else { return }
        connection.share.bodyBytes -= connection.body.count
        connections.remove(connection)
        connection.isOpen = false
        if connection.isStranger { connection.share.strangers -= 1 }
        let left = openConnections[connection.owner, default: 1] - 1
        openConnections[connection.owner] = left == 0 ? nil : left
        close(connection.descriptor)
    }

    func endStream(_ connection: Connection) {
        switch connection.stage {
        case .streaming: handler.dropped(exchange(connection))
        case .sending: handler.cutOff(exchange(connection))
        case .head, .collecting, .answering, .lingering: break
        }
    }

    func exchange(_ connection: Connection) -> Exchange {
        Exchange(descriptor: connection.descriptor, serial: connection.serial)
    }

    /// What the handler knows of a request's client and need not look up for its next one.
    package func knowledge(_ exchange: Exchange) -> AnyObject? { find(exchange)?.knowledge }

    package func keep(_ knowledge: AnyObject?, of exchange: Exchange) { find(exchange)?.knowledge = knowledge }

    func find(_ exchange: Exchange) -> Connection? {
        guard let connection = connections[exchange.descriptor], connection.serial == exchange.serial else {
            return nil
        }
        return connection
    }

    /// Tells epoll what the connection waits for now.
    func updateInterest(_ connection: Connection) {
        var interest: UInt32 = 0
        switch connection.stage {
        // Who does not take its answers may not ask for more.
        case .head: interest = connection.hasOutput ? 0 : EPOLLIN.rawValue
        case .collecting, .lingering, .streaming(_, paused: false): interest = EPOLLIN.rawValue
        // A pipelined request is read ahead as far as one head goes, then left in the socket.
        case .answering, .sending, .streaming(_, paused: true):
            if connection.unreadCount < limits.headBytesMax { interest = EPOLLIN.rawValue }
        }
        if connection.inputEnded { interest = 0 }
        if connection.hasOutput { interest |= EPOLLOUT.rawValue }
        if interest != connection.interest {
            connection.interest = interest
            watch(connection.descriptor, interest, EPOLL_CTL_MOD)
        }
    }
}
