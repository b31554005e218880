# SPDX-License-Identifier: LGPL-2.1-or-later
# The watcher, interrupted or failing at any system call while its guest starts, powers itself off and is reaped.
# timeout: 3600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
. "$VM_SOURCE/tests/fault/lib/files.sh"
root_needed
needs vm-define vm-undefine vm-start vm-destroy vm-shutdown

f_guest=fwatch$$
guest_xml "$f_guest" "$(f_disks)" >"$T/guest.xml"
f_learn_caps
f_check() { f_owners; }

f_prepare() {
	: >"$T/$f_guest.console"
	vm-define -q "$T/guest.xml"
}
f_command() { "$@" vm-start -q "$f_guest"; }
# The guest gets up, then powers off; a guest that never came, or a watcher that is gone, changes nothing here.
f_during() {
	tries=60
	until guest_says "$f_guest" '^pci end' || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done
	qemu=$(vm-info --get=pid "$f_guest" 2>/dev/null)
	timeout 5 vm-shutdown -q "$f_guest" 2>/dev/null || return 0
	# It obeys. Were it still up when the next command looks, that had nothing to clear up yet, and nobody would later.
	tries=100
	until process_ended "$qemu" || [ $((tries -= 1)) -eq 0 ]; do sleep 0.05; done
}
f_converge() { "$@" vm-start -q --if-needed "$f_guest"; }
f_finish() { vm-destroy -q "$f_guest"; }
f_linger=2000
faults "watcher" watch kill fail
leftovers
done_testing
