# shellcheck shell=bash
# What the parts share. They run as root inside the lab, one after the other, each from a fresh queue.
set -euo pipefail

part=$(basename "$0" .sh)
token=EAAG-lab-token-1
secret=lab-app-secret-1

fail() {
    echo "systemd: $part: FAILED: $*" >&2
    journalctl --sync || true
    journalctl --no-pager -n 60 >&2 || true
    exit 1
}
# holds WORDS COMMAND...: the command must succeed.
holds() {
    local words=$1
    shift
    "$@" >/tmp/said 2>&1 || { cat /tmp/said >&2; fail "$words"; }
    echo "systemd: $part: $words"
}
# Behind a pipe stands grep -c: grep -q would break the pipe of whoever still writes.
# until_true COMMAND...: within a minute.
until_true() {
    for _ in $(seq 600); do
        if "$@" >/dev/null 2>&1; then return 0; fi
        sleep 0.1
    done
    return 1
}
# said FIELD=VALUE... TEXT: a journal line with these fields, since the part began, holds the text.
said() {
    journalctl --sync
    journalctl --no-pager -o cat --since "@$began" "${@:1:$#-1}" | grep -cF -- "${@: -1}" >/dev/null
}
is() { [ "$(systemctl show -P "$2" "$1")" = "$3" ]; }
state_is() { outboxctl show "$1" | grep -c "^status *$2" >/dev/null; }
messages() { # of every state together
    outboxctl status |
        awk '$1 ~ /^(scheduled|queued|processing|retrying|sent|delivered|read|failed|cancelled)$/ { sum += $2 } END { print sum + 0 }'
}
counts() { [ "$(outboxctl status | awk -v state="$1" '$1 == state { print $2 }')" = "$2" ]; }

# drop_in NAME [UNIT]: standard input becomes a drop-in of the unit, until the next fresh.
drop_in() {
    mkdir -p "/run/systemd/system/${2:-outboxd.service}.d"
    cat >"/run/systemd/system/${2:-outboxd.service}.d/$1.conf"
    systemctl daemon-reload
}
sandbox() { # sandbox [OPTION...]: a new stand-in for Meta
    systemctl stop sandbox.service 2>/dev/null || true
    systemctl reset-failed sandbox.service 2>/dev/null || true
    systemd-run --quiet --collect --unit=sandbox /usr/bin/outbox-sandbox --port 8990 --app-secret "$secret" \
        --webhook-url http://localhost/webhooks/default --webhook-socket /run/outboxd/webhook.sock "$@"
    until_true curl -sf -o /dev/null http://127.0.0.1:8990/sandbox/summary || fail "the stand-in for Meta does not start"
}
# webhooks JSON: the stand-in keeps them back or sends them.
webhooks() { curl -sf -X PUT http://127.0.0.1:8990/sandbox/webhooks -d "$1" >/dev/null || fail "the stand-in refuses $1"; }
stop_all() {
    systemctl stop outboxd.service outboxd.socket outboxd-webhook.socket sandbox.service 2>/dev/null || true
}
# fresh [SANDBOX OPTION...]: an empty queue, default settings, sockets that listen.
fresh() {
    stop_all
    systemctl reset-failed
    rm -rf /run/systemd/system/outboxd* /etc/credstore /var/lib/outboxd /etc/outboxd/*
    mkdir -p /etc/credstore
    (umask 077 && printf '%s\n' "$secret" >/etc/credstore/outboxd.app.default.secret)
    drop_in lab <<<$'[Service]\nEnvironment=OUTBOXD_GRAPH_URL=http://127.0.0.1:8990'
    sandbox "$@"
    systemctl start outboxd.socket outboxd-webhook.socket
}
# add_line [TOKEN]: the line main, without limits that would slow a test.
add_line() {
    printf '%s\n' "${1:-$token}" | outboxctl line add main --phone-number-id 106 --token - --closed-window leave \
        --messages-per-second 1000 --burst 100 --first-wait 1
    outboxctl pool set main --tier TIER_UNLIMITED
} >/dev/null
# load NUMBER: so many messages, a connection each, as fast as they come; every answer must be a 202.
# How many were is in /tmp/acknowledged.
load() { python3 /checkout/Tests/Systemd/load.py "$@" >/tmp/acknowledged; }

began=$(date +%s.%N)
