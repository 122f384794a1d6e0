/// The remedy of what is as it should be.
let nothingToDo = "Nothing has to be done."

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
}
