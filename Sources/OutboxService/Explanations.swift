private let nothingToDo = "Nothing has to be done."

extension LogKind {
    /// One entry a kind, sorted as the kinds are.
    var explanation: Explanation { process ?? start ?? disk ?? message ?? ending ?? line ?? webhookOrSubscription }

    private var process: Explanation? {
        switch self {
        case .started:
            .init(
                subject: "outboxd serves", cause: "The queue is open and both sockets are served.", remedy: nothingToDo)
        case .stopping:
            .init(
                subject: "outboxd is stopping",
                cause: "It was told to stop. It takes no new work, lets sends under way end and records them.",
                remedy: "Callers wait at the socket until it is started again; nothing has to be done.")
        case .stopped:
            .init(subject: "outboxd has stopped", cause: "Everything was recorded.", remedy: nothingToDo)
        case .reloaded:
            .init(
                subject: "Settings and secrets were read again",
                cause: "@OUTBOXD_ACTOR@ asked for it. Lines that were held try again at once.", remedy: nothingToDo)
        case .reloadFailed:
            .init(
                subject: "Nothing was reloaded",
                cause: "A setting is wrong or a secret cannot be read. outboxd goes on with what it had.",
                remedy: "Mend what the line names and run systemctl reload outboxd again.")
        case .restartNeeded:
            .init(
                subject: "A changed setting counts after a restart",
                cause: "The settings named are read at the start alone.",
                remedy: "systemctl restart outboxd; callers wait at the socket meanwhile, none is refused.")
        case .upgraded:
            .init(
                subject: "The database was brought up to date",
                cause: "It was of an earlier outboxd; as it was before is kept in the file the line names.",
                remedy: "Remove that copy when all is well; it is what an older outboxd would need.")
        case .recovered:
            .init(
                subject: "The last process did not end by itself",
                cause: "It was killed, or the machine stopped. Messages whose send was under way may or may not have "
                    + "arrived: their outcome is unknown until a webhook or their policy settles it.",
                remedy:
                    "outboxctl unknown ls shows those that still wait. If nobody killed it, look at the lines before "
                    + "this one.")
        case .sendGroupMissing:
            .init(
                subject: "A user or group the settings give a role does not exist",
                cause: "send-group, readers, senders or admins names a user or group that the machine does not have.",
                remedy: "Create it, or name another; until then nobody has the role by that name.")
        case .journalBehind:
            .init(
                subject: "Lines are missing in the journal",
                cause: "The journal did not take lines as fast as they came. The queue itself lost nothing.",
                remedy: "outboxctl show tells any message's way. Raise log-level, or give journald a faster disk.")
        case .callerRefused:
            .init(
                subject: "A caller was refused",
                cause: "The caller (@OUTBOXD_PEER@) has not the role the call needs, or brought a key nobody knows.",
                remedy: "If it may send, add it to the sending group: adduser USER outboxd; it counts from its next "
                    + "login or start. Other roles are given by the settings readers, senders and admins, or by a key: "
                    + "outboxctl key add.")
        case .personErased:
            .init(
                subject: "A person's data was erased",
                cause: "@OUTBOXD_ACTOR@ asked for it with outboxctl erase.",
                remedy:
                    "What was kept for now goes when it is asked for again later; the answer said why and until when. "
                    + "Backups and copies beside the database hold what they held.")
        case .operatorChange:
            .init(
                subject: "An operator changed something",
                cause:
                    "@OUTBOXD_ACTOR@ asked for it. The event operator.change keeps it, with the reason if one was given.",
                remedy: nothingToDo)
        default: nil
        }
    }

