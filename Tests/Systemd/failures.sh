#!/usr/bin/env bash
# A start that fails says why, once, with a status of its own.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"

# fails_with STATUS TEXT: the service does not start.
fails_with() {
    ! systemctl start outboxd.service 2>/dev/null || fail "it starts in spite of: $2"
    until_true is outboxd.service ActiveState failed || fail "it is tried again and again in spite of: $2"
    is outboxd.service ExecMainStatus "$1" || fail "status $(systemctl show -P ExecMainStatus outboxd) for: $2"
    said -u outboxd.service "$2" || fail "the journal does not say: $2"
    journalctl -x --no-pager -u outboxd.service --since "@$began" | grep '^░░ Subject: outboxd cannot start' | tail -n 1 |
        sed "s/^░░ Subject: /systemd: $part: $1: /"
    systemctl reset-failed outboxd.service outboxd.socket outboxd-webhook.socket
    systemctl start outboxd.socket outboxd-webhook.socket
    began=$(date +%s.%N)
}
starts() {
    systemctl start outboxd.service || fail "it does not start after: $1"
    outboxctl status >/dev/null || fail "it does not answer after: $1"
    systemctl stop outboxd.service
}

fresh
starts "nothing"
echo "graph-url = http://example.com" >/etc/outboxd/outboxd.conf
fails_with 78 "/etc/outboxd/outboxd.conf line 1: graph-url must be an https URL"
# A caller who waits does not have it started for ever.
outboxctl status >/dev/null 2>&1 &
caller=$!
until_true is outboxd.socket Result service-start-limit-hit || fail "a caller has it started again and again"
wait $caller && fail "a caller was answered"
: >/etc/outboxd/outboxd.conf
sleep 4
holds "callers do not have a service that cannot start tried for ever; mended, it comes back with systemctl start" \
    systemctl start outboxd.service
outboxctl status >/dev/null || fail "its sockets do not come back with it"
systemctl stop outboxd.service

drop_in missing <<<$'[Service]\nLoadCredential=main-token:/etc/outboxd/nowhere'
! systemctl start outboxd.service 2>/dev/null || fail "it starts without its credential"
is outboxd.service ExecMainStatus 243 || fail "status $(systemctl show -P ExecMainStatus outboxd) without its credential"
said -u outboxd.service "Failed to set up credentials" || fail "the journal does not say that a credential is missing"
echo "systemd: $part: 243: systemd says that a credential is missing"
rm /run/systemd/system/outboxd.service.d/missing.conf
systemctl daemon-reload
systemctl stop outboxd.service
systemctl reset-failed outboxd.service
systemctl start outboxd.socket outboxd-webhook.socket
head -c 20000 /dev/zero | tr '\0' x >/etc/credstore/outboxd.app.default.verify-token
fails_with 77 "the credential app.default.verify-token cannot be read: it has more than 16384 bytes"
rm /etc/credstore/outboxd.app.default.verify-token
(umask 077 && printf x >/var/lib/outboxd/secrets/line.main.token)
starts "a secret of somebody else's"
said -u outboxd.service "/var/lib/outboxd/secrets/line.main.token is not used: it must be readable to outboxd" ||
    fail "the journal does not say that a secret is not used"
rm /var/lib/outboxd/secrets/line.main.token
chmod 777 /var/lib/outboxd/secrets
fails_with 77 "/var/lib/outboxd/secrets can be written by others"
chmod 700 /var/lib/outboxd/secrets

cp -a /var/lib/outboxd/outboxd.db /tmp/outboxd.db
dd if=/dev/urandom of=/var/lib/outboxd/outboxd.db bs=4096 count=4 conv=notrunc status=none
fails_with 65 "does not begin as an SQLite database does"
cp -a /tmp/outboxd.db /var/lib/outboxd/outboxd.db
sqlite3 /var/lib/outboxd/outboxd.db 'PRAGMA user_version = 99'
chown outboxd: /var/lib/outboxd/*
fails_with 76 "outboxd cannot start"
cp -a /tmp/outboxd.db /var/lib/outboxd/outboxd.db
rm -f /var/lib/outboxd/outboxd.db-*
exec 9</var/lib/outboxd/outboxd.lock
flock 9
fails_with 75 "another outboxd works on /var/lib/outboxd"
exec 9<&-
starts "a file in use"

# A full disk mends itself: tried again until there is room.
mkdir -p /tmp/small
mount -t tmpfs -o size=1m,mode=700,uid="$(id -u outboxd)",gid="$(id -g outboxd)" small /var/lib/outboxd
head -c 2000000 /dev/zero >/var/lib/outboxd/ballast 2>/dev/null || true
systemctl start outboxd.service 2>/dev/null || true
tried_again() { [ "$(systemctl show -P NRestarts outboxd.service)" -ge 5 ]; }
until_true tried_again || fail "with a full disk it is not tried again"
said -u outboxd.service "status=71/OSERR" || fail "another status with a full disk"
said -u outboxd.service "the disk is full: free some space" || fail "it does not say that the disk is full"
rm /var/lib/outboxd/ballast
holds "71: a full disk: tried again until there is room" until_true outboxctl status
systemctl stop outboxd.service
umount /var/lib/outboxd
starts "a full disk"
stop_all
