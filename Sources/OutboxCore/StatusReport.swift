/// One status out of one of Meta's webhooks.
package struct StatusReport: Equatable, Sendable {
    package var phoneNumberID: String
    package var wamid: String
    /// `biz_opaque_callback_data`; Meta does not promise it on `failed`.
    package var opaque: String?
    package var report: Report
    /// Meta's own time.
    package var at: Timestamp
    package var failure: Failure?

    package init(
        phoneNumberID: String, wamid: String, opaque: String?, report: Report, at: Timestamp, failure: Failure?
    ) {
        self.phoneNumberID = phoneNumberID
        self.wamid = wamid
        self.opaque = opaque
        self.report = report
        self.at = at
        self.failure = failure
    }
}
