#!/usr/bin/env bash
# Restarts under load, rotated tokens and secrets, an orderly end with sends in flight.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"
fresh --token "$token"
add_line

load 1500 &
calls=$!
restarts=0
while kill -0 $calls 2>/dev/null && [ $restarts -lt 4 ]; do
    sleep 0.2
    systemctl restart outboxd.service
    restarts=$((restarts + 1))
done
wait $calls || fail "a call during $restarts restarts was not a 202"
echo "systemd: $part: 1500 calls during $restarts restarts, every one a 202"
holds "each of them is read in the end" until_true counts read 1500

# A token rotated in secrets/: the old one holds the line, a reload brings the new one.
sandbox --token EAAG-lab-token-2
id=$(outboxctl send 14155552671 "finds out")
until_true said OUTBOXD_LINE=main "nothing of this line gets through" || fail "the old token still works"
(umask 077 && printf 'EAAG-lab-token-2\n' >/var/lib/outboxd/secrets/new)
chown outboxd: /var/lib/outboxd/secrets/new
mv /var/lib/outboxd/secrets/new /var/lib/outboxd/secrets/line.main.token
holds "systemctl reload takes a token rotated in secrets/" systemctl reload outboxd.service
# It alone would wait for the minute that Meta's answer asks for, unless it was the one that tried.
outboxctl cancel "$id" >/dev/null 2>&1 || true
id=$(outboxctl send 14155552672 "with the new token")
holds "and messages leave again" until_true state_is "$id" read
# A reload waits, and says what is wrong.
echo "log-level = loud" >>/etc/outboxd/outboxd.conf
! systemctl reload outboxd.service 2>/dev/null || fail "a reload with a wrong setting succeeds"
until_true said "nothing was reloaded: /etc/outboxd/outboxd.conf line 1: log-level must be" || fail "it does not say why"
systemctl --quiet is-active outboxd.service || fail "a failed reload ends the service"
echo "systemd: $part: a reload with a wrong setting fails, says why, and changes nothing"
: >/etc/outboxd/outboxd.conf

# Credentials: a plain one that is rotated, and an encrypted one.
printf 'EAAG-lab-token-3\n' >/etc/outboxd/main-token
chmod 600 /etc/outboxd/main-token
printf 'lab-app-secret-2' | systemd-creds encrypt --with-key=host --name=app.default.secret - /etc/outboxd/app-secret.cred
sed -n '/^\[Service\]/,$p' /usr/share/doc/outboxd/examples/credentials.conf | drop_in credentials
secret=lab-app-secret-2 sandbox --token EAAG-lab-token-3
systemctl restart outboxd.service
outboxctl line add main --token-secret main-token >/dev/null
id=$(outboxctl send 14155552671 "with credentials")
holds "a token and an encrypted app secret from credentials work" until_true state_is "$id" read
printf 'EAAG-lab-token-4\n' >/etc/outboxd/main-token
secret=lab-app-secret-2 sandbox --token EAAG-lab-token-4
id=$(outboxctl send 14155552671 "finds out")
until_true said OUTBOXD_CODE=190 "nothing of this line gets through" || fail "the old credential still works"
holds "a restart takes a rotated credential" systemctl restart outboxd.service
outboxctl reload
outboxctl cancel "$id" >/dev/null 2>&1 || true
id=$(outboxctl send 14155552672 "with the rotated credential")
holds "and messages leave again" until_true state_is "$id" read

# The end waits for a hundred sends in flight.
drop_in connections <<<$'[Service]\nEnvironment=OUTBOXD_CONNECTIONS=128'
secret=lab-app-secret-2 sandbox --token EAAG-lab-token-4 --latency 3000
systemctl restart outboxd.service
load 100
counts_processing() { counts processing 100; }
until_true counts_processing || fail "a hundred sends are not under way at once"
systemctl stop outboxd.socket outboxd-webhook.socket outboxd.service
[ "$(systemctl show -P Result outboxd.service)" = success ] || fail "it did not stop well"
systemctl start outboxd.socket outboxd-webhook.socket
outboxctl status >/dev/null
[ -z "$(outboxctl unknown ls 2>/dev/null | grep -v '^ID')" ] || fail "the end left unknown outcomes"
all_read() { counts read "$(($(messages) - $(outboxctl status | awk '$1 == "cancelled" { print $2 }')))"; }
holds "SIGTERM with a hundred sends in flight: every one is recorded, none unknown" until_true all_read
stop_all
