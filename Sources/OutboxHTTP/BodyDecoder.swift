/// Takes a body's bytes out of what came over the wire.
package struct BodyDecoder: Sendable {
    private enum State: Equatable {
        case bytes(left: Int)
        /// The digits of a chunk's size, as far as they came.
        case size(value: Int, digits: Int)
        case sizeLineFeed(value: Int)
        case chunk(left: Int)
        case chunkCarriageReturn
        case chunkLineFeed
        case endCarriageReturn
        case endLineFeed
        case done
    }

    private var state: State

    package init(_ framing: BodyFraming) {
        state =
            switch framing {
            case .none: .done
            case .length(let count): count == 0 ? .done : .bytes(left: count)
            case .chunked: .size(value: 0, digits: 0)
            }
    }

    package var isDone: Bool { state == .done }

    /// Appends what belongs to the body to `body`, `room` bytes at most, and answers how many bytes of `input` it used.
    package mutating func decode(_ input: UnsafeRawBufferPointer, into body: inout [UInt8], room: Int)
        throws(HTTPRefusal) -> Int
    {
        var at = 0
        var room = room
        while at < input.count, state != .done {
            switch state {
            case .bytes(let left), .chunk(let left):
                let count = min(left, input.count - at, room)
                guard count > 0 else { return at }
                body.append(contentsOf: UnsafeRawBufferPointer(rebasing: input[at..<at + count]))
                at += count
                room -= count
                took(count, of: left)
            default:
                try control(input[at])
                at += 1
            }
        }
        return at
    }

    private mutating func took(_ count: Int, of left: Int) {
        if case .bytes = state {
            state = left == count ? .done : .bytes(left: left - count)
        } else {
            state = left == count ? .chunkCarriageReturn : .chunk(left: left - count)
        }
    }

    /// One byte of what stands around the chunks.
    private mutating func control(_ byte: UInt8) throws(HTTPRefusal) {
        switch (state, byte) {
        case (.size(let value, let digits), 0x0D) where digits > 0: state = .sizeLineFeed(value: value)
        case (.size(let value, let digits), _):
            guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue, byte < 0x80, digits < 12 else {
                throw HTTPRefusal(status: 400, message: "a chunk's size is not a hexadecimal number and CR LF")
            }
            state = .size(value: value << 4 | digit, digits: digits + 1)
        case (.sizeLineFeed(0), 0x0A): state = .endCarriageReturn
        case (.sizeLineFeed(let value), 0x0A): state = .chunk(left: value)
        case (.chunkCarriageReturn, 0x0D): state = .chunkLineFeed
        case (.chunkLineFeed, 0x0A): state = .size(value: 0, digits: 0)
        case (.endCarriageReturn, 0x0D): state = .endLineFeed
        case (.endLineFeed, 0x0A): state = .done
        default: throw HTTPRefusal(status: 400, message: "a chunk does not end where its size says, or has a trailer")
        }
    }
}
