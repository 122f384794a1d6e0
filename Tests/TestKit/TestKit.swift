import Foundation

/// A folder that lives as long as the test holds it.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() {
        let base = FileManager.default.temporaryDirectory.path
        // Short: a Unix socket's path has 107 bytes at most.
        path = "\(base)/ob-\(UInt32.random(in: 0 ... .max))"
        do {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            fatalError("no folder for a test: \(error)")
        }
    }

    deinit {
        // What a failed test leaves open may keep it; the system cleans its temporary folder.
        try? FileManager.default.removeItem(atPath: path)
    }

    package func file(_ name: String) -> String { "\(path)/\(name)" }
}

/// SplitMix64 (Steele, Lea, Flood 2014): the same dice for the same seed.
package struct Dice: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) { state = seed }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
