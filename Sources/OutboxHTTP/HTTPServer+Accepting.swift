import CLinux
import Glibc
import OutboxSystem

/// From listening to connections: who gets in, and at whose expense when there is little room.
extension HTTPServer {
    func accept(on listener: Listener) {
        for _ in 0..<64 {
            let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let descriptor = accept4(listener.descriptor, nil, nil, flags)
            guard descriptor >= 0 else {
                switch errno {
                case EAGAIN: return
                case EINTR, ECONNABORTED: continue
                case EMFILE, ENFILE:
                    if dropQuietest(where: { _ in true }) { continue }
                    return turnAwayWithoutDescriptor(listener)
                default: return acceptLater()
                }
            }
            let connection = Connection(
                descriptor: descriptor, listener: listener.tag, peer: Peer(socket: descriptor),
                share: share(of: listener.tag))
            if let refusal = refusal(of: connection) {
                turnAway(descriptor, listener, refusal)
                continue
            }
            connections.insert(connection)
            openConnections[connection.owner, default: 0] += 1
            if connection.isStranger { connection.share.strangers += 1 }
            connection.interest = EPOLLIN.rawValue
            watch(descriptor, EPOLLIN.rawValue, EPOLL_CTL_ADD)
            setDeadline(connection, limits.idleSeconds)
        }
    }

    private func share(of listener: Int) -> Connection.Share {
        if let share = shares[listener] { return share }
        let share = Connection.Share()
        shares[listener] = share
        return share
    }

    /// Why there is no room for one more; nil when there is, or was made.
    func refusal(of connection: Connection) -> HTTPRefusal? {
        let ownMax = handler.connectionsMax(for: connection.peer, listener: connection.listener)
        if openConnections[connection.owner, default: 0] >= ownMax,
            !dropQuietest(where: { $0.owner == connection.owner })
        {
            return HTTPRefusal(status: 503, message: "too many connections of one user")
        }
        if let together = handler.strangersMax(for: connection.peer, listener: connection.listener) {
            connection.isStranger = true
            if connection.share.strangers >= together,
                !dropQuietest(where: { $0.isStranger && $0.listener == connection.listener })
            {
                return HTTPRefusal(status: 503, message: "too many connections of users without a role")
            }
        }
        let open = openConnections.reduce(0) { $1.key.listener == connection.listener ? $0 + $1.value : $0 }
        if open >= limits.connectionsMax, !dropQuietest(where: { $0.listener == connection.listener }) {
            return HTTPRefusal(status: 503, message: "too many connections")
        }
        return nil
    }

    /// Closes the connection that has idled longest of whoever has most of them open, so that nobody is kept out by
    /// connections nobody uses; false when none has idled for a while.
    private func dropQuietest(where isEligible: (Connection) -> Bool) -> Bool {
        let now = steadyNanoseconds()
        let quiet = UInt64(limits.spareIdleSeconds * 1e9)
        func rank(_ connection: Connection) -> (Int, UInt64) {
            (openConnections[connection.owner, default: 0], now - connection.waitsSince)
        }
        var quietest: Connection?
        for connection in connections.values {
            guard case .head = connection.stage, connection.unreadCount == 0, !connection.hasOutput,
                connection.waitsSince + quiet <= now, isEligible(connection)
            else { continue }
            if quietest.map({ rank($0) < rank(connection) }) ?? true { quietest = connection }
        }
        guard let quietest else { return false }
        drop(quietest)
        return true
    }

    /// Says so and closes; whether the client takes it is its own affair.
    private func turnAway(_ descriptor: Int32, _ listener: Listener, _ refusal: HTTPRefusal) {
        var bytes: [UInt8] = []
        encode(handler.answer(to: refusal, listener: listener.tag), keepAlive: false, isHead: false, to: &bytes)
        _ = bytes.withUnsafeBytes { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
        close(descriptor)
    }

    /// All descriptors are used: the next client is told so by way of the spare one. Where another thread was quicker
    /// to take that, clients wait in the socket's queue.
    private func turnAwayWithoutDescriptor(_ listener: Listener) {
        if spareDescriptor >= 0 { close(spareDescriptor) }
        let descriptor = accept4(listener.descriptor, nil, nil, Int32(SOCK_NONBLOCK.rawValue))
        if descriptor >= 0 {
            turnAway(descriptor, listener, HTTPRefusal(status: 503, message: "no file descriptors left"))
        }
        takeSpareDescriptor()
        if descriptor < 0 || spareDescriptor < 0 { acceptLater() }
    }

    func takeSpareDescriptor() { spareDescriptor = open("/dev/null", O_RDONLY | O_CLOEXEC) }

    /// epoll would say without end that there is somebody to accept.
    private func acceptLater() {
        guard drainsUntil == nil else { return }
        acceptsAgainAt = steadyNanoseconds() + UInt64(limits.acceptPauseSeconds * 1e9)
        for descriptor in listeners.keys { watch(descriptor, 0, EPOLL_CTL_MOD) }
    }

    func acceptAgain() {
        acceptsAgainAt = nil
        if spareDescriptor < 0 { takeSpareDescriptor() }
        for descriptor in listeners.keys { watch(descriptor, EPOLLIN.rawValue, EPOLL_CTL_MOD) }
    }
}
