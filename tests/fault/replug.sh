# SPDX-License-Identifier: LGPL-2.1-or-later
# What gives a running guest its USB device anew when it was plugged in again, interrupted or failing at any system call: the
# guest has the device in the end, with its new number and no other; one that is away has no rule, node or claim.
# timeout: 3600
PLUG_PLAIN=1
PLUG_MORE='usb usb1 1d6b:0002 1 class=09 driver=hub
usb 1-1 046d:c52b 5 model=Receiver on=usb1
usb 1-2 046d:c52b 5 model=Receiver on=usb1'
. "$(dirname "$0")/../lib/plug.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
. "$VM_SOURCE/tests/fault/lib/plug.sh"

f_guest=fusb$$
plug_xml "$f_guest" | sed "s|type='usb' model='none'|type='usb' model='qemu-xhci'|" >"$T/guest.xml"
f_learn_caps
ports=$(dirname "$(readlink -f "$plug_tree/sys/bus/usb/devices/1-1")")
mkdir "$T/away"
mv "$ports/1-1" "$ports/1-2" "$T/away/"
# a device of the host with this number, as a kernel shows it
plug_in() { # NUMBER [PORT]
	unplug
	cp -a "$T/away/${2:-1-1}" "$ports/"
	echo "$1" >"$ports/${2:-1-1}/devnum"
	mkdir -p /dev/bus/usb/001 "$plug_tree/dev/bus/usb/001"
	mknod -m 600 "/dev/bus/usb/001/00$1" c 10 229
	: >"$plug_tree/dev/bus/usb/001/00$1"
}
unplug() { rm -rf "$ports/1-1" "$ports/1-2" /dev/bus/usb "$plug_tree/dev/bus/usb"; }
settle() { "$@" vm-hostdev-settle qemu:///system "$f_guest"; }

must() { # WHAT CMD...
	f_what=$1
	shift
	"$@" >/dev/null 2>&1 || echo "$f_what"
}
what_is_wrong() {
	run_dir=$VM_ROOT/run/vm/qemu/$f_guest
	must claim test -e "$VM_ROOT/run/vm/claims/usb:1-1"
	must rule sh -c "vm-cgroup '$f_guest' devices | grep -q '10:229.*ok.*hostdev0.*/001/006'"
	[ -z "$(vm-cgroup "$f_guest" devices | grep -v "	ok	")" ] || echo "rules"
	must node test -e "$run_dir/dev/bus/usb/001/006"
	must old-node test ! -e "$run_dir/dev/bus/usb/001/005"
	must record grep -q "^hostdev=hostdev0 usb:1-1$" "$run_dir/record"
	must qemu sh -c "vm-qmp '$f_guest' 'qom-list {\"path\":\"/machine/peripheral\"}' | grep -q '\"hostdev0\", \"type\": \"child<usb-kbd>\"'"
	must number grep -q "device='0x6'" "$run_dir/live.xml"
	must missing not grep -q missing "$run_dir/live.xml"
	must document test "$(grep -c "alias name='hostdev0'" "$run_dir/live.xml")" = 1
	left_of_change "$run_dir"
}
not() { ! "$@"; }
f_prepare() {
	plug_in 5 && vm-define -q "$T/guest.xml" && vm-start -q "$f_guest" && vm-attach-hostdev -q "$f_guest" usb:1-1 &&
		unplug && { [ -z "$f_seen" ] || vm-repair -q "$f_guest"; } && plug_in 6
}
f_command() { settle "$@"; }
f_converge() { "$@" vm-repair "$f_guest"; }
f_check() {
	[ "$1" != "after the failure" ] || return 0
	f_places=$(what_is_wrong | paste -sd ',')
	[ -z "$f_places" ] || echo "wrong: $f_places"
}
f_finish() { vm-destroy -q "$f_guest"; unplug; }

# ---- another port ----
f_new_root
f_seen=
f_prepare
plug_in 6 1-2
ok "plugged into another port" vm-repair "$f_guest"
is "$(what_is_wrong | paste -sd ',')" claim,record "it is found there, if it was looked for by what it is"
ok "and claimed there" test -e "$VM_ROOT/run/vm/claims/usb:1-2"
f_finish
echo "<hostdev type='usb'><source><address bus='1' device='5'/></source></hostdev>" >"$T/number.xml"
f_new_root
ok "again, with the device by its number" sh -c "vm-define -q '$T/guest.xml' && vm-start -q '$f_guest'"
plug_in 5
ok "attached" vm-attach-hostdev -q "$f_guest" "$T/number.xml"
plug_in 6 1-2
ok "plugged into another port" vm-repair "$f_guest"
plug_in 5 1-2
ok "where another device gets that number" vm-repair "$f_guest"
is "$(vm-info "$f_guest" hostdevs | cut -f1,2)" "hostdev0${tab}missing" "that is not the one it was given"
not_ok "nor is it claimed" test -e "$VM_ROOT/run/vm/claims/usb:1-2"
f_finish

f_seen=
faults "replugged" tool kill fail
f_seen=yes
faults "plugged in after it was away" tool kill fail

f_prepare() {
	plug_in 5 && vm-define -q "$T/guest.xml" && vm-start -q "$f_guest" && vm-attach-hostdev -q "$f_guest" usb:1-1 && unplug
}
f_check() {
	[ "$1" != "after the failure" ] || return 0
	run_dir=$VM_ROOT/run/vm/qemu/$f_guest
	[ ! -e "$VM_ROOT/run/vm/claims/usb:1-1" ] || echo "claim"
	! vm-cgroup "$f_guest" devices | grep /dev/bus/usb || echo "rule"
	[ ! -e "$run_dir/dev/bus" ] || echo "node"
	grep -q "^hostdev=hostdev0 usb:-1-1$" "$run_dir/record" || echo "record"
	grep -q "missing='yes'" "$run_dir/live.xml" || echo "document"
	left_of_change "$run_dir"
}
faults "unplugged" tool kill fail
umount "$VM_SYSROOT"
leftovers
done_testing
