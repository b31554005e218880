# SPDX-License-Identifier: LGPL-2.1-or-later
# Limits and pinning of guests in scopes that systemd has made.
# timeout: 2100
HOST_TIMEOUT=${HOST_TIMEOUT:-2050}
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
HOST_SYSTEMD=1
host_machine
host_units
host_modules loop bfq
host_tests live/tune
done_testing
