# SPDX-License-Identifier: LGPL-2.1-or-later
# A namespace of an NVMe controller attached as a disk and detached, interrupted or failing at any system call: the controller's
# driver, the claims, the guest's documents, QEMU's device and its block nodes are all there or none of them is.
# timeout: 3600
. "$(dirname "$0")/../lib/plug.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
. "$VM_SOURCE/tests/fault/lib/plug.sh"

echo "<disk type='nvme' device='disk'><driver name='qemu' type='raw'/><source type='pci' managed='yes' namespace='1'><address domain='0' bus='1' slot='0' function='0'/></source><target dev='vda' bus='virtio'/></disk>" >"$T/disk.xml"
f_guest=fnvme$$
plug_xml "$f_guest" >"$T/guest.xml"
f_learn_caps
host_state >"$T/host"
f_finish() {
	vm-destroy -q "$f_guest"
	rm -f "$T/limits"/[0-9]*
	f_reuse "$card"
	f_left=$(host_state | diff "$T/host" - | head -n 3)
	[ -z "$f_left" ] || f_problem "after the guest's end: $f_left"
}
qemu_says() { vm-qmp "$f_guest" "$1" | grep -q "$2"; }
state_of_all() {
	run_dir=$VM_ROOT/run/vm/qemu/$f_guest
	word driver "$(driver "$card")" nvme vfio-pci
	has claim test -e "$VM_ROOT/run/vm/claims/pci:$card"
	has group test -e "$VM_ROOT/run/vm/claims/iommu-group:14"
	has record test -e "$VM_ROOT/run/vm/hostdev/pci:$card"
	has rule sh -c "vm-cgroup '$f_guest' devices | grep -q '10:229.*ok.*virtio-disk0'"
	has node test -e "$run_dir/dev/vfio/14"
	has live grep -q "alias name='virtio-disk0'" "$run_dir/live.xml"
	has held grep -q "^held=hostdev $card" "$run_dir/record"
	has qemu qemu_says 'qom-list {"path":"/machine/peripheral"}' '"virtio-disk0"'
	has storage qemu_says query-named-block-nodes 'libvirt-1-storage'
	has format qemu_says query-named-block-nodes 'libvirt-1-format'
	left_of_change "$run_dir"
}
f_check() { f_alike "$1" "$card"; }

f_prepare() { vm-define -q "$T/guest.xml" && vm-start -q "$f_guest"; }
f_command() { "$@" vm-attach-hostdev -q "$f_guest" "$T/disk.xml"; }
f_converge() { "$@" vm-attach-hostdev -q --if-needed "$f_guest" "$T/disk.xml"; }
faults "vm-attach-hostdev, an NVMe disk" tool kill fail

f_prepare() {
	vm-define -q "$T/guest.xml" && vm-start -q "$f_guest" && vm-attach-hostdev -q "$f_guest" "$T/disk.xml" || return
	f_found
}
f_command() { "$@" vm-detach-hostdev -q "$f_guest" "$T/disk.xml"; }
f_whole=no
f_converge() { "$@" vm-detach-hostdev -q --if-needed --wait=5 "$f_guest" "$T/disk.xml"; }
faults "vm-detach-hostdev, an NVMe disk" tool kill fail

# The guest has let go of it by itself: what the watcher runs then.
f_prepare() {
	vm-define -q "$T/guest.xml" && vm-start -q --no-watch "$f_guest" && vm-attach-hostdev -q "$f_guest" "$T/disk.xml" || return
	f_found
	vm-qmp "$f_guest" 'device_del {"id":"virtio-disk0"}' >/dev/null || return
	for f_try in 1 2 3 4 5 6 7 8 9 10; do
		qemu_says 'qom-list {"path":"/machine/peripheral"}' '"virtio-disk0"' || return 0
		sleep 0.2
	done
}
f_check() {
	[ "$1" = "after the next command" ] || return 0
	# one that was interrupted before it could leave a mark is found by who asks QEMU: not vm-repair --all
	vm-repair -q "$f_guest" || echo "vm-repair: $?"
	f_reuse "$card"
	f_places=$(state_of_all 2>&1 | grep -v '^old ')
	[ -z "$f_places" ] || echo "not given back: $(echo "$f_places" | paste -sd ',')"
}
[ -n "${VM_FAULT_SAMPLE:-}" ] || f_sample=6
f_command() { "$@" vm-hostdev-settle qemu:///system "$f_guest"; }
f_converge() { "$@" vm-repair -q "$f_guest"; }
faults "vm-hostdev-settle, an NVMe disk" tool kill fail
umount "$VM_SYSROOT"
leftovers
done_testing
