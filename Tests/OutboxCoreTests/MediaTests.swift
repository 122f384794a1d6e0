import OutboxCore
import Testing

/// Files' types by what they are called, said to be and begin with.
@Suite struct MediaTests {
    private static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 0]
    private static let jpeg: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE0, 0, 0]

    private static func iso(_ brand: String) -> [UInt8] { [0, 0, 0, 24] + Array("ftyp\(brand)".utf8) }

    @Test(arguments: [
        ("image/PNG; x=y", "image/png"), ("audio/ogg; codecs=opus", "audio/ogg"), ("text/html", nil), ("", nil),
    ]) func aContentTypeNamesAType(contentType: String, mime: String?) {
        #expect(MediaType.named(contentType)?.mime == mime)
    }

    @Test(
        arguments: [
            (png, nil, "image/png"), (jpeg, "a.png", "image/jpeg"), (iso("isom"), nil, "video/mp4"),
            (iso("M4A "), nil, "audio/mp4"), (iso("3gp5"), nil, "video/3gpp"), (iso("isom"), "a.3gp", "video/3gpp"),
            ([0x50, 0x4B, 3, 4], "a.XLSX", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
            ([0x50, 0x4B, 3, 4], "a.zip", nil), ([0x50, 0x4B, 3, 4], nil, nil),
            (Array("hello".utf8), "a.txt", "text/plain"),
            (Array("hello".utf8), "a.pdf", nil), (Array("hello".utf8), nil, nil),
            (Array("%PDF-1.7".utf8), nil, "application/pdf"),
        ] as [([UInt8], String?, String?)]) func aFileTellsItsType(head: [UInt8], name: String?, mime: String?)
    {
        #expect(MediaType.of(head: head, filename: name)?.mime == mime)
    }

    @Test(
        arguments: [
            ("image/png", png, true), ("image/png", jpeg, false), ("image/png", Array("hello".utf8), false),
            ("text/plain", Array("hello".utf8), true), ("text/plain", png, false), ("audio/mpeg", [0xFF, 0xFB], true),
            ("audio/mpeg", Array("OggS".utf8), false), ("application/msword", [0xD0, 0xCF], true),
        ] as [(String, [UInt8], Bool)]) func whatItsBytesShowIsBelievedWhereItIsSure(
            mime: String, head: [UInt8], fits: Bool
        ) throws
    {
        #expect((try #require(MediaType.named(mime)).problem(head: head) == nil) == fits)
    }

    @Test func sizesAreMetas() throws {
        let image = try #require(MediaType.named("image/jpeg"))
        #expect(image.problem(size: 5 << 20, head: Self.jpeg) == nil)
        #expect(image.problem(size: 5 << 20 + 1, head: Self.jpeg) != nil)
        let sticker = try #require(MediaType.named("image/webp"))
        let still = Array("RIFF....WEBPVP8 ".utf8) + [UInt8](repeating: 0, count: 16)
        var moving = Array("RIFF....WEBPVP8X".utf8) + [UInt8](repeating: 0, count: 16)
        moving[20] = 0x02
        #expect(sticker.problem(size: 100 << 10, head: still) == nil)
        #expect(sticker.problem(size: 100 << 10 + 1, head: still) != nil)
        #expect(sticker.problem(size: 500 << 10, head: moving) == nil)
        #expect(sticker.problem(size: 500 << 10 + 1, head: moving) != nil)
        #expect(MediaType.all.map(\.bytesMax).max() == MediaType.bytesMax)
    }

    @Test func metasIDTakesThePlaceOfOursAndOfNothingElse() {
        let id = "0190a000-0000-7000-8000-000000000001"
        let content = #"{"media":"\#(id)","caption":"\"media\":\"\#(id)\""},"context":{"message_id":"wamid.1"}"#
        let filled = MediaName.filled(Array(content.utf8), media: id, metaID: "77")
        #expect(
            String(decoding: filled, as: UTF8.self)
                == #"{"id":"77","caption":"\"media\":\"\#(id)\""},"context":{"message_id":"wamid.1"}"#)
    }

    @Test func anIDIsUsableUntilAnHourBeforeItsEnd() {
        let now = Timestamp(milliseconds: 1_800_000_000_000)
        var upload = MediaUpload(key: .init(media: MessageID(rawValue: 1), line: 1))
        #expect(upload.usable(now) == nil)
        (upload.state, upload.metaID, upload.expiresAt) = (.done, "77", now + .seconds(3601))
        #expect(upload.usable(now) == "77")
        #expect(upload.usable(now + .seconds(1)) == nil)
    }
}
