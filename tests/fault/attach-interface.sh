# SPDX-License-Identifier: LGPL-2.1-or-later
# A virtual function of a network card attached as an interface and detached, interrupted or failing at any system call: its driver,
# MAC and VLAN, the claims, the guest's documents and QEMU have all of it or nothing.
# timeout: 3600
PLUG_MORE="driver igb 8086:10c9
driver igbvf 8086:10ca
pci 0000:06:00.0 8086:10c9 020000 group=9 driver=igb totalvfs=4 caps=flr
pci 0000:06:10.0 8086:10ca 020000 group=20 driver=igbvf pf=0000:06:00.0 caps=flr
pci 0000:06:10.1 8086:10ca 020000 group=21 driver=igbvf pf=0000:06:00.0 caps=flr
net pf0 on=0000:06:00.0
net vf1 on=0000:06:10.1
file sys/devices/pci0000:06/0000:06:10.1/net/vf1/address 52:54:00:00:00:99"
PLUG_GROUPS="0000:06:10.1 21"
. "$(dirname "$0")/../lib/plug.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"

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
reuse() { ! grep -qs '^cure=' "$VM_ROOT/run/vm/hostdev/pci:$vf" || vm-hostdev-unbind -q "$vf"; }
f_finish() {
	vm-destroy -q "$f_guest"
	reuse
	f_left=$({ host_state; own; } | diff "$T/host" - | head -n 3)
	[ -z "$f_left" ] || f_problem "after the guest's end: $f_left"
}
word() { case $1 in "$2") echo old ;; "$3") echo new ;; *) echo "$4='$1'" ;; esac; }
has() { if "$@" >/dev/null 2>&1; then echo new; else echo old; fi; }
state_of_all() {
	run_dir=$VM_ROOT/run/vm/qemu/$f_guest
	word "$(basename "$(readlink "$VM_SYSROOT/sys/bus/pci/devices/$vf/driver")")" igbvf vfio-pci driver
	word "$(tail -n 1 "$ctl/vf")" "1 00:00:00:00:00:00 7 3" "1 52:54:00:aa:bb:cc 42 0" mac
	has test -e "$VM_ROOT/run/vm/claims/pci:$vf"
	has test -e "$VM_ROOT/run/vm/hostdev/pci:$vf"
	has test -e "$run_dir/dev/vfio/21"
	has grep -q "<interface type='hostdev'" "$run_dir/live.xml"
	has grep -q "^held=hostdev $vf" "$run_dir/record"
	has sh -c "vm-qmp '$f_guest' 'qom-list {\"path\":\"/machine/peripheral\"}' | grep -q '\"hostdev0\"'"
	for left in change.undo plug live.xml.new record.new; do [ ! -e "$run_dir/$left" ] || echo "$left"; done
	! grep -q '^unplug=' "$run_dir/record" || echo unplugging
}
f_check() {
	[ "$1" != "after the failure" ] || [ "${f_got:-0}" -ne 12 ] || return 0
	f_tries=60
	while [ "$1" = "after the next command" ] && grep -qs '^unplug=' "$VM_ROOT/run/vm/qemu/$f_guest/record" && [ "$f_tries" -gt 0 ]; do
		f_tries=$((f_tries - 1))
		sleep 0.2
	done
	# a hook that could not be looked for counts as one that failed: the device is out of use until it is looked at again
	[ "$1" != "after the next command" ] || reuse
	said=$(state_of_all 2>&1 | sort -u | paste -sd ' ')
	case $said in old | new) ;; *) echo "not all alike: $said: $(state_of_all 2>&1 | paste -sd ' ')" ;; esac
}

f_prepare() { vm-define -q "$T/guest.xml" && vm-start -q "$f_guest"; }
f_command() { "$@" vm-attach-hostdev -q "$f_guest" "$T/vf.xml"; }
f_converge() { "$@" vm-attach-hostdev -q --if-needed "$f_guest" "$T/vf.xml"; }
faults "vm-attach-hostdev, an interface" tool kill fail

f_prepare() {
	vm-define -q "$T/guest.xml" && vm-start -q "$f_guest" && vm-attach-hostdev -q "$f_guest" "$T/vf.xml" || return
	for f_try in 1 2 3 4 5 6 7 8 9 10; do
		! grep -q 'hotplug pci .* added' "$T/$f_guest.console" || return 0
		sleep 0.2
	done
}
f_command() { "$@" vm-detach-hostdev -q "$f_guest" "$T/vf.xml"; }
f_whole=no
f_converge() { "$@" vm-detach-hostdev -q --if-needed --wait=5 "$f_guest" "$T/vf.xml"; }
faults "vm-detach-hostdev, an interface" tool kill fail
pgrep -f "fake-rtnetlink $plug_tree" | xargs -r kill
umount "$VM_SYSROOT"
leftovers
done_testing
