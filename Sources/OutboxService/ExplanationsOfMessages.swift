/// Of lines about messages, lines, webhooks and subscriptions.
extension LogKind {
    var message: Explanation? {
        switch self {
        case .messageAccepted:
            .init(
                subject: "A message was accepted",
                cause: "It is on stable storage, to leave by the line @OUTBOXD_LINE@.",
                remedy: "outboxctl why @OUTBOXD_MESSAGE@ says when.")
        case .messageWaits:
            .init(
                subject: "A message waits", cause: "It waits for: @OUTBOXD_GATE@. Nobody else is held back by it.",
                remedy: "outboxctl why @OUTBOXD_MESSAGE@ says what opens it.")
        case .messageDue:
            .init(
                subject: "A message's time has come", cause: "It stands in the queue of its line.", remedy: nothingToDo)
        case .messageClaimed:
            .init(
                subject: "An attempt leaves", cause: "Attempt @OUTBOXD_ATTEMPT@ is on disk and goes to Meta.",
                remedy: nothingToDo)
        case .messageSent:
            .init(subject: "A message was sent", cause: "Meta accepted it.", remedy: nothingToDo)
        case .messageRetrying:
            .init(
                subject: "A message will be tried again",
                cause: "The attempt certainly did not get through; code @OUTBOXD_CODE@.",
                remedy: "outboxctl explain-code @OUTBOXD_CODE@ says what it means; nothing has to be done.")
        case .messageRequeued:
            .init(
                subject: "A failed message was queued again", cause: "@OUTBOXD_ACTOR@ asked for it.",
                remedy: nothingToDo)
        case .outcomeUnknown:
            .init(
                subject: "Nobody knows whether a message was sent",
                cause: "The request may have reached Meta and no readable answer came. It is not sent again blindly.",
                remedy: "A webhook or the policy settles it. If you know better: outboxctl unknown resolve "
                    + "@OUTBOXD_MESSAGE@ --as sent, failed or resend.")
        case .outcomeResolved:
            .init(
                subject: "An unknown outcome was settled by hand", cause: "@OUTBOXD_ACTOR@ said what became of it.",
                remedy: nothingToDo)
        case .messageNoted:
            .init(
                subject: "News of a message changed nothing", cause: "It came late, twice or out of order.",
                remedy: nothingToDo)
        case .messageReceived:
            .init(
                subject: "A person wrote to a line", cause: "The message is kept as it came.",
                remedy: "outboxctl show @OUTBOXD_MESSAGE@ shows it.")
        case .statusEarly:
            .init(
                subject: "A status waits for its message",
                cause: "Meta tells of a message whose answer has not come yet, or that is none of ours.",
                remedy: nothingToDo)
        default: nil
        }
    }

    var ending: Explanation? {
        switch self {
        case .messageDelivered:
            .init(
                subject: "A message was delivered", cause: "The line sums up its way; it may still be read.",
                remedy: nothingToDo)
        case .messageRead:
            .init(
                subject: "A message was read", cause: "This is its end; the line sums up its way.", remedy: nothingToDo)
        case .messageFailed:
            .init(
                subject: "A message failed",
                cause: "It will not be tried again; code @OUTBOXD_CODE@. The line sums up its way.",
                remedy:
                    "outboxctl explain-code @OUTBOXD_CODE@ says what it means and what can be done; outboxctl retry "
                    + "@OUTBOXD_MESSAGE@ queues it again.")
        case .messageCancelled:
            .init(
                subject: "A message was cancelled", cause: "@OUTBOXD_ACTOR@ took it back before it left.",
                remedy: nothingToDo)
        case .messageDuplicate:
            .init(
                subject: "A message reached Meta twice",
                cause: "An attempt whose outcome was unknown had arrived after all, and a later one too.",
                remedy: "The person may have got it twice. If that must not be: outboxctl line add @OUTBOXD_LINE@ "
                    + "--on-unknown hold.")
        case .messageNoReceipt:
            .init(
                subject: "Nothing was heard of a message",
                cause: "Meta accepted it, its time to deliver is over, and no status came: webhooks may be lost.",
                remedy: "outboxctl line catch-up @OUTBOXD_LINE@ asks Meta what became of its messages.")
        case .retentionChanged:
            .init(
                subject: "How long something is kept was changed", cause: "@OUTBOXD_ACTOR@ asked for it.",
                remedy: nothingToDo)
        case .pruned:
            .init(
                subject: "What has ended long ago was removed", cause: "Retention asks for it.",
                remedy: "outboxctl retention ls shows the rules.")
        case .backupTaken:
            .init(
                subject: "A copy of the queue is handed over",
                cause: "@OUTBOXD_ACTOR@ asked for it. It is whole when outboxctl backup says so.", remedy: nothingToDo)
        case .backupFailed:
            .init(
                subject: "A backup could not be made",
                cause: "The database could not be read or the copy not be written. Sends go on.",
                remedy: "Free some space for a copy beside the database; look at the kernel's log if the disk fails.")
        default: nil
        }
    }

