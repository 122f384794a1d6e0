#!/usr/bin/env bash
# What the journal tells: a message's story, fields, catalog; also while journald itself is restarted.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"
fresh --read-after 300
add_line
id=$(outboxctl send 14155552671 "hello from systemd")
holds "a message is followed to read" until_true state_is "$id" read
journalctl --sync
story=$(journalctl -o cat "OUTBOXD_MESSAGE=$id")
for words in "message accepted, queued" "message sent" "message delivered" "message read: 1 attempt; accepted 20"; do
    grep -q "^$words" <<<"$story" || fail "the story of $id lacks '$words': $story"
done
[ "$(grep -c . <<<"$story")" = 4 ] || fail "the story of $id has other lines: $story"
journalctl -o json "OUTBOXD_MESSAGE=$id" >/tmp/story
for field in '"MESSAGE_ID":"' '"PRIORITY":"6"' '"OUTBOXD_LINE":"main"' '"OUTBOXD_ATTEMPT":"1"' '"OUTBOXD_TO":"141'; do
    grep -q "$field" /tmp/story || fail "no $field in the journal"
done
echo "systemd: $part: journalctl OUTBOXD_MESSAGE=ID tells a message's story in four lines, the last sums it up"

# A failure has a code, a lost answer a gate, a wish an actor.
curl -sf -X PUT http://127.0.0.1:8990/sandbox/faults -d '{"rules":["error=131026:14155550001","lose-answer:14155550002"]}' >/dev/null
failed=$(outboxctl send 14155550001 "will fail")
holds "a refused message fails" until_true state_is "$failed" failed
said OUTBOXD_MESSAGE="$failed" OUTBOXD_CODE=131026 "message failed: " || fail "no code with a failure"
# A webhook that comes before the connection's end would tell what became of the message.
webhooks '{"paused":true}'
lost=$(outboxctl send 14155550002 "will be lost")
until_true said OUTBOXD_MESSAGE="$lost" OUTBOXD_GATE=outcome_unknown "outcome unknown" || fail "no gate with a lost answer"
webhooks '{"paused":false}'
holds "its webhooks tell what became of it" until_true state_is "$lost" read
later=$(outboxctl send 14155550003 later --at 2099-01-01T00:00:00Z)
outboxctl cancel "$later" >/dev/null
said OUTBOXD_MESSAGE="$later" OUTBOXD_GATE=due_time "message accepted, scheduled" || fail "no gate with a later message"
said OUTBOXD_MESSAGE="$later" OUTBOXD_ACTOR=root "message cancelled: 0 attempts" || fail "no actor with a cancel"
echo "systemd: $part: lines carry code, gate and actor"

words=$(journalctl -x --no-pager "OUTBOXD_MESSAGE=$failed" | sed -n 's,^░░ ,,p' | tr '\n' ' ')
for part_of_it in "Subject: A message failed" "code 131026" "outboxctl explain-code 131026" "outboxctl retry $failed" \
    "man:outboxd(8)"; do
    grep -qF -- "$part_of_it" <<<"$words" || fail "journalctl -x lacks '$part_of_it': $words"
done
echo "systemd: $part: journalctl -x says cause and remedy"
for kind in $(journalctl -o json -u outboxd --since "@$began" | grep -o '"MESSAGE_ID":"[0-9a-f]*"' | sort -u | cut -d '"' -f 4); do
    # systemd's own lines have entries of systemd's.
    journalctl --dump-catalog "$kind" >/dev/null 2>&1 || fail "the catalog has no entry $kind"
done

if journalctl --since "@$began" | grep -c '1415555\(2671\|000[123]\)' >/dev/null; then fail "a whole phone number is in the journal"; fi
if journalctl --since "@$began" | grep -c 'hello from systemd\|will fail' >/dev/null; then fail "a body is in the journal"; fi
echo "systemd: $part: no body, no whole number"
echo "mask-numbers = no" >>/etc/outboxd/outboxd.conf
systemctl reload outboxd
outboxctl send 14155559876 "with its number" >/dev/null
until_true said OUTBOXD_TO=14155559876 "message read" || fail "mask-numbers = no hides numbers"
echo "systemd: $part: mask-numbers = no shows them"

# Lines wait in the journal's socket while journald is away.
load 300 &
calls=$!
for _ in 1 2 3; do
    sleep 0.1
    systemctl restart systemd-journald
done
wait $calls || fail "a call was not a 202 while journald was restarted"
holds "journald is restarted three times: outboxd goes on" until_true counts read 302
journalctl --sync
told=$(journalctl -o cat -u outboxd --since "@$began" | grep -c '^message read: ')
[ "$told" = 302 ] || fail "$told of 302 ends are in the journal"
echo "systemd: $part: and not a line is missing"
stop_all
