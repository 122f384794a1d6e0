#!/usr/bin/env bash
# Who may what: users and groups of the machine, and callers with keys over TCP.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"
fresh --token "$token"
add_line
for user in clerk:outboxd reader: boss: stranger:; do
    id "${user%:*}" >/dev/null 2>&1 || useradd --no-create-home ${user#*:}${user#*:} "${user%:*}" 2>/dev/null ||
        useradd --no-create-home --groups "${user#*:}" "${user%:*}"
done
cat >>/etc/outboxd/outboxd.conf <<'SETTINGS'
readers = reader
admins = boss
SETTINGS
systemctl reload outboxd
as() { setpriv --reuid "$1" --regid "$(id -g "$1")" --init-groups "${@:2}"; }
refused() { # refused USER ROLE COMMAND...: it is, and is told the role it would take
    local said status=0
    said=$(as "$1" "${@:3}" 2>&1) || status=$?
    [ $status -eq 5 ] || fail "$1: ${*:3}: $status: $said"
    grep -qw "$2" <<<"$said" || fail "$1: ${*:3}: does not name the role $2: $said"
}
id=$(as clerk outboxctl send 14155552671 "by a clerk")
holds "a member of the group sends" until_true state_is "$id" read
refused clerk admin outboxctl pause --line main
refused clerk admin outboxctl backup /tmp/by-clerk.db
holds "a reader reads" as reader outboxctl show "$id"
refused reader send outboxctl send 14155552671 no
refused stranger read outboxctl show "$id"
refused stranger read outboxctl ls
as boss outboxctl --reason "stock is counted" pause --line main >/dev/null
said OUTBOXD_ACTOR=boss "stock is counted" || fail "the journal does not say who paused and why"
outboxctl tail --after 0 --json | head -c 1000000 | grep -c '"reason":"stock is counted"' >/dev/null ||
    fail "no event says who paused and why"
as boss outboxctl resume --all >/dev/null
echo "systemd: $part: users and groups have their roles, every refusal names the one it takes"

cp /usr/share/doc/outboxd/examples/outboxd-keyed.socket /run/systemd/system/
systemctl daemon-reload
systemctl stop outboxd.service
systemctl start outboxd-keyed.socket
if systemctl start outboxd.service 2>/dev/null; then
    fail "a port for callers with keys opens while there is no key"
fi
said "which needs keys, and there is none" || fail "the journal does not say why it does not start"
systemctl stop outboxd-keyed.socket outboxd.service
systemctl reset-failed
systemctl start outboxd.socket outboxd-webhook.socket
key=$(outboxctl key add till | grep -o 'sk_live_[0-9a-f]*')
systemctl stop outboxd.service
systemctl start outboxd-keyed.socket outboxd.service
call() { curl -s -o /tmp/answer -w '%{http_code}' http://127.0.0.1:8087/v1/messages "$@"; }
body='{"to":"14155552671","message":"by key","line":"main"}'
[ "$(call -H "Authorization: Bearer $key" -d "$body")" = 202 ] || fail "a key does not open the port: $(cat /tmp/answer)"
[ "$(call -d "$body")" = 401 ] || fail "the port opens without a key"
[ "$(call -H "Authorization: Bearer ${key%?}x" -d "$body")" = 401 ] || fail "a wrong key opens the port"
new=$(outboxctl key rotate 1 --overlap 0 | grep -o 'sk_live_[0-9a-f]*')
[ "$(call -H "Authorization: Bearer $key" -d "$body")" = 401 ] || fail "a key counts after its rotation"
[ "$(call -H "Authorization: Bearer $new" -d "$body")" = 202 ] || fail "a rotated key does not count"
if outboxctl key rm 1 >/dev/null 2>&1; then fail "the last key goes, and the port could not open again"; fi
outboxctl key add spare >/dev/null
outboxctl key rm 1 >/dev/null
[ "$(call -H "Authorization: Bearer $new" -d "$body")" = 401 ] || fail "a removed key counts"
echo "systemd: $part: the port for callers with keys knows its keys, and does not open without one"
systemctl stop outboxd-keyed.socket
rm -f /run/systemd/system/outboxd-keyed.socket
stop_all