    var line: Explanation? {
        switch self {
        case .lineChanged:
            .init(subject: "A line was added, changed or removed", cause: "@OUTBOXD_ACTOR@ did.", remedy: nothingToDo)
        case .lineHeld:
            .init(
                subject: "Nothing of a line gets through",
                cause:
                    "Attempts of the line @OUTBOXD_LINE@ fail in a way that others would too, or Meta says it cannot "
                    + "send; code @OUTBOXD_CODE@. Its messages wait; one at a time tries.",
                remedy: "outboxctl line health @OUTBOXD_LINE@; outboxctl explain-code @OUTBOXD_CODE@. Often the token: "
                    + "give the new one with outboxctl line add @OUTBOXD_LINE@ --token -. outboxctl reload tries at once."
            )
        case .lineReleased:
            .init(
                subject: "Messages of a line get through again", cause: "A try of @OUTBOXD_LINE@ succeeded.",
                remedy: nothingToDo)
        case .tokenExpires:
            .init(
                subject: "The access token of a line is about to end",
                cause: "Meta says when: the line tells it. From then on the messages of @OUTBOXD_LINE@ wait.",
                remedy: "Make a new token, best one of a system user that never expires, and give it with "
                    + "outboxctl line add @OUTBOXD_LINE@ --token -; it counts at once.")
        case .tokenRefused:
            .init(
                subject: "Meta does not take the access token of a line",
                cause: "It has ended, was revoked, or is none. The messages of @OUTBOXD_LINE@ wait; none fails by it.",
                remedy:
                    "Make a new token and give it with outboxctl line add @OUTBOXD_LINE@ --token -: what waits goes "
                    + "at once. outboxctl line verify @OUTBOXD_LINE@ looks at all a line needs.")
        case .lineNotRead:
            .init(
                subject: "Meta did not say how a line does",
                cause: "Its tier, quality and templates are as last heard; code @OUTBOXD_CODE@.",
                remedy: "It is asked again. If it stays so: outboxctl line health @OUTBOXD_LINE@.")
        case .metaHeld:
            .init(
                subject: "Nothing gets through to Meta",
                cause: "Attempts of every line fail: the network, the proxy, or Meta itself; code @OUTBOXD_CODE@. One "
                    + "message at a time tries.",
                remedy: "Look whether the machine reaches https://graph.facebook.com; nothing is lost meanwhile.")
        case .metaReleased:
            .init(subject: "Messages get through to Meta again", cause: "A try succeeded.", remedy: nothingToDo)
        case .poolChanged:
            .init(
                subject: "A pool of lines was changed", cause: "Somebody set it, or Meta named another tier.",
                remedy: "outboxctl pool ls shows tiers and how much of them is used.")
        case .accountNews:
            .init(
                subject: "Meta tells of an account, line or template", cause: "It came by webhook; the line quotes it.",
                remedy: "A template or account that was stopped is mended in WhatsApp Manager.")
        case .paused:
            .init(
                subject: "Somebody paused messages", cause: "@OUTBOXD_ACTOR@ did; they wait.",
                remedy: "outboxctl pause ls shows what is paused; outboxctl resume ends it.")
        case .resumed:
            .init(subject: "A pause has ended", cause: "Somebody ended it, or its time was over.", remedy: nothingToDo)
        case .secretMissing:
            .init(
                subject: "A token or secret is missing",
                cause: "Neither the service's credentials nor secrets/ in the state directory hold it. What needs it "
                    + "waits.",
                remedy: "A line's token: outboxctl line add @OUTBOXD_LINE@ --token - < FILE. Others: put the file in "
                    + "place and systemctl reload outboxd; a credential needs a restart.")
        case .mediaUploaded:
            .init(
                subject: "Meta has a file",
                cause: "It was uploaded for the number of @OUTBOXD_LINE@; the messages that wait for it go.",
                remedy: nothingToDo)
        case .mediaRetried:
            .init(
                subject: "A file could not be uploaded yet",
                cause: "The upload for @OUTBOXD_LINE@ did not get through; code @OUTBOXD_CODE@. It is tried again.",
                remedy: nothingToDo)
        case .mediaRefused:
            .init(
                subject: "A file is not uploaded",
                cause: "Meta does not take it, or its bytes are not here; code @OUTBOXD_CODE@. The messages of "
                    + "@OUTBOXD_LINE@ that name it fail.",
                remedy: "Hand in a file Meta takes: outboxctl media upload FILE --line @OUTBOXD_LINE@; then "
                    + "outboxctl retry for the messages.")
        case .mediaUnwritable:
            .init(
                subject: "A file that was handed in could not be written",
                cause: "The disk of the state directory failed; the caller was told so.",
                remedy: "Look at the kernel's log and at the permissions of media/ in the state directory.")
        case .campaignChanged:
            .init(
                subject: "A campaign began, ended or was stopped", cause: "The line says which and why.",
                remedy: "outboxctl campaign show @OUTBOXD_CAMPAIGN@ shows it; one that its canary stopped goes on with "
                    + "outboxctl campaign resume @OUTBOXD_CAMPAIGN@.")
        case .catchUp:
            .init(
                subject: "Lost statuses are asked for",
                cause: "Nobody listened to Meta for a while, or somebody asked for it.", remedy: nothingToDo)
        case .catchUpFailed:
            .init(
                subject: "Lost statuses stay lost",
                cause: "Meta did not tell what became of the messages of @OUTBOXD_LINE@.",
                remedy: "Mend what the line names, then outboxctl line catch-up @OUTBOXD_LINE@.")
        default: nil
        }
    }

