# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-attach-hostdev and vm-detach-hostdev, interrupted or failing at any system call: the host's driver, claims, device
# rules, the guest's /dev, its limit of locked memory, its documents and QEMU itself have all of the device or nothing.
# timeout: 3600
. "$(dirname "$0")/../lib/plug.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
. "$VM_SOURCE/tests/fault/lib/plug.sh"

f_guest=fplug$$
plug_xml "$f_guest" >"$T/guest.xml"
f_learn_caps
host_state >"$T/host"
f_finish() {
	vm-destroy -q "$f_guest"
	# each is under the pid of a QEMU, and pids come again
	rm -f "$T/limits"/[0-9]*
	f_reuse "$card"
	f_left=$(host_state | diff "$T/host" - | head -n 3)
	[ -z "$f_left" ] || f_problem "after the guest's end: $f_left"
}

f_check() { f_alike "$1" "$card" limit_now; }

f_both=
f_prepare() { vm-define -q "$T/guest.xml" && vm-start -q "$f_guest"; }
f_command() { "$@" vm-attach-hostdev -q "$f_guest" "$card"; }
f_converge() { "$@" vm-attach-hostdev -q --if-needed "$f_guest" "$card"; }
faults "vm-attach-hostdev" tool kill tree fail
f_both=--persistent
f_command() { "$@" vm-attach-hostdev -q --persistent "$f_guest" "$card"; }
f_converge() { "$@" vm-attach-hostdev -q --persistent --if-needed "$f_guest" "$card"; }
faults "vm-attach-hostdev --persistent" tool kill fail

f_both=
f_prepare() {
	vm-define -q "$T/guest.xml" && vm-start -q "$f_guest" && vm-attach-hostdev -q $f_both "$f_guest" "$card" || return
	f_found
}
f_command() { "$@" vm-detach-hostdev -q "$f_guest" "$card"; }
f_whole=no
f_converge() { "$@" vm-detach-hostdev -q --if-needed --wait=5 "$f_guest" "$card"; }
faults "vm-detach-hostdev" tool kill tree fail
f_both=--persistent
f_command() { "$@" vm-detach-hostdev -q --persistent "$f_guest" "$card"; }
f_converge() { "$@" vm-detach-hostdev -q --persistent --if-needed --wait=5 "$f_guest" "$card"; }
faults "vm-detach-hostdev --persistent" tool kill fail
umount "$VM_SYSROOT"
leftovers
done_testing
