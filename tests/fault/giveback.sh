# SPDX-License-Identifier: LGPL-2.1-or-later
# The end of a guest that has a host device, interrupted or failing at any system call, and the program that gives it back, killed at any
# one: then the host has it as it was before, or the guest has all of it still.
# timeout: 3600
. "$(dirname "$0")/../lib/plug.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"

f_guest=fgive$$
plug_xml "$f_guest" >"$T/guest.xml"
f_learn_caps
host_state >"$T/host"
[ -n "${VM_FAULT_SAMPLE:-}" ] || f_sample=6

f_prepare() { vm-define -q "$T/guest.xml" && vm-start -q "$f_guest" && vm-attach-hostdev -q "$f_guest" "$card"; }
there() { if [ -e "$VM_ROOT/run/vm/$1" ]; then echo yes; else echo no; fi; }
f_check() {
	[ "$1" = "after the next command" ] || return 0
	# what cannot be given back is out of use until somebody looks at it, and says so
	! grep -qs '^phase=stuck' "$VM_ROOT/run/vm/hostdev/pci:$card" || return 0
	if grep -qs "^held=hostdev $card" "$VM_ROOT/run/vm/qemu/$f_guest/record"; then
		wanted="vfio-pci vfio-pci yes yes yes"
	else
		wanted="nvme (null) no no no"
	fi
	got="$(driver "$card") $(cat "$VM_SYSROOT/sys/bus/pci/devices/$card/driver_override") $(there "claims/pci:$card") $(there claims/iommu-group:14) $(there "hostdev/pci:$card")"
	[ "$got" = "$wanted" ] || echo "driver, override, claims and record of the device: $got, not $wanted"
}
f_finish() {
	vm-destroy -q "$f_guest"
	! grep -qs '^phase=stuck' "$VM_ROOT/run/vm/hostdev/pci:$card" || vm-hostdev-unbind -q "$card"
	f_left=$(host_state | diff "$T/host" - | head -n 3)
	[ -z "$f_left" ] || f_problem "after the guest's end: $f_left"
}
f_whole=no
f_command() { "$@" vm-destroy -q "$f_guest"; }
f_converge() { "$@" vm-destroy -q --if-needed "$f_guest" || "$@" vm-start -q "$f_guest"; }
faults "vm-destroy" tool kill tree fail
# the program that gives it back, which whoever ends a guest runs
f_prepare() {
	vm-define -q "$T/guest.xml" && vm-start -q --no-watch "$f_guest" && vm-attach-hostdev -q "$f_guest" "$card" || return
	qemu=$(vm-info --get=pid "$f_guest")
	kill -9 "$qemu"
	for f_try in 1 2 3 4 5 6 7 8 9 10; do
		! process_ended "$qemu" || return 0
		sleep 0.1
	done
}
f_command() { "$@" vm-hostdev-reap qemu:///system "qemu/$f_guest" "$card"; }
f_converge() { "$@" vm-repair -q "$f_guest"; }
faults "vm-hostdev-reap" tool kill tree fail
umount "$VM_SYSROOT"
leftovers
done_testing
