/// In whose words a subscription's endpoint is called. The numbers are stored; they never change their meaning.
package enum CallbackFormat: Int64, NamedCase {
    /// As outboxd-api(7) has it.
    case outboxd = 0
    /// Of Aircall's WhatsApp Public API; see outboxd-compat(7).
    case aircall = 1
    /// Of the API with organisation keys; see outboxd-compat(7).
    case organization = 2
}
