import OutboxHTTP
import Testing

/// Forms, whole and in pieces of every size.
@Suite struct MultipartTests {
    private static let body = """
        preamble\r\n--B\r\nContent-Disposition: form-data; name="type"\r\n\r\nimage/png\r\n--B\r
        Content-Disposition: form-data; name="file"; filename="a \\"b\\".png"\r\ncontent-type: image/png\r\n\r
        \r\n--\r\n-B\r\n--C\r\nbytes\r\n--B\r\nContent-Disposition: form-data; name=empty\r\n\r\n\r\n--B--\r\nepilogue
        """

    private typealias Event = MultipartReader.Event

    private func read(_ bytes: [UInt8], by count: Int) throws -> (events: [Event], isDone: Bool) {
        var reader = MultipartReader(boundary: "B")
        var events: [Event] = []
        for start in stride(from: 0, to: bytes.count, by: count) {
            for event in try reader.read(Array(bytes[start..<min(start + count, bytes.count)])) {
                // Where the pieces end says nothing.
                if case .bytes(let more) = event, case .bytes(let before)? = events.last {
                    events[events.count - 1] = .bytes(before + more)
                } else {
                    events.append(event)
                }
            }
        }
        return (events, reader.isDone)
    }

    @Test(arguments: [1, 2, 3, 7, 64, 10_000]) func aFormIsReadInPieces(count: Int) throws {
        let (events, isDone) = try read(Array(Self.body.utf8), by: count)
        #expect(
            events == [
                .part(name: "type", filename: nil, contentType: nil), .bytes(Array("image/png".utf8)), .partEnded,
                .part(name: "file", filename: #"a "b".png"#, contentType: "image/png"),
                .bytes(Array("\r\n--\r\n-B\r\n--C\r\nbytes".utf8)), .partEnded,
                .part(name: "empty", filename: nil, contentType: nil), .partEnded, .ended,
            ])
        #expect(isDone)
    }

    @Test func whatIsCutOffIsNotDone() throws {
        for count in 0..<(Array(Self.body.utf8).count - 12) {
            #expect(try !read(Array(Array(Self.body.utf8)[..<count]), by: 100).isDone)
        }
    }

    @Test(arguments: [
        "--Bx\r\n\r\n", "--B\r\nno header\r\n\r\n", "--B\r\nContent-Disposition: form-data\r\n\r\nx",
        "--B\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        "--B\r\n" + String(repeating: "x", count: 5000),
        String(repeating: "--B\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n", count: 17),
    ]) func whatIsNoFormIsRefused(body: String) {
        #expect(throws: HTTPRefusal.self) { try read(Array(body.utf8), by: 1000) }
    }

    @Test(
        arguments: [
            ("multipart/form-data; boundary=abc", "abc"), ("Multipart/Form-Data; charset=x; boundary=\"a b\"", "a b"),
            ("multipart/mixed; boundary=abc", nil), ("multipart/form-data", nil),
            ("multipart/form-data; boundary=", nil),
        ] as [(String, String?)]) func aContentTypeNamesTheBoundary(contentType: String, boundary: String?)
    {
        #expect(MultipartReader.boundary(of: contentType) == boundary)
    }
}
