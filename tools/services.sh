#!/bin/sh
# See that the programs are here that tests need beside Python: Postfix as a real mail server and as the field's load
# tool, PostgreSQL, PgBouncer, Redis, Java and Maven for Kafka, a C compiler for the file layer that loses unsynced
# writes, and git. As root on Debian they are installed; elsewhere they are named, and the tests that need them are
# skipped (with CI set they fail). `python3 -m tools.services start` then starts servers of the project's own.
set -eu

PATH="$PATH:/usr/sbin:/usr/local/sbin:/sbin"
missing=""
packages=""
need() { # PROGRAM PACKAGES
    command -v "$1" >/dev/null && return
    missing="$missing $1"
    case " $packages " in *" $2 "*) ;; *) packages="$packages $2" ;; esac
}

need postfix postfix
need smtp-sink postfix
need smtp-source postfix
command -v gcc >/dev/null || need cc "gcc libc6-dev"
need saslpasswd2 sasl2-bin
need git git
need openssl openssl
need redis-server redis-server
need pgbouncer pgbouncer
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || need initdb postgresql
need java default-jre-headless
ls -d "${XDG_CACHE_HOME:-$HOME/.cache}"/pagerd/kafka-* >/dev/null 2>&1 || need mvn maven
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing$packages (for$missing); no mail server is configured."
    apt-get update -qq </dev/null
    echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
    # shellcheck disable=SC2086 -- several words are meant
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages </dev/null
else
    echo "Not here:$missing. The tests that need them are skipped. On Debian and Ubuntu:" >&2
    echo "    sudo apt-get install$packages" >&2
fi
