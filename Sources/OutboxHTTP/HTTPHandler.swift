/// Names one request on one connection. Its answer may come at any time; when the client has gone, it goes nowhere.
package struct Exchange: Hashable, Sendable {
    let descriptor: Int32
    let serial: UInt64

    /// The same for all on one connection; others get the number once that has ended.
    package var connection: Int32 { descriptor }

    package init(descriptor: Int32, serial: UInt64) {
        self.descriptor = descriptor
        self.serial = serial
    }
}

/// What to do with the body of a request whose head has been read.
package enum BodyPlan: Sendable {
    /// Hand over the whole request; a longer body is refused with 413.
    case collect(bytesMax: Int)
    /// Hand over the body piece by piece, without end. With a least rate the client must keep it, as with a body that is
    /// collected; without one it may take its time between two pieces.
    case stream(hasLeastRate: Bool)
    /// Answer now, read nothing more and close.
    case refuse(HTTPResponse)
}

/// Decides what requests mean. Everything is called on the server's own thread and must not block.
package protocol HTTPHandler: AnyObject {
    func plan(_ head: RequestHead, peer: Peer, listener: Int, _ exchange: Exchange) -> BodyPlan
    /// A collected request, whole.
    func received(_ request: HTTPRequest, _ exchange: Exchange)
    /// A piece of a streamed body. Reading stops until `HTTPServer.resume`.
    func received(piece: [UInt8], _ exchange: Exchange)
    /// A streamed body came to its end.
    func ended(_ exchange: Exchange)
    /// The client went away, or broke a rule, in the middle of a streamed body.
    func dropped(_ exchange: Exchange)
    /// Everything written so far of an answer that goes on has been taken: the next piece may come.
    func drained(_ exchange: Exchange)
    /// An answer that went on is over before its end: the client went away or takes nothing, or the server drains.
    /// May be called from within `write`.
    func cutOff(_ exchange: Exchange)
    /// How many connections one user may have open on one socket.
    func connectionsMax(for peer: Peer, listener: Int) -> Int
    /// How many connections on one socket all users like this one may have open together; nil: it is no stranger.
    func strangersMax(for peer: Peer, listener: Int) -> Int?
    /// The answer to a request that breaks the rules of HTTP or a limit of the server.
    func answer(to refusal: HTTPRefusal, listener: Int) -> HTTPResponse
    /// Somebody rang the server's bell.
    func bellRang()
    /// The handler's own moment has come; answers the next one.
    func timeUp(nowNanoseconds: UInt64) -> UInt64?
}

extension HTTPHandler {
    package func drained(_ exchange: Exchange) {}
    package func cutOff(_ exchange: Exchange) {}
    package func connectionsMax(for peer: Peer, listener: Int) -> Int { .max }
    package func strangersMax(for peer: Peer, listener: Int) -> Int? { nil }
}
