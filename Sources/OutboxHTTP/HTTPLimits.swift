/// What one client may cost the server. Each has a default that fits a machine's own programs.
package struct HTTPLimits: Sendable {
    /// Request line and headers together.
    package var headBytesMax = 16_384
    package var headersMax = 64
    /// Open connections on one socket; one more takes the place of one that idles, or is told 503.
    package var connectionsMax = 4096
    /// A connection that idled so long may have to make room for a new one.
    package var spareIdleSeconds: Double = 1
    /// When nothing can be accepted for want of descriptors or memory, the next try comes this much later.
    package var acceptPauseSeconds: Double = 0.1
    /// Bodies in memory, of all connections on one socket together, until they are answered; a request over that is
    /// told 503.
    package var bodyBytesInMemoryMax = 64 << 20
    /// From the first byte of a request to the end of its headers.
    package var headSeconds: Double = 10
    /// Between two pieces of a body, and for a client to take a piece of an answer.
    package var stallSeconds: Double = 30
    /// A body that is collected, or streamed at a least rate, must come within this time and a second more for each so many of its bytes.
    package var bodySeconds: Double = 60
    package var bodyBytesPerSecondMin: Double = 16_384
    /// Between two requests on a connection.
    package var idleSeconds: Double = 75
    /// A refused client's remaining bytes are read this long, so that it gets to see the answer.
    package var lingerSeconds: Double = 2

    /// After `drain`: for everybody to get what was asked for, and for who has connected to ask at all.
    package var drainSeconds: Double = 5
    package var firstRequestSeconds: Double = 1

    package init() {}
}
