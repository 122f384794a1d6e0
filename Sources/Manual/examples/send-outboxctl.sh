#!/bin/sh
# Sends a template with outboxctl and waits until it is delivered.
#
#   send-outboxctl.sh NUMBER      exits with 0 when it was delivered; outboxctl(1) has the other statuses
set -eu
key=$(cat /proc/sys/kernel/random/uuid)
exec outboxctl send "$1" --template hello_world --idempotency-key "$key" --wait=delivered --timeout 60s
