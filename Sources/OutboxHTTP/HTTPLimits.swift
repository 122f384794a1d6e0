/// What one client may cost the server. Each has a default that fits a machine's own programs.
package struct HTTPLimits: Sendable {
    /// Request line and headers together.
    package var headBytesMax = 16_384
    package var headersMax = 64
    /// Open connections on one socket; one more is told 503.
    package var connectionsMax = 1024
    /// Bodies in memory, of all connections on one socket together; a request over that is told 503.
    package var bodyBytesInMemoryMax = 128 << 20
    /// From the first byte of a request to the end of its headers.
    package var headSeconds: Double = 10
    /// Between two pieces of a body, and for a client to take a piece of an answer.
    package var stallSeconds: Double = 30
    /// Between two requests on a connection.
    package var idleSeconds: Double = 75
    /// A refused client's remaining bytes are read this long, so that it gets to see the answer.
    package var lingerSeconds: Double = 2

    /// After `drain`: for everybody to get what was asked for, and for who has connected to ask at all.
    package var drainSeconds: Double = 5
    package var firstRequestSeconds: Double = 1

    package init() {}
}