    var webhookOrSubscription: Explanation {
        switch self {
        case .webhookRefused:
            .init(
                subject: "A webhook was refused",
                cause:
                    "It names an app whose secret is not here, or is not signed with it: not Meta's, or the secret is "
                    + "another one.",
                remedy: "Put Meta's app secret into app.APP.secret (a credential, or secrets/) and reload or restart.")
        case .webhookKept:
            .init(
                subject: "A webhook is kept unread", cause: "It is signed by Meta and could not be understood.",
                remedy: "Please report the reason the line gives; nothing else waits for it.")
        case .subscriptionChanged:
            .init(
                subject: "A subscription was added, changed or removed", cause: "@OUTBOXD_ACTOR@ did.",
                remedy: nothingToDo)
        case .subscriptionDisabled:
            .init(
                subject: "A subscription is inactive",
                cause: "Its endpoint said 410 Gone, took nothing for days, or may not be called any more.",
                remedy: "Mend the endpoint, then outboxctl webhook set @OUTBOXD_SUBSCRIPTION@ --active yes; it goes on "
                    + "where it stood.")
        case .endpointHeld:
            .init(
                subject: "A subscription's endpoint takes nothing",
                cause: "Calls fail one after the other; single ones see when it does again.",
                remedy: "outboxctl webhook deliveries @OUTBOXD_SUBSCRIPTION@ shows the answers.")
        case .endpointReleased:
            .init(
                subject: "A subscription's endpoint takes events again", cause: "A call succeeded.",
                remedy: nothingToDo)
        case .replyRefused:
            .init(
                subject: "An answer to a message received was not sent",
                cause: "What a line's bot answered, or the line's own text, is no message that can be sent: the line "
                    + "names the field and the reason. The event counts as delivered.",
                remedy: "Mend what the bot answers; outboxctl webhook deliveries @OUTBOXD_SUBSCRIPTION@ shows its last "
                    + "errors.")
        case .eventGivenUp:
            .init(
                subject: "An event was not delivered", cause: "Every try failed for three days.",
                remedy: "When the endpoint is well: outboxctl webhook replay @OUTBOXD_SUBSCRIPTION@ --failed.")
        default: preconditionFailure("\(self) has no entry in the journal's catalog")
        }
    }
}
