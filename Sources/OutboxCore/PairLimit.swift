/// Meta's limit for one number and one person: a message every 6 seconds, 45 in a burst that is paid back.
///
/// Meta's page on throughput calls it the pair rate limit and answers 131056 beyond it; a bucket of 45 tokens that gets
/// one every 6 seconds is the same. What is kept is the moment at which the bucket is full again.
package enum PairLimit {
    package static let interval = Duration.seconds(6)
    package static let burst: Int64 = 45
    /// Meta counts a message when it arrives, which is between the claim and the answer: so much of it is allowed for,
    /// and attempts that take longer are counted from their end.
    package static let slack = Duration.seconds(2)

    /// When the next message may leave: now, or later.
    package static func next(fullAt: Timestamp?, now: Timestamp) -> Timestamp {
        guard let fullAt else { return now }
        let borrowed = Duration.milliseconds(interval.wholeMilliseconds * (burst - 1) - slack.wholeMilliseconds)
        return max(now, fullAt - borrowed)
    }

    /// A message leaves.
    package static func taken(fullAt: Timestamp?, now: Timestamp) -> Timestamp { max(fullAt ?? now, now) + interval }

    /// An attempt ended that was claimed at that moment, with `underWay` of the pair's messages out, itself included;
    /// nil when nothing is to be corrected.
    package static func ended(fullAt: Timestamp?, claimed: Timestamp, underWay: Int64, now: Timestamp) -> Timestamp? {
        guard now - slack > claimed else { return nil }
        let least = now + Duration.milliseconds(interval.wholeMilliseconds * max(underWay, 1))
        return least > fullAt ?? least - interval ? least : nil
    }
}
