package import OutboxCore
package import OutboxJSON

extension Campaign {
    /// `id` and `line` as callers know them.
    package func write(
        to json: inout JSONWriter, name: String? = nil, id: String, line: String, counts: CampaignCounts
    ) {
        json.object(name) {
            $0.field("id", id)
            $0.field("name", settings.name)
            $0.field("line", line)
            $0.field("status", state.name)
            $0.field("reason", reason)
            $0.field("aborted", isAborted)
            $0.object("template") {
                $0.field("name", settings.template.name)
                $0.field("language", settings.template.language)
                if let components = settings.components { $0.field("components", raw: components) }
            }
            if let hours = settings.quietHours {
                $0.object("quietHours") {
                    $0.field("from", QuietHours.text(hours.from))
                    $0.field("to", QuietHours.text(hours.to))
                }
            }
            if let canary = settings.canary {
                $0.object("canary") {
                    $0.field("first", canary.first)
                    $0.field("waitSeconds", canary.wait.components.seconds)
                    $0.field("abortAboveFailureShare", number: canary.abortAboveFailureShare)
                    $0.field("waitsUntil", canaryIsOver ? nil : canaryUntil?.rfc3339)
                    $0.field("isOver", canaryIsOver)
                }
            }
            $0.field("expiresAt", settings.expiresAt?.rfc3339)
            $0.field("createdAt", createdAt.rfc3339)
            $0.field("createdBy", createdBy)
            $0.field("startAt", startAt?.rfc3339)
            $0.field("startedAt", startedAt?.rfc3339)
            $0.field("pausedAt", pausedAt?.rfc3339)
            $0.field("endedAt", endedAt?.rfc3339)
            counts.write(to: &$0, "progress")
        }
    }

    /// What the log tells of it.
    package func eventData(id: String, line: String, counts: CampaignCounts, by who: String?) -> [UInt8] {
        var json = JSONWriter()
        json.object {
            $0.field("campaignId", id)
            $0.field("name", settings.name)
            $0.field("line", line)
            $0.field("status", state.name)
            $0.field("reason", reason)
            $0.field("by", who)
            counts.write(to: &$0, "progress")
        }
        return json.bytes
    }
}

extension CampaignCounts {
    package func write(to json: inout JSONWriter, _ name: String) {
        json.object(name) {
            $0.field("recipients", recipients)
            $0.field("pending", pending)
            $0.object("skipped") {
                for reason in SkipReason.allCases {
                    if let count = skipped[reason], count > 0 { $0.field(reason.name, count) }
                }
            }
            $0.object("messages") { for state in MessageState.allCases { $0.field(state.name, count(state)) } }
            $0.field("duplicates", duplicates)
        }
    }
}

/// What became of a campaign; it stays when its messages are gone.
package struct CampaignReport: Sendable {
    package var campaign: Campaign
    package var counts: CampaignCounts
    package var category: String?

    package init(campaign: Campaign, counts: CampaignCounts, category: String?) {
        self.campaign = campaign
        self.counts = counts
        self.category = category
    }

    /// By the prices that are told now; nil: none are. Messages that were not delivered cost nothing.
    package func cost(_ card: RateCard?) -> Cost? {
        guard let card else { return nil }
        return Cost(counts.delivered, category: category ?? "marketing", card)
    }

    package struct Cost: Equatable, Sendable {
        package var currency: String
        /// Millionths.
        package var amount: Int64 = 0
        /// Messages of countries without a price.
        package var withoutPrice: Int64 = 0

        /// `messages` by country.
        package init(_ messages: [String: Int64], category: String, _ card: RateCard) {
            currency = card.currency
            for (country, count) in messages {
                guard let price = card.price(country: country, category: category) else {
                    withoutPrice += count
                    continue
                }
                amount += price * count
            }
        }

        package func write(to json: inout JSONWriter) {
            json.object("cost") {
                $0.field("amount", RateCard.text(amount))
                $0.field("currency", currency)
                $0.field("withoutPrice", withoutPrice)
            }
        }
    }

    package func write(to json: inout JSONWriter, name: String, id: String, line: String, cost: Cost?) {
        let failed = counts.count(.failed)
        let sent = counts.count(.sent, .delivered, .read)
        let delivered = counts.count(.delivered, .read)
        json.object(name) {
            $0.field("campaignId", id)
            $0.field("name", campaign.settings.name)
            $0.field("line", line)
            $0.field("status", campaign.state.name)
            $0.field("createdAt", campaign.createdAt.rfc3339)
            $0.field("startedAt", campaign.startedAt?.rfc3339)
            $0.field("endedAt", campaign.endedAt?.rfc3339)
            $0.field("recipients", counts.recipients)
            $0.field("notSent", counts.pending)
            $0.object("skipped") {
                for reason in SkipReason.allCases {
                    if let count = counts.skipped[reason], count > 0 { $0.field(reason.name, count) }
                }
            }
            $0.object("messages") {
                for state in MessageState.allCases { $0.field(state.name, counts.count(state)) }
            }
            $0.array("failures") {
                for (code, count) in counts.failures.sorted(by: { ($1.value, $0.key) < ($0.value, $1.key) })
                where count > 0 {
                    $0.object {
                        $0.field("code", code)
                        $0.field("count", count)
                    }
                }
            }
            // As the totals of a line are: of all that Meta took, or refused.
            let ended = sent + failed
            $0.field("deliveryRate", number: ended == 0 ? 0 : Double(delivered) / Double(ended))
            $0.field("readRate", number: ended == 0 ? 0 : Double(counts.count(.read)) / Double(ended))
            $0.field("failureRate", number: ended == 0 ? 0 : Double(failed) / Double(ended))
            cost?.write(to: &$0)
        }
    }
}
