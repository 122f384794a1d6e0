#!/usr/bin/env bash
# A copy of the queue while messages come and go, and its way back.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"
fresh --token "$token"
add_line
outboxctl pause --line main >/dev/null
ids=()
for number in 1 2 3; do ids+=("$(outboxctl send 1415555300$number "waits $number")"); done
outboxctl backup /var/backups/outboxd.db --force >/dev/null
[ "$(stat -c %a /var/backups/outboxd.db)" = 600 ] || fail "others may read a backup"
holds "a backup is looked through" outboxd restore /var/backups/outboxd.db --verify
outboxctl resume --all >/dev/null
for id in "${ids[@]}"; do until_true state_is "$id" read || fail "$id is not read"; done
lost=$(outboxctl send 14155553009 "after the backup")
until_true state_is "$lost" read || fail "$lost is not read"
! outboxd restore /var/backups/outboxd.db 2>/tmp/said || fail "a restore while outboxd runs"
grep -q stop /tmp/said || fail "a refused restore names no remedy: $(cat /tmp/said)"
systemctl stop outboxd.socket outboxd-webhook.socket outboxd.service
holds "it is put back" outboxd restore /var/backups/outboxd.db
[ "$(stat -c %U /var/lib/outboxd/outboxd.db)" = outboxd ] || fail "the restored queue is not the service's own"
systemctl start outboxd.socket outboxd-webhook.socket
held() { outboxctl unknown ls -o id | sort; }
[ "$(held)" = "$(printf '%s\n' "${ids[@]}" | sort)" ] || fail "what may have left since is not held: $(held)"
outboxctl resume --all >/dev/null
sleep 1
[ "$(curl -s http://127.0.0.1:8990/sandbox/summary | grep -o '"received":[0-9]*')" = '"received":4' ] ||
    fail "something left twice: $(curl -s http://127.0.0.1:8990/sandbox/summary)"
held | outboxctl unknown resolve --as sent - >/dev/null
counts processing 0 || counts processing "" || fail "settled messages are still held"
id=$(outboxctl send 14155553010 "life goes on")
holds "what may have left waits for a word, nothing leaves twice, new messages go on" until_true state_is "$id" read
stop_all
