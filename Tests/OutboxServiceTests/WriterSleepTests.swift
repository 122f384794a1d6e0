import OutboxSystem
import Testing

@testable import OutboxService

@Suite struct WriterSleepTests {
    /// The last turn may have heard the bell and left the mail.
    @Test func itDoesNotSleepWhereMailLies() {
        let inbox = WriterInbox()
        inbox.post(.ping(1))
        inbox.bell.clear()
        let until = steadyNanoseconds() + 60_000_000_000
        WriterThread.sleep(inbox, WallTimer(), until: until)
        #expect(steadyNanoseconds() < until)
    }

    /// The last turn may have taken the mail and not heard the bell.
    @Test func aBellWithoutMailWakesNobody() {
        let inbox = WriterInbox()
        inbox.bell.ring()
        let until = steadyNanoseconds() + 20_000_000
        WriterThread.sleep(inbox, WallTimer(), until: until)
        #expect(steadyNanoseconds() >= until)
    }
}
