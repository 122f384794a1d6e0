#!/usr/bin/env bash
# A second instance beside the first, with a user of its own.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"
fresh --token "$token"
add_line

cat >/etc/outboxd/two.conf <<'SETTINGS'
graph-url = http://127.0.0.1:8991
SETTINGS
(umask 077 && echo other-secret >/etc/credstore/outboxd-two.app.default.secret)
systemd-run --quiet --collect --unit=sandbox2 /usr/bin/outbox-sandbox --port 8991 --app-secret other-secret \
    --webhook-url http://localhost/webhooks/default --webhook-socket /run/outboxd-two/webhook.sock
holds "the sockets of a second instance start" systemctl start outboxd@two.socket outboxd-webhook@two.socket
is outboxd@two.service ActiveState inactive || fail "the second instance runs before anybody called"
two() { outboxctl --socket /run/outboxd-two/outboxd.sock "$@"; }
echo token-two | two line add second --phone-number-id 207 --token - --closed-window leave >/dev/null
id=$(outboxctl send 14155552671 first)
other=$(two send 14155552672 second)
two_read() { two show "$other" | grep -c '^status *read' >/dev/null; }
holds "each follows its messages to read" until_true state_is "$id" read
until_true two_read || fail "the second instance's message is not read"
! two show "$id" >/dev/null 2>&1 || fail "the second instance knows the first one's message"
pid=$(systemctl show -P MainPID outboxd@two)
user=$(systemctl show -P UID outboxd@two)
[ "$user" != "$(id -u outboxd)" ] || fail "both run as the same user"
grep -q "^Uid:.*$user" /proc/"$pid"/status || fail "the second instance does not run as $user"
! setpriv --reuid "$user" --clear-groups --regid nogroup ls /var/lib/outboxd >/dev/null 2>&1 ||
    fail "the second instance's user may look into the first one's queue"
holds "the second reloads" systemctl reload outboxd@two
echo "log-level = notice" >>/etc/outboxd/two.conf
holds "and restarts" systemctl restart outboxd@two
two_read || fail "the second instance forgot its message"
is outboxd.service NRestarts 0 || fail "the first instance was restarted"
systemctl stop outboxd@two.socket outboxd-webhook@two.socket outboxd@two.service sandbox2
holds "the first goes on when the second stops" outboxctl status
holds "a dynamic user's queue is kept" test -s /var/lib/private/outboxd-two/outboxd.db
rm -rf /var/lib/outboxd-two /var/lib/private/outboxd-two
stop_all
