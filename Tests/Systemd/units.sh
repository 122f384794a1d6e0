#!/usr/bin/env bash
# The units themselves, and a machine without the toolchain.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"
fresh

for unit in outboxd.service outboxd.socket outboxd-webhook.socket outboxd@two.service outboxd@two.socket \
    outboxd-webhook@two.socket; do
    # It exits 0 on keys it does not know: what it prints decides.
    words=$(systemd-analyze verify "$unit" 2>&1 | grep outboxd || true)
    [ -z "$words" ] || fail "systemd-analyze verify says: $words"
done
echo "systemd: $part: systemd-analyze verify has nothing to say"
for unit in outboxd.service outboxd@two.service; do
    words=$(systemd-analyze security --no-pager --threshold=12 $unit) || fail "$(tail -n 1 <<<"$words")"
    echo "systemd: $part: $(tail -n 1 <<<"$words" | sed 's/^[^O]*//')"
done

for program in outboxd outboxctl outbox-sandbox; do
    words=$(ldd /usr/bin/$program)
    ! grep -qi 'swift\|not found' <<<"$words" || fail "$program needs: $words"
done
! command -v swift >/dev/null || fail "there is a Swift toolchain in the lab"
holds "the daemon runs where no Swift toolchain is" outboxctl status

systemctl stop outboxd.service
systemctl start outboxd-metrics.socket
holds "the metrics are read from the port of a socket unit" curl -sf http://127.0.0.1:9464/metrics
grep -q outboxd_messages /tmp/said || fail "the metrics do not count messages"
systemctl stop outboxd-metrics.socket outboxd.service
outboxctl status >/dev/null
pid=$(systemctl show -P MainPID outboxd)
user=$(awk '$1 == "Uid:" { print $2 }' /proc/"$pid"/status)
[ "$user" = "$(id -u outboxd)" ] || fail "it runs as the user $user"
[ "$(stat -c '%U %a' /var/lib/outboxd)" = "outboxd 700" ] || fail "the state directory is open"
grep -q '^CapEff:.*0000000000000000' /proc/"$pid"/status || fail "it has capabilities"
grep -q '^NoNewPrivs:.*1' /proc/"$pid"/status || fail "it may get new privileges"
echo "systemd: $part: own user, no capabilities, its state for nobody else"

# Who may send is decided by the kernel's word, also through the sandbox.
useradd --no-create-home --gid nogroup stranger
useradd --no-create-home --gid nogroup --groups outboxd sender
! setpriv --reuid stranger --regid nogroup --clear-groups outboxctl status 2>/dev/null || fail "a stranger may ask"
setpriv --reuid sender --regid nogroup --init-groups outboxctl status >/dev/null || fail "a member may not send"
echo "systemd: $part: members of the group may call, strangers may not"

for page in outboxd.8 outboxctl.1 outbox-sandbox.1 outboxd-api.7; do
    test -s "/usr/share/man/man${page##*.}/$page.gz" || fail "the page $page is missing"
done
stop_all
