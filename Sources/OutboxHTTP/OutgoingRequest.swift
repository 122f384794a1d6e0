/// One request to somebody else's server.
package struct OutgoingRequest: Sendable {
    package var method: String
    package var url: String
    /// `Name: value`
    package var headers: [String]
    package var body: [UInt8]
    /// From the start to the last byte of the answer.
    package var timeout: Duration
    /// Connect here instead of to the URL's host.
    package var unixSocket: String?
    /// A longer answer counts as broken.
    package var answerBytesMax: Int

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

/// How a request ended.
package enum HTTPResult: Equatable, Sendable {
    case answered(status: Int, headers: [HTTPHeader], body: [UInt8])
    /// No byte of the request was written: it certainly did not arrive.
    case notSent(String)
    /// It may have arrived; no whole answer came.
    case broken(String)
}
