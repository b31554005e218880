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

state_of_all() {
	run_dir=$VM_ROOT/run/vm/qemu/$f_guest
	word driver "$(basename "$(readlink "$VM_SYSROOT/sys/bus/pci/devices/$card/driver")")" nvme vfio-pci
	word override "$(tr -d '\n' <"$VM_SYSROOT/sys/bus/pci/devices/$card/driver_override")" "(null)" vfio-pci
	has claim test -e "$VM_ROOT/run/vm/claims/pci:$card"
	has group test -e "$VM_ROOT/run/vm/claims/iommu-group:14"
	has record test -e "$VM_ROOT/run/vm/hostdev/pci:$card"
	has rule sh -c "vm-cgroup '$f_guest' devices | grep -q '10:229.*ok.*hostdev0'"
	[ -z "$(vm-cgroup "$f_guest" devices | grep -v "	ok	")" ] || echo "rules"
	has node test -e "$run_dir/dev/vfio/14"
	has live grep -q "alias name='hostdev0'" "$run_dir/live.xml"
	has held grep -q "^held=hostdev $card" "$run_dir/record"
	has qemu sh -c "vm-qmp '$f_guest' 'qom-list {\"path\":\"/machine/peripheral\"}' | grep -q '\"hostdev0\"'"
	word memlock "$(memlock "$f_guest")" "${f_limit:-}" 1107296256
	# a command says itself (14) when the definition alone could not be changed
	[ -z "$f_both" ] || [ "$f_mode:${f_got:-0}" = fail:14 ] ||
		has definition grep -q "bus='0x01' slot='0x00' function='0x0'/>" "$VM_ROOT/etc/vm/qemu/$f_guest.xml"
	left_of_change "$run_dir"
}
# A limit that was raised and put back is written as it was.
limit_now() {
	f_limit=$(memlock "$f_guest")
	[ "$f_limit" = 8388608 ] || f_limit=
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
