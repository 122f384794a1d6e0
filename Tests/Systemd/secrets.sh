#!/usr/bin/env bash
# Where tokens, keys and secrets are not: journal, environment, command line, database, backup, core dumps.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"
fresh --token "$token"
add_line
outboxctl webhook add http://127.0.0.1:9/hook --secret - <<<whsec_bGFiLWNhbGxiYWNrLXNlY3JldC0wMDAwMDAwMDAwMDA= >/dev/null
key=$(outboxctl key add till | grep -o "sk_live_[0-9a-f]*")
[ ${#key} -eq 56 ] || fail "no key was made"
id=$(outboxctl send 14155552671 hello)
holds "token and secrets are in use" until_true state_is "$id" read
# Refusals, reloads and failures that might quote them.
sandbox --token another
outboxctl send 14155552671 again >/dev/null
until_true said OUTBOXD_CODE=190 "nothing of this line gets through" || fail "the token was not refused"
curl -s -o /dev/null --unix-socket /run/outboxd/webhook.sock http://x/webhooks/default -d '{}'
echo "log-level = debug" >>/etc/outboxd/outboxd.conf
systemctl reload outboxd
outboxctl send 14155552671 "at the level debug" >/dev/null
printf 'not JSON %s' "$token" | curl -s -o /dev/null --unix-socket /run/outboxd/outboxd.sock http://x/v1/messages -d @-
journalctl --sync
pid=$(systemctl show -P MainPID outboxd)

# Of the stand-in for Meta, which is given them on its command line, the journal tells as well.
journalctl -u 'outboxd*' --since "@$began" -o export >/tmp/where.journal
cp /proc/"$pid"/environ /tmp/where.environ
cp /proc/"$pid"/cmdline /tmp/where.cmdline
cat /var/lib/outboxd/outboxd.db* >/tmp/where.database
outboxctl backup /tmp/where.backup --force >/dev/null
outboxctl line ls --json >/tmp/where.answers
outboxctl key ls --json >>/tmp/where.answers
outboxctl webhook ls --json >>/tmp/where.answers
systemctl show outboxd.service >/tmp/where.properties
for place in journal environ cmdline database backup answers properties; do
    [ -s /tmp/where.$place ] || fail "nothing was read of the $place"
    for word in "$token" "$secret" "$key" bGFiLWNhbGxiYWNrLXNlY3JldC0wMDAwMDAwMDAwMDA lab-callback-secret; do
        ! grep -qaF -- "$word" /tmp/where.$place || fail "$word stands in the $place"
    done
done
echo "systemd: $part: no token, key or secret in journal, environment, command line, database, backup, answers, unit"

# The process itself has to know them: that is why it forbids core dumps of itself and looks by its own user.
python3 - "$pid" "$token" >/tmp/core <<'PYTHON'
import sys
pid, token = sys.argv[1], sys.argv[2].encode()
found = 0
with open(f"/proc/{pid}/mem", "rb") as memory:
    for line in open(f"/proc/{pid}/maps"):
        place, rights = line.split()[:2]
        if not rights.startswith("rw") or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
            continue
        start, end = (int(part, 16) for part in place.split("-"))
        try:
            memory.seek(start)
            found += memory.read(end - start).count(token)
        except OSError:
            pass
print(found)
PYTHON
echo "systemd: $part: what a core dump would hold: the line's token, $(cat /tmp/core) times"
is outboxd.service LimitCORE 0 || fail "the unit lets cores be dumped"
[ "$(stat -c %U /proc/"$pid"/mem)" = root ] || fail "the process can be dumped"
systemctl kill -s ABRT outboxd.service
crashed() { said -u outboxd.service "code=killed, status=6/ABRT"; }
holds "an abort dumps no core" until_true crashed
stop_all
