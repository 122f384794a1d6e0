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
    /// The recipient's digits; nil for people whom Meta names by `userID` only.
    package var person: String?
    /// Meta's business-scoped user id (`US.1349…`), an opaque word; not on every report.
    package var userID: String?
    /// Not on every report.
    package var pricing: Pricing?

    package init(
        phoneNumberID: String, wamid: String, opaque: String?, report: Report, at: Timestamp, failure: Failure?,
        person: String? = nil, userID: String? = nil, pricing: Pricing? = nil
    ) {
        self.phoneNumberID = phoneNumberID
        self.wamid = wamid
        self.opaque = opaque
        self.report = report
        self.at = at
        self.failure = failure
        self.person = person
        self.userID = userID
        self.pricing = pricing
    }
}
