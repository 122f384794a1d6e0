import CCurl
import CLinux
import Glibc
import OutboxSystem

/// The sockets libcurl waits for, in an epoll: with hundreds of transfers under way only those are looked at whose
/// sockets have something. Belongs to one thread.
///
/// libcurl lets go of a connection's socket after every transfer and asks for it again with the next one. A connection
/// stays in the epoll meanwhile, which saves two system calls a transfer.
final class SocketWatch {
    private struct Place {
        /// What epoll looks for; 0: the socket is not in it.
        var events: UInt32 = 0
        /// Made here, so that its end will be heard of; else, as the resolver's pipes, it may be closed unheard.
        var isOwn = false
        /// libcurl wants to know what happens to it.
        var isWanted = false
    }

    struct Event {
        var socket: Int32
        /// `CURL_CSELECT_IN` and `CURL_CSELECT_OUT`; 0 where libcurl has to look for itself.
        var bits: Int32
    }

    private let epoll: Int32
    private let bell: Bell
    /// By descriptor.
    private var places: [Place] = []
    private var events = [epoll_event](repeating: epoll_event(), count: 256)

    /// `bell` ends a wait.
    init(bell: Bell) {
        self.bell = bell
        epoll = epoll_create1(Int32(EPOLL_CLOEXEC))
        precondition(epoll >= 0, "no epoll: errno \(errno)")
        let isWatched = set(bell.descriptor, EPOLLIN.rawValue)
        precondition(isWatched, "epoll_ctl: errno \(errno)")
    }

    deinit { close(epoll) }

    // MARK: libcurl tells

    /// A socket that will be connected: looked at from the start, for libcurl does not tell when it closes one that did
    /// not connect in time and the next gets its number. False when the kernel has no room for it.
    func opened(_ socket: Int32) -> Bool {
        makeRoom(for: socket)
        places[Int(socket)] = Place(isOwn: true, isWanted: true)
        return tell(socket, EPOLL_CTL_ADD, EPOLLOUT.rawValue)
    }

    func closed(_ socket: Int32) {
        makeRoom(for: socket)
        places[Int(socket)] = Place()
    }

    /// `what`: one of `CURL_POLL_IN`, …`_OUT`, …`_INOUT` and …`_REMOVE`. False when the kernel has no room for it.
    func want(_ socket: Int32, _ what: Int32) -> Bool {
        makeRoom(for: socket)
        guard what != CURL_POLL_REMOVE else {
            letGo(socket)
            return true
        }
        places[Int(socket)].isWanted = true
        let reads = what & CURL_POLL_IN != 0 ? EPOLLIN.rawValue : 0
        let writes = what & CURL_POLL_OUT != 0 ? EPOLLOUT.rawValue : 0
        return places[Int(socket)].events == reads | writes || set(socket, reads | writes)
    }

    private func letGo(_ socket: Int32) {
        places[Int(socket)].isWanted = false
        // Only what is connected is read from alone.
        if !places[Int(socket)].isOwn || places[Int(socket)].events != EPOLLIN.rawValue { forget(socket) }
    }

    private func forget(_ socket: Int32) {
        // Closed means gone already.
        _ = tell(socket, EPOLL_CTL_DEL, 0)
        places[Int(socket)] = Place(isOwn: places[Int(socket)].isOwn)
    }

    private func set(_ socket: Int32, _ events: UInt32) -> Bool {
        makeRoom(for: socket)
        let isIn = places[Int(socket)].events != 0
        // Where somebody closed it and got its number again it is not what it was.
        return tell(socket, isIn ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, events)
            || tell(socket, isIn ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, events)
    }

    private func tell(_ socket: Int32, _ operation: Int32, _ events: UInt32) -> Bool {
        var event = epoll_event()
        event.events = events
        event.data.fd = socket
        guard epoll_ctl(epoll, operation, socket, &event) == 0 else { return false }
        places[Int(socket)].events = events
        return true
    }

    private func makeRoom(for socket: Int32) {
        let missing = Int(socket) + 1 - places.count
        if missing > 0 { places += Array(repeating: Place(), count: missing) }
    }

    // MARK: Waiting

    /// Sleeps until a socket has something, the bell rings, or so many milliseconds have passed, and calls `happened`
    /// for each event.
    func wait(milliseconds: Int32, _ happened: (Event) -> Void) {
        let count = epoll_wait(epoll, &events, Int32(events.count), milliseconds)
        for index in 0..<Int(max(0, count)) {
            let socket = events[index].data.fd
            if socket == bell.descriptor {
                bell.clear()
            } else if places[Int(socket)].isWanted {
                happened(Event(socket: socket, bits: Self.bits(events[index].events)))
            } else {
                // The other side has ended an idle connection, which epoll would say for ever.
                forget(socket)
            }
        }
    }

    private static func bits(_ events: UInt32) -> Int32 {
        (events & EPOLLIN.rawValue != 0 ? CURL_CSELECT_IN : 0)
            | (events & EPOLLOUT.rawValue != 0 ? CURL_CSELECT_OUT : 0)
    }
}
