import OutboxCore
import OutboxMeta
import Testing

@Suite struct GraphVersionTests {
    @Test func theVersionSpokenIsKnownAndHasAnEnd() throws {
        guard case .until(let end) = GraphVersions.life(of: GraphEndpoint.currentVersion) else {
            Issue.record("\(GraphEndpoint.currentVersion) is not in the table")
            return
        }
        #expect(end == Timestamp(rfc3339: "2028-07-29T00:00:00Z"))
        #expect(GraphVersions.life(of: "v26.0") == .open)
        #expect(GraphVersions.life(of: "v99.0") == .unknown)
    }
}
