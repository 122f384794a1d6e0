/// What Meta tells of numbers, accounts, templates and people without being asked.
///
/// News may come twice, late and out of order: they are a reason to ask again, and what to do until then.
package enum AccountNews: Equatable, Sendable {
    /// `phone_number_quality_update`, which tells of throughput today: `event` is ONBOARDING or THROUGHPUT_UPGRADE, in
    /// older days UPGRADE, DOWNGRADE, FLAGGED or UNFLAGGED. The number is as Meta shows it, digits.
    case quality(wabaID: String, displayPhoneNumber: String?, event: String, tier: Tier?)

    /// `business_capability_update`: the tier of the whole portfolio; nil when something else changed, or to a tier
    /// that is not known.
    case capability(wabaID: String, tier: Tier?)

    /// `account_update`. `restricted`: messages were (calls and adding numbers do not count). `banned`: the account is
    /// disabled now; a ban that is only scheduled is not one. `reinstated`: the ban is over.
    case account(
        wabaID: String, phoneNumber: String?, event: String, restricted: Bool, reinstated: Bool, banned: Bool)

    case alert(AccountAlert)

    /// `message_template_status_update`. `language` is written as in messages, `en_US`. A status that is not known,
    /// such as FLAGGED, does not say whether the template can be sent.
    case template(wabaID: String, name: String, language: String, status: Template.Status, reason: String?)

    /// `template_category_update`. With `correct` Meta announces: in 24 hours the category will be that one.
    case templateCategory(
        wabaID: String, name: String, language: String, category: Template.Category, correct: Template.Category?)

    /// `message_template_quality_update`, with what its readers think of it now; `message_template_components_update`,
    /// with nil: somebody changed its words.
    case templateChanged(wabaID: String, name: String, language: String, quality: QualityRating?)

    /// `user_preferences`: somebody stops or resumes marketing messages. `person` are digits.
    case preference(phoneNumberID: String, person: String?, userID: String?, stopsMarketing: Bool, at: Timestamp?)
}

/// `account_alerts`, in Meta's words.
package struct AccountAlert: Equatable, Sendable {
    package var wabaID: String
    /// BUSINESS or PHONE_NUMBER, for example, and its id.
    package var entityType: String?
    package var entityID: String?
    /// CRITICAL, WARNING or INFORMATIONAL.
    package var severity: String?
    /// ACTIVE or NONE.
    package var status: String?
    package var type: String
    package var description: String?

    package init(
        wabaID: String, entityType: String?, entityID: String?, severity: String?, status: String?, type: String,
        description: String?
    ) {
        self.wabaID = wabaID
        self.entityType = entityType
        self.entityID = entityID
        self.severity = severity
        self.status = status
        self.type = type
        self.description = description
    }
}
