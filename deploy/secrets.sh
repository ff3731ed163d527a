#!/bin/sh
# Make what deploy/compose.yaml reads as secrets: passwords by chance, and the settings that hold them.
#     deploy/secrets.sh             writes deploy/secrets/, once; what is there already is left alone
# The folder is yours alone; the files in it are readable, since each container reads them as a user of its own.
set -eu
cd "$(dirname "$0")"
if [ -e secrets ]; then
    echo "deploy/secrets is there already; remove it to make everything anew (the databases keep their passwords)." >&2
    exit 1
fi

chance() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }

mkdir -m 0700 secrets
umask 022
owner="$(chance)"
cache="$(chance)"
chance >secrets/postgres_password
printf '%s' "$owner" >secrets/pagerd_password
printf 'requirepass %s\nmaxmemory 256mb\nmaxmemory-policy noeviction\nsave ""\n' "$cache" >secrets/redis.conf
cat >secrets/pagerd.toml <<TOML
store = "postgresql://pagerd:$owner@postgres:5432/pagerd"
key_store = "postgresql://pagerd:$owner@postgres:5432/pagerd_keys"
queue = "kafka://kafka:9092"
cache = "redis://:$cache@redis:6379/0"
key_file = "/var/lib/pagerd/keys/root.key"

[worker]
processes = 2

[providers.mail]
kind = "smtp"
url = "smtp+starttls://mail.example.com:587"
from = "Shop <hi@shop.example>"
TOML
echo "Written: deploy/secrets. Set your mail server in deploy/secrets/pagerd.toml ([providers.mail])."
