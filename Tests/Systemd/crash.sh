#!/usr/bin/env bash
# Ends that nobody asked for.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"
fresh --latency 20
drop_in watchdog <<<$'[Service]\nWatchdogSec=2s\nLimitCORE=infinity'
add_line

restarted() { [ "$(systemctl show -P NRestarts outboxd.service)" = "$1" ] && outboxctl status; }
load 1500 2>/tmp/cut &
calls=$!
sleep 0.2
systemctl kill -s KILL outboxd.service
wait $calls || true # one call may have been cut; between two of them they wait at the socket
holds "after a kill -9 it is started again" until_true restarted 1
said "the last process did not end by itself" || fail "the journal does not say that sends were under way"
kept=$(messages)
acknowledged=$(cat /tmp/acknowledged)
[ -n "$acknowledged" ] || fail "the calls did not end as they should: $(cat /tmp/cut)"
[ "$kept" -ge "$acknowledged" ] || fail "$kept messages are left of $acknowledged"
# What was on its way may have arrived or not: it is not sent again blindly.
none_waits() { [ "$(outboxctl ls --status queued,retrying,failed 2>/dev/null | grep -vc '^ID')" = 0 ] && counts processing "$(unknown | wc -l)"; }
unknown() { outboxctl unknown ls -n 200 --json | grep -o '"id":"[^"]*"' | cut -d '"' -f 4; }
holds "all $acknowledged acknowledged before it are there, and sent, or known as unknown: $(unknown | wc -l)" until_true none_waits
for id in $(unknown); do outboxctl unknown resolve "$id" --as resend >/dev/null; done
sent() { [ "$(unknown | wc -l)" = 0 ] && counts processing 0 && none_waits; }
holds "and those are sent once somebody says so" until_true sent

systemctl kill -s STOP outboxd.service
holds "a daemon that stands still is started again by the watchdog" until_true restarted 2
said -u outboxd.service "Watchdog timeout" || fail "the journal does not say that the watchdog did it"

# No core dump, though the unit would let it: the process itself forbids it.
pid=$(systemctl show -P MainPID outboxd)
[ "$(stat -c %U /proc/"$pid"/environ)" = root ] || fail "the process can be dumped"
! setpriv --reuid outboxd --regid outboxd --clear-groups cat /proc/"$pid"/environ >/dev/null 2>&1 ||
    fail "its own user may look into it"
! setpriv --reuid outboxd --regid outboxd --clear-groups head -c 1 /proc/"$pid"/mem >/dev/null 2>&1 ||
    fail "its own user may read its memory"
kill -SEGV "$pid"
holds "after a crash it is started again" until_true restarted 3
journalctl --sync
journalctl -u outboxd.service --since "@$began" -o cat | grep -c "code=killed, status=11/SEGV" >/dev/null ||
    fail "a crash dumps a core: $(journalctl -u outboxd.service --since "@$began" -o cat | grep 'code=')"
echo "systemd: $part: a crash dumps no core, and nobody but root reads its memory"

[ "$(messages)" = "$kept" ] || fail "messages are missing after the crashes"
stop_all
