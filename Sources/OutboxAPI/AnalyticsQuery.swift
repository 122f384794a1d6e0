package import OutboxCore

/// What is told of the messages of some time.
package enum AnalyticsReport: Sendable {
    /// How many there are, and how many stand where.
    case summary
    /// How many came how far.
    case funnel
    /// Both, by hour or day.
    case timeseries
    /// Both, by line, template or campaign.
    case breakdown
    /// How many failed, by code.
    case failures
    /// How many were delivered at which price.
    case costs

    /// What `by` may be.
    package var divisions: [String] {
        switch self {
        case .timeseries: ["day", "hour"]
        case .breakdown: ["line", "template", "campaign"]
        case .summary, .funnel, .failures, .costs: []
        }
    }
}

/// The parameters of `GET /v1/analytics/…`, still in words.
package struct AnalyticsQuery: Equatable, Sendable {
    package var since: Timestamp
    package var until: Timestamp
    package var line: String?
    package var template: String?
    /// A campaign's id.
    package var campaign: String?
    /// What a list is divided by; of the words that the route allows, the first where nothing is said.
    package var by: String?

    /// Days that are looked at where nothing is said, and at most.
    package static let daysUsual = 30
    package static let daysMax = 90
    private static let day: Int64 = 86_400_000

    /// `by`: the words it may be; none: it is not taken.
    package static func read(
        _ parameters: [(name: String, value: String)], by words: [String] = [], now: Timestamp
    ) throws(APIError) -> AnalyticsQuery {
        var query = AnalyticsQuery(since: now, until: now, by: words.first)
        var errors: [FieldError] = []
        var (days, since, until): (Int?, Timestamp?, Timestamp?)
        for (name, value) in parameters {
            switch name {
            case "days":
                days = Int(value).flatMap { (1...daysMax).contains($0) ? $0 : nil }
                if days == nil { errors.append(FieldError(name, "must be a whole number from 1 to \(daysMax)")) }
            case "since", "until":
                guard let moment = Timestamp(rfc3339: value), moment.milliseconds >= 0 else {
                    errors.append(FieldError(name, ListQuery.timeForm))
                    continue
                }
                if name == "since" { since = moment } else { until = moment }
            case "line": query.line = value
            case "template": query.template = value
            case "campaign": query.campaign = value
            case "by" where !words.isEmpty:
                if words.contains(value) {
                    query.by = value
                } else {
                    errors.append(FieldError(name, "must be one of \(words.joined(separator: ", "))"))
                }
            default:
                let known = ["days", "since", "until", "line", "template", "campaign"] + (words.isEmpty ? [] : ["by"])
                errors.append(FieldError(name, "is not known here; known are \(known.joined(separator: ", "))"))
            }
        }
        if days != nil, since != nil || until != nil {
            errors.append(FieldError("days", "and since or until exclude each other: give one of them"))
        }
        query.until = until ?? now
        // Today, and the days before it.
        let today = query.until.milliseconds / day * day
        query.since = since ?? Timestamp(milliseconds: today - Int64((days ?? daysUsual) - 1) * day)
        if query.until <= query.since {
            errors.append(FieldError("until", "must be later than since"))
        } else if words.contains("hour"), query.until.milliseconds - query.since.milliseconds > Int64(daysMax + 1) * day
        {
            errors.append(FieldError("since", "and until may be \(daysMax) days apart at most"))
        }
        guard errors.isEmpty else { throw .validation(errors) }
        return query
    }
}
