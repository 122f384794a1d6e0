import Testing

@testable import OutboxService

@Suite struct JournalCatalogTests {
    @Test func everyKindHasAnEntryWithCauseAndRemedy() {
        for kind in LogKind.allCases {
            let explanation = kind.explanation
            #expect(!explanation.subject.isEmpty && !explanation.subject.hasSuffix("."), "\(kind)")
            #expect(explanation.cause.hasSuffix("."), "\(kind)")
            #expect(explanation.remedy.hasSuffix("."), "\(kind)")
            #expect(kind.rawValue.count == 32 && kind.rawValue.allSatisfy { $0.isHexDigit && !$0.isUppercase })
        }
    }

    @Test func aKindHasOneEntryInTheCatalogAndItsFieldsAreWritten() {
        let catalog = journalCatalog()
        let known = Set(LogLine.Field.allCases.map(\.rawValue))
        for kind in LogKind.allCases {
            #expect(catalog.split(separator: "\n").count { $0 == "-- \(kind.rawValue)" } == 1, "\(kind)")
        }
        let parts = catalog.split(separator: "@", omittingEmptySubsequences: false)
        for index in stride(from: 1, to: parts.count, by: 2) {
            #expect(known.contains(String(parts[index])), "\(parts[index]) is no field")
        }
    }
}
