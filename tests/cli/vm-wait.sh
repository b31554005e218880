# SPDX-License-Identifier: LGPL-2.1-or-later
# What vm-wait says about guests that do not run, and what it refuses.
. "$(dirname "$0")/../tap.sh"
needs vm-wait
root_needed

golden help vm-wait --help
golden nothing vm-wait web1
golden no-guest vm-wait --off web1
golden bad-state vm-wait --state=running,dead web1
golden bad-event vm-wait --event='a b' web1
golden bad-port vm-wait --ssh=0 web1
golden big-port vm-wait --ssh=65536 web1
golden contradiction vm-wait --off --agent web1
mkdir -p "$VM_ROOT/etc/vm/qemu"
echo '<domain><name>web1</name></domain>' >"$VM_ROOT/etc/vm/qemu/web1.xml"
golden off vm-wait --off web1
golden shutoff vm-wait --json --state=shutoff web1
golden not-running vm-wait --timeout=0.2 --state=running web1
golden not-running-json vm-wait --timeout=0.2 --json --state=running,paused web1
golden agent-off vm-wait --agent web1
golden device-off vm-wait --device-gone=net0 web1
golden no-event vm-wait --timeout=0.2 --event=STOP web1
done_testing
