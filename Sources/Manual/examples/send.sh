#!/bin/sh
# Sends a template with curl and waits until it is delivered.
#
#   send.sh NUMBER      exits with 0 when it was delivered, 1 when it was refused or failed
set -eu
socket=${OUTBOXD_SOCKET:-/run/outboxd/outboxd.sock}
key=$(cat /proc/sys/kernel/random/uuid)

# Sent again with the same key, should the answer get lost, it is still queued once.
answer=$(curl -sS --retry 5 --retry-connrefused --unix-socket "$socket" http://localhost/v1/messages \
    -H "Idempotency-Key: $key" -d "{\"to\": \"$1\", \"template\": {\"name\": \"hello_world\", \"language\": \"en_US\"}}")
id=$(printf '%s' "$answer" | sed -n 's/.*"data":{"id":"\([^"]*\)".*/\1/p')
if [ -z "$id" ]; then
    echo "refused: $answer" >&2
    exit 1
fi
echo "$id"

while sleep 1; do
    message=$(curl -sS --unix-socket "$socket" "http://localhost/v1/messages/$id")
    case $message in
    *'"direction":"outbound","status":"delivered"'* | *'"direction":"outbound","status":"read"'*) exit 0 ;;
    *'"direction":"outbound","status":"failed"'* | *'"direction":"outbound","status":"cancelled"'*)
        echo "not delivered: $message" >&2
        exit 1
        ;;
    esac
done
