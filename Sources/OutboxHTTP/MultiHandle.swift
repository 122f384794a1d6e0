import CCurl
import Glibc
import OutboxSystem

/// libcurl's multi handle and what it waits for. Belongs to one thread, which may be another than made it.
final class MultiHandle: @unchecked Sendable {
    /// Nil: to be made with the next transfer.
    private var multi: UnsafeMutableRawPointer?
    private let connectionsMax: Int
    let sockets: SocketWatch
    /// When libcurl wants to be called without any event, by the steady clock.
    private var callAt: UInt64?

    /// `bell` ends a wait.
    init(connectionsMax: Int, bell: Bell) {
        self.connectionsMax = connectionsMax
        sockets = SocketWatch(bell: bell)
        open()
        precondition(multi != nil, "libcurl gave no multi handle")
    }

    deinit { curl_multi_cleanup(multi) }

    private func open() {
        guard let made = curl_multi_init() else { return }
        _ = ob_curl_multi_set_long(made, CURLMOPT_MAX_TOTAL_CONNECTIONS, connectionsMax)
        _ = ob_curl_multi_set_long(made, CURLMOPT_MAXCONNECTS, connectionsMax)
        _ = ob_curl_multi_set_long(made, CURLMOPT_PIPELINING, 0)
        let watch = Unmanaged.passUnretained(sockets).toOpaque()
        _ = ob_curl_multi_set_socket_callback(made, multiWantsSocket, watch)
        _ = ob_curl_multi_set_timer_callback(made, multiWantsCall, Unmanaged.passUnretained(self).toOpaque())
        multi = made
    }

    /// Closes all connections. No transfer may be under way.
    ///
    /// To be called when libcurl lacked memory: what it remembers of a socket is broken then, and stays.
    func startAnew() {
        curl_multi_cleanup(multi)
        multi = nil
        callAt = nil
    }

    /// False when libcurl lacks memory for it.
    func add(_ transfer: Transfer) -> Bool {
        if multi == nil { open() }
        return multi != nil && curl_multi_add_handle(multi, transfer.easy) == CURLM_OK
    }

    func remove(_ transfer: Transfer) { curl_multi_remove_handle(multi, transfer.easy) }

    /// Goes on with what was added and what has its time. False when libcurl lacked memory to go on with all of them,
    /// and may never look at some again.
    func goOn() -> Bool {
        guard let moment = callAt, moment == 0 || moment <= steadyNanoseconds() else { return true }
        // It says anew when it wants the next call.
        callAt = nil
        return act(CURL_SOCKET_TIMEOUT, 0)
    }

    /// Sleeps until a socket has something, a timer of libcurl's, that moment of the steady clock, or the bell, and goes
    /// on with the transfers it concerns; false as in `goOn`.
    func wait(anyUnderWay: Bool, until moment: UInt64?) -> Bool {
        var milliseconds: Int32 = anyUnderWay ? 1000 : 3_600_000
        if let next = [moment, callAt].compactMap({ $0 }).min() {
            milliseconds = min(milliseconds, pollTimeout(untilTick: next))
        }
        var isWhole = true
        sockets.wait(milliseconds: milliseconds) { event in
            isWhole = isWhole && act(event.socket, event.bits)
        }
        return isWhole
    }

    private func act(_ socket: Int32, _ bits: Int32) -> Bool {
        var running: Int32 = 0
        return multi == nil || curl_multi_socket_action(multi, socket, bits, &running) == CURLM_OK
    }

    /// The next transfer that has ended; it is to be removed.
    func nextEnded() -> (Transfer, CURLcode)? {
        var left: Int32 = 0
        while let message = curl_multi_info_read(multi, &left) {
            guard message.pointee.msg == CURLMSG_DONE, let easy = message.pointee.easy_handle else { continue }
            if let transfer = Transfer.of(easy) { return (transfer, message.pointee.data.result) }
        }
        return nil
    }

    fileprivate func callIn(milliseconds: Int) {
        switch milliseconds {
        case ..<0: callAt = nil
        case 0: callAt = 0
        default: callAt = steadyNanoseconds() + UInt64(milliseconds) * 1_000_000
        }
    }
}

// C callbacks are free functions: a closure written where an actor is implied would die on another thread.

private func multiWantsSocket(
    _ easy: UnsafeMutableRawPointer?, _ socket: curl_socket_t, _ what: Int32, _ watch: UnsafeMutableRawPointer?,
    _ own: UnsafeMutableRawPointer?
) -> Int32 {
    guard let watch else { return -1 }
    return Unmanaged<SocketWatch>.fromOpaque(watch).takeUnretainedValue().want(socket, what) ? 0 : -1
}

private func multiWantsCall(
    _ multi: UnsafeMutableRawPointer?, _ milliseconds: Int, _ handle: UnsafeMutableRawPointer?
) -> Int32 {
    guard let handle else { return -1 }
    Unmanaged<MultiHandle>.fromOpaque(handle).takeUnretainedValue().callIn(milliseconds: milliseconds)
    return 0
}
