# SPDX-License-Identifier: LGPL-2.1-or-later
# A virtual function of a network card attached as an interface and detached, interrupted or failing at any system call: its driver,
# MAC and VLAN, the claims, the guest's documents and QEMU have all of it or nothing.
# timeout: 3600
PLUG_HOSTS=igb
PLUG_GROUPS="0000:06:10.1 21"
. "$(dirname "$0")/../lib/plug.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
. "$VM_SOURCE/tests/fault/lib/plug.sh"

vf=0000:06:10.1 ctl=$plug_tree/ctl
mkdir -p "$plug_tree/run" && ln -s "$T/rtnetlink" "$plug_tree/run/rtnetlink"
printf '0 00:00:00:00:00:00 0 0\n1 00:00:00:00:00:00 7 3\n' >"$ctl/vf"
echo sys/devices/pci0000:06/0000:06:10.1/net/vf1/address >"$ctl/own-1"
"$VM_BUILD/tests/fake-rtnetlink" "$plug_tree" "$T/rtnetlink" pf0 2
echo "<interface type='hostdev' managed='yes'><mac address='52:54:00:aa:bb:cc'/><source><address type='pci' domain='0' bus='6' slot='0x10' function='1'/></source><vlan><tag id='42'/></vlan></interface>" >"$T/vf.xml"

f_guest=fvf$$
plug_xml "$f_guest" >"$T/guest.xml"
f_learn_caps
own() { cat "$ctl/vf" "$plug_tree/sys/class/net/vf1/address"; }
{ host_state; own; } >"$T/host"
f_finish() {
	vm-destroy -q "$f_guest"
	f_reuse "$vf"
	f_left=$({ host_state; own; } | diff "$T/host" - | head -n 3)
	[ -z "$f_left" ] || f_problem "after the guest's end: $f_left"
}
state_of_all() {
	run_dir=$VM_ROOT/run/vm/qemu/$f_guest
	word driver "$(basename "$(readlink "$VM_SYSROOT/sys/bus/pci/devices/$vf/driver")")" igbvf vfio-pci
	word mac "$(tail -n 1 "$ctl/vf")" "1 00:00:00:00:00:00 7 3" "1 52:54:00:aa:bb:cc 42 0"
	has claim test -e "$VM_ROOT/run/vm/claims/pci:$vf"
	has record test -e "$VM_ROOT/run/vm/hostdev/pci:$vf"
	has node test -e "$run_dir/dev/vfio/21"
	has live grep -q "<interface type='hostdev'" "$run_dir/live.xml"
	has held grep -q "^held=hostdev $vf" "$run_dir/record"
	has qemu sh -c "vm-qmp '$f_guest' 'qom-list {\"path\":\"/machine/peripheral\"}' | grep -q '\"hostdev0\"'"
	left_of_change "$run_dir"
}
f_check() { f_alike "$1" "$vf"; }

f_prepare() { vm-define -q "$T/guest.xml" && vm-start -q "$f_guest"; }
f_command() { "$@" vm-attach-hostdev -q "$f_guest" "$T/vf.xml"; }
f_converge() { "$@" vm-attach-hostdev -q --if-needed "$f_guest" "$T/vf.xml"; }
faults "vm-attach-hostdev, an interface" tool kill fail

f_prepare() {
	vm-define -q "$T/guest.xml" && vm-start -q "$f_guest" && vm-attach-hostdev -q "$f_guest" "$T/vf.xml" || return
	f_found
}
f_command() { "$@" vm-detach-hostdev -q "$f_guest" "$T/vf.xml"; }
f_whole=no
f_converge() { "$@" vm-detach-hostdev -q --if-needed --wait=5 "$f_guest" "$T/vf.xml"; }
faults "vm-detach-hostdev, an interface" tool kill fail
pgrep -f "fake-rtnetlink $plug_tree" | xargs -r kill
umount "$VM_SYSROOT"
leftovers
done_testing
