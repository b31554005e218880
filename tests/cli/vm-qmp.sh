# SPDX-License-Identifier: LGPL-2.1-or-later
# What vm-qmp refuses before it asks anybody.
. "$(dirname "$0")/../tap.sh"
needs vm-qmp
root_needed

golden help vm-qmp --help
golden no-command vm-qmp web1
golden no-guest vm-qmp nobody query-status
golden no-guest-json vm-qmp --json nobody query-status
mkdir -p "$VM_ROOT/etc/vm/qemu"
echo '<domain><name>off</name></domain>' >"$VM_ROOT/etc/vm/qemu/off.xml"
golden off vm-qmp off query-status
golden two-fds vm-qmp --pass-fds=3,4 off query-status
golden closed-fd vm-qmp --pass-fds=9 off query-status
golden bad-fd vm-qmp --pass-fds=x off query-status
done_testing
