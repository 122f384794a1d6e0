import Glibc

/// One request to somebody else's server.
package struct OutgoingRequest: Sendable {
    package var method: String
    package var url: String
    /// `Name: value`
    package var headers: [String]
    package var body: [UInt8]
    /// Stands between `body` and `bodyEnd`, and is read as it is sent.
    package var file: BodyFile?
    package var bodyEnd: [UInt8] = []
    /// From the start to the last byte of the answer; zero: without limit.
    package var timeout: Duration
    /// An answer that goes on for so long without a byte counts as broken; nil: it may be quiet.
    package var quietMax: Duration?
    /// Connect here instead of to the URL's host.
    package var unixSocket: String?
    /// A longer answer counts as broken.
    package var answerBytesMax: Int
    /// A longer answer is cut instead.
    package var cutsAnswer = false
    /// An answer counts once its head is there, whatever becomes of its body.
    package var headSuffices = false
    /// The only headers of the answer that are kept, in lower case; nil: all are.
    package var headersWanted: [String]?
    /// Schemes that are spoken, as libcurl lists them.
    package var protocols = "http,https"
    /// What speaks against connecting to an address, 4 or 16 bytes in network order; nil: nothing. Asked about the
    /// address itself in the moment before the connection is made (of a proxy's, where one stands between).
    package var refusesAddress: (@Sendable ([UInt8]) -> String?)?
    /// Told how many bytes of the body have been handed over, whenever some were; for a look at how far it is.
    package var tellsSent: (@Sendable (Int) -> Void)?
    /// Whatever the environment says of proxies.
    package var bypassesProxy = false

    /// Of the whole body.
    var bodySize: Int { body.count + (file?.size ?? 0) + bodyEnd.count }

    package init(
        method: String, url: String, headers: [String] = [], body: [UInt8] = [], timeout: Duration = .seconds(30),
        unixSocket: String? = nil, answerBytesMax: Int = 1 << 20
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
        self.unixSocket = unixSocket
        self.answerBytesMax = answerBytesMax
    }
}

/// A file whose bytes are sent. The descriptor is closed when nothing holds it any more.
package final class BodyFile: Sendable {
    package let descriptor: Int32
    /// So many bytes are sent; a file that has become shorter breaks the request off.
    package let size: Int

    package init(descriptor: Int32, size: Int) {
        self.descriptor = descriptor
        self.size = size
    }

    deinit { close(descriptor) }
}

/// How a request ended.
package enum HTTPResult: Equatable, Sendable {
    case answered(status: Int, headers: [HTTPHeader], body: [UInt8])
    /// Not a byte of the request was written to the connection: it certainly did not arrive. So end refused connections,
    /// failed TLS handshakes and proxies that do not let us through.
    case notSent(String)
    /// It may have arrived; no whole answer came, or where the head suffices not even that.
    case broken(String)
}