    private var start: Explanation? {
        switch self {
        case .settingWrong:
            .init(
                subject: "outboxd cannot start: a setting is wrong",
                cause: "The exit status is 78. systemd does not try again.",
                remedy: "Mend the setting the line names (/etc/outboxd/outboxd.conf, the environment, or ExecStart=), "
                    + "then systemctl start outboxd.")
        case .filesNotOurs:
            .init(
                subject: "outboxd cannot start: a file is not its own",
                cause:
                    "The state directory, a file in it or a credential belongs to somebody else, is open to others, or "
                    + "cannot be read. The exit status is 77. systemd does not try again.",
                remedy:
                    "Give what the line names to the service's user, files mode 0600, folders 0700; for a credential "
                    + "see systemctl cat outboxd. Then systemctl start outboxd.")
        case .databaseDamaged:
            .init(
                subject: "outboxd cannot start: the database is damaged",
                cause: "The exit status is 65. systemd does not try again, and the file is not touched.",
                remedy: "Keep a copy of the whole state directory, then put a backup in its place, or what sqlite3's "
                    + ".recover makes of the copy.")
        case .databaseForeign:
            .init(
                subject: "outboxd cannot start: the database is another program's",
                cause:
                    "Or what stands in its place is no plain file. The exit status is 66. systemd does not try again, "
                    + "and nothing is touched.",
                remedy: "Move it away, or name another state directory. Then systemctl start outboxd.")
        case .databaseNewer:
            .init(
                subject: "outboxd cannot start: the database is of a later outboxd",
                cause: "The exit status is 76. systemd does not try again, and the file is not touched.",
                remedy: "Install that version again.")
        case .databaseUnopenable:
            .init(
                subject: "outboxd cannot start: the database cannot be opened",
                cause: "Its disk can only be read, or a file on it cannot be made or opened. The exit status is 73. "
                    + "systemd does not try again.",
                remedy: "Do what the line says, then systemctl start outboxd.")
        case .socketUnavailable:
            .init(
                subject: "outboxd cannot start: a socket cannot be had",
                cause: "Another process listens on it, or its folder is missing. The exit status is 69. systemd tries "
                    + "again.",
                remedy: "systemctl start outboxd.socket outboxd-webhook.socket, or end the other process (ss -xlp).")
        case .stateInUse:
            .init(
                subject: "outboxd cannot start: another one works on the state directory",
                cause: "Two processes never share a queue. The exit status is 75. systemd does not try again.",
                remedy: "Stop the other one, or give this one its own: outboxd(8), A second instance.")
        default: nil
        }
    }

    private var disk: Explanation? {
        switch self {
        case .storage:
            .init(
                subject: "The disk can no longer be trusted with the queue",
                cause:
                    "A read, write or sync failed so that nobody can say what is on the disk. outboxd ends with status "
                    + "74; what it acknowledged is stored. systemd starts it again.",
                remedy:
                    "Look at df, at dmesg and at the disk's health. Nothing was lost, and nothing is accepted until "
                    + "it holds.")
        case .diskFull:
            .init(
                subject: "outboxd cannot start: the disk is full",
                cause: "The exit status is 71. systemd tries again every second.",
                remedy: "Make room; nothing that was acknowledged is lost, and it starts by itself.")
        case .diskFilling:
            .init(
                subject: "The disk fills up",
                cause: "New messages are refused with 507, so that what was accepted can still be sent and recorded.",
                remedy: "Make room; it takes messages again by itself.")
        case .diskHasRoom:
            .init(subject: "The disk has room again", cause: "New messages are taken.", remedy: nothingToDo)
        case .writeRefused:
            .init(
                subject: "The database refused one write",
                cause: "One operation was undone; the others hold. Its caller was told.",
                remedy: "Please report it, with the line: this should not happen.")
        case .writeFailed:
            .init(
                subject: "Nothing could be written",
                cause: "The disk is full or failed. Callers are told 503; what became of sends under way is kept in "
                    + "memory and written as soon as it can be.",
                remedy: "Make room (outboxctl retention helps only later). outboxd tries again every second.")
        case .readFailed:
            .init(
                subject: "The database could not be read",
                cause: "A question, a follower of the log or a subscription was not served.",
                remedy: "Look at dmesg and the disk's health; sqlite3 'file:outboxd.db?mode=ro' 'PRAGMA quick_check' "
                    + "looks through the file.")
        case .logNotEmptied:
            .init(
                subject: "The log could not be emptied into the database at the end",
                cause: "What it holds is stored; the next start reads it.",
                remedy: "Keep outboxd.db-wal together with outboxd.db, and look whether the disk is full.")
        case .secretNotKept:
            .init(
                subject: "A file of a secret could not be written or removed",
                cause: "The folder secrets/ in the state directory refused it. Who asked was told.",
                remedy: "The folder belongs to the service's user, mode 0700; look whether the disk is full.")
        default: nil
        }
    }

    private var message: Explanation? {
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

    private var ending: Explanation? {
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

    private var line: Explanation? {
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

    private var webhookOrSubscription: Explanation {
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
        case .eventGivenUp:
            .init(
                subject: "An event was not delivered", cause: "Every try failed for three days.",
                remedy: "When the endpoint is well: outboxctl webhook replay @OUTBOXD_SUBSCRIPTION@ --failed.")
        default: preconditionFailure("\(self) has no entry in the journal's catalog")
        }
    }
}
