#!/bin/sh
# See that the programs are here that tests talk to: Postfix, as a real mail server and as the field's load tool.
# As root on Debian they are installed; elsewhere their names are printed, and the tests that need them are skipped
# (with CI set they fail).
set -eu

PATH="$PATH:/usr/sbin:/sbin"
missing=""
for program in postfix smtp-sink smtp-source; do
    command -v "$program" >/dev/null || missing="$missing $program"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing postfix (for$missing), without configuring a mail server."
    apt-get update -qq </dev/null
    echo "postfix postfix/main_mailer_type select No configuration" | debconf-set-selections
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postfix </dev/null
else
    echo "Not here:$missing. Tests that need them are skipped. On Debian and Ubuntu: sudo apt-get install postfix" >&2
fi
