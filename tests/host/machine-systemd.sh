# SPDX-License-Identifier: LGPL-2.1-or-later
# The test machine with systemd as init: units, scopes and delegation can be tried.
# timeout: 300
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
HOST_SYSTEMD=1
host_machine

is "$(cat /proc/1/comm)" systemd "systemd is init"
ok "its private socket" test -S /run/systemd/private
ok "a transient scope" systemd-run --quiet --scope --unit=vm-test-one.scope -p Delegate=yes true
like "$(systemctl show -p ActiveState vm-test.service)" 'active' "the test is a service"
done_testing
