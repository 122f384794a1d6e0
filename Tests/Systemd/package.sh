#!/usr/bin/env bash
# The Debian package, and scripts/install, as they come, change and go.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"
version() { dpkg-query -W -f='${Version}' outboxd; }
left_of_it() { find /usr/bin /usr/lib/systemd /usr/lib/sysusers.d /usr/lib/tmpfiles.d /usr/share /usr/local -xdev \
    \( -name 'outbox*' -o -name '_outboxctl' \) | grep -v /usr/share/doc/outboxd || true; }

holds "the package is installed" dpkg -i /work/outboxd.deb
for unit in outboxd.socket outboxd-webhook.socket; do
    holds "its installation starts $unit and has it start at boot" systemctl --quiet is-active $unit
    systemctl --quiet is-enabled $unit || fail "$unit is not enabled"
done
is outboxd.service ActiveState inactive || fail "the service runs before anybody called"
(umask 077 && mkdir -p /etc/credstore && printf '%s\n' "$secret" >/etc/credstore/outboxd.app.default.secret)
sandbox
holds "the first call on the socket starts the service" outboxctl status
echo "graph-url = http://127.0.0.1:8990" >>/etc/outboxd/outboxd.conf
systemctl reload outboxd
add_line
id=$(outboxctl send 14155552671 "before the upgrade" --at 2099-01-01T00:00:00Z)

# The next version: the same files, another number.
dpkg-deb -R /work/outboxd.deb /tmp/next
sed -i 's/^Version: .*/&+next/' /tmp/next/DEBIAN/control
dpkg-deb --root-owner-group -Znone -b /tmp/next /tmp/next.deb >/dev/null
pid=$(systemctl show -P MainPID outboxd)
load 800 &
calls=$!
holds "an upgrade under load installs" dpkg -i /tmp/next.deb
wait $calls || fail "a call during the upgrade was not a 202"
echo "systemd: $part: 800 calls during it, every one a 202"
case $(version) in *+next) ;; *) fail "the version is $(version)" ;; esac
[ "$(systemctl show -P MainPID outboxd)" != "$pid" ] || fail "the old program still runs after the upgrade"
holds "the upgrade keeps the queue" state_is "$id" scheduled
holds "and the settings" grep -q 8990 /etc/outboxd/outboxd.conf
holds "what was submitted meanwhile is sent and read" until_true counts read 800

systemctl stop sandbox
holds "it is removed" dpkg -r outboxd
[ ! -e /run/outboxd/outboxd.sock ] || fail "the socket is still there after the removal"
! systemctl --quiet is-active outboxd.service || fail "the service runs after the removal"
[ -z "$(left_of_it)" ] || fail "the removal leaves $(left_of_it)"
holds "a removal keeps queue and settings" test -s /var/lib/outboxd/outboxd.db -a -s /etc/outboxd/outboxd.conf
holds "it comes back" dpkg -i /work/outboxd.deb
holds "with the queue it had" state_is "$id" scheduled
holds "it is purged" dpkg -P outboxd
for path in /var/lib/outboxd /etc/outboxd /run/outboxd /etc/systemd/system/sockets.target.wants/outboxd.socket; do
    [ ! -e $path ] || fail "a purge leaves $path"
done

export OUTBOXD_PROGRAMS=/programs
holds "scripts/install puts it below /usr/local" /checkout/scripts/install
hash -r
holds "and starts the sockets" outboxctl status
[ "$(command -v outboxctl)" = /usr/local/bin/outboxctl ] || fail "outboxctl is $(command -v outboxctl)"
is outboxd.service ActiveState active || fail "the service does not run"
holds "scripts/install --uninstall removes it" /checkout/scripts/install --uninstall
[ -z "$(left_of_it)" ] || fail "--uninstall leaves $(left_of_it)"
[ -s /var/lib/outboxd/outboxd.db ] || fail "--uninstall removed the queue"
holds "--uninstall --purge removes the queue" /checkout/scripts/install --uninstall --purge
[ ! -e /var/lib/outboxd ] && [ ! -e /etc/outboxd ] || fail "--purge leaves the queue or the settings"
systemctl daemon-reload
hash -r
dpkg -i /work/outboxd.deb >/dev/null || fail "the package cannot be installed after all that"
