#!/usr/bin/env bash
# Meta's webhooks through a TCP port, nginx and Caddy, with the examples that are installed.
# shellcheck source=Tests/Systemd/lib.sh
. "$(dirname "$0")/lib.sh"
fresh
examples=/usr/share/doc/outboxd/examples
printf 'verify-me' >/etc/credstore/outboxd.app.default.verify-token
body='{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"x","value":{}}]}]}'
signature=$(printf '%s' "$body" | openssl dgst -sha256 -hmac "$secret" | sed 's/^.* /sha256=/')
# The sandbox's webhooks go through the proxy: a message comes to read only if they get through.
through() { # through NAME URL
    [ "$(curl -s "$2/webhooks/default?hub.mode=subscribe&hub.challenge=42&hub.verify_token=verify-me")" = 42 ] ||
        fail "the verification does not get through $1"
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$2/webhooks/default" -H "X-Hub-Signature-256: $signature" -d "$body")" = 200 ] ||
        fail "a signed webhook does not get through $1"
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$2/webhooks/default" -H "X-Hub-Signature-256: sha256=00" -d "$body")" = 401 ] ||
        fail "an unsigned webhook is not refused through $1"
    # As long as Meta's may be.
    { printf '{"object":"x","entry":[],"x":"'; head -c 3000000 /dev/zero | tr '\0' x; printf '"}'; } >/tmp/long
    signed=$(openssl dgst -sha256 -hmac "$secret" </tmp/long | sed 's/^.* /sha256=/')
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$2/webhooks/default" -H "X-Hub-Signature-256: $signed" --data-binary @/tmp/long)" = 200 ] ||
        fail "a webhook of 3 MB does not get through $1"
    [ "$(curl -s -o /dev/null -w '%{http_code}' "$2/v1/status")" = 404 ] || fail "$1 reaches more than webhooks"
    echo "systemd: $part: webhooks get through $1, nothing else does"
}

mkdir -p /tmp/nginx
cat >/tmp/nginx/nginx.conf <<CONF
user www-data;
pid /tmp/nginx/pid;
error_log /tmp/nginx/error.log;
events {}
http {
    access_log off;
    client_body_temp_path /tmp/nginx/body;
    proxy_temp_path /tmp/nginx/proxy;
    fastcgi_temp_path /tmp/nginx/f; uwsgi_temp_path /tmp/nginx/u; scgi_temp_path /tmp/nginx/s;
    server {
        listen 127.0.0.1:8080;
        include $examples/nginx.conf;
        location / { return 404; }
    }
}
CONF
systemd-run --quiet --collect --unit=nginx /work/proxies/usr/sbin/nginx -c /tmp/nginx/nginx.conf -g 'daemon off;'
until_true curl -s http://127.0.0.1:8080/ || fail "nginx does not start"
through nginx http://127.0.0.1:8080
# A restart behind a proxy holds its callers, and loses none.
(for _ in $(seq 100); do
    curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8080/webhooks/default -H "X-Hub-Signature-256: $signature" -d "$body"
done) >/tmp/codes &
calls=$!
for _ in 1 2; do sleep 0.1; systemctl restart outboxd.service; done
wait $calls
[ "$(sort -u /tmp/codes)" = 200 ] || fail "webhooks during restarts: $(sort /tmp/codes | uniq -c)"
echo "systemd: $part: 100 webhooks through nginx during restarts, every one a 200"
systemctl stop nginx

# Caddy's own certificate needs a name and a network: here it serves plain http.
sed 's|^whatsapp.example.com|http://127.0.0.1:8081|' $examples/Caddyfile >/tmp/Caddyfile
printf '{\n\tadmin off\n}\n' | cat - /tmp/Caddyfile >/tmp/Caddyfile.lab
systemd-run --quiet --collect --unit=caddy --setenv=HOME=/tmp --uid=www-data /work/proxies/usr/bin/caddy run --config /tmp/Caddyfile.lab --adapter caddyfile
until_true curl -s http://127.0.0.1:8081/ || fail "Caddy does not start"
through Caddy http://127.0.0.1:8081
systemctl stop caddy

sed -n '/^\[Socket\]/,$p' $examples/webhook-tcp.conf | drop_in tcp outboxd-webhook.socket
systemctl restart outboxd-webhook.socket outboxd.service
through "a TCP port" http://127.0.0.1:8086
! curl -s --unix-socket /run/outboxd/webhook.sock http://x/webhooks/default || fail "the Unix socket still answers"
grep -v '^ListenStream=$' /run/systemd/system/outboxd-webhook.socket.d/tcp.conf >/tmp/both
drop_in tcp outboxd-webhook.socket </tmp/both
systemctl restart outboxd-webhook.socket outboxd.service
through "a TCP port beside the Unix socket" http://127.0.0.1:8086
[ "$(curl -s -o /dev/null -w '%{http_code}' --unix-socket /run/outboxd/webhook.sock http://x/webhooks/default)" = 403 ] ||
    fail "the Unix socket does not answer beside the TCP port"
add_line
id=$(outboxctl send 14155552671 hello)
holds "a message is read with both open" until_true state_is "$id" read
stop_all
