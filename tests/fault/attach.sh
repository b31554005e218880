# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-attach-hostdev and vm-detach-hostdev, interrupted or failing at any system call: the host's driver, claims, device
# rules, the guest's /dev, its limit of locked memory, its documents and QEMU itself have all of the device or nothing.
# timeout: 3600
. "$(dirname "$0")/../lib/plug.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"

f_guest=fplug$$
plug_xml "$f_guest" >"$T/guest.xml"
f_learn_caps
host_state >"$T/host"
f_finish() {
	vm-destroy -q "$f_guest"
	f_left=$(host_state | diff "$T/host" - | head -n 3)
	[ -z "$f_left" ] || f_problem "after the guest's end: $f_left"
}

# What each place says: old, new, or what there is.
word() { case $1 in "$2") echo old ;; "$3") echo new ;; *) echo "$4='$1'" ;; esac; }
has() { # NAME CMD...: of a place that has it or not
	f_what=$1
	shift
	if "$@" >/dev/null 2>&1; then echo new; else echo old; fi
}
state_of_all() {
	run_dir=$VM_ROOT/run/vm/qemu/$f_guest
	word "$(basename "$(readlink "$VM_SYSROOT/sys/bus/pci/devices/$card/driver")")" nvme vfio-pci driver
	word "$(tr -d '\n' <"$VM_SYSROOT/sys/bus/pci/devices/$card/driver_override")" "(null)" vfio-pci override
	has claim test -e "$VM_ROOT/run/vm/claims/pci:$card"
	has group test -e "$VM_ROOT/run/vm/claims/iommu-group:14"
	has record test -e "$VM_ROOT/run/vm/hostdev/pci:$card"
	has rule sh -c "vm-cgroup '$f_guest' devices | grep -q '10:229.*ok.*hostdev0'"
	[ -z "$(vm-cgroup "$f_guest" devices | grep -v "	ok	")" ] || echo "rules"
	has node test -e "$run_dir/dev/vfio/14"
	has live grep -q "alias name='hostdev0'" "$run_dir/live.xml"
	has held grep -q "^held=hostdev $card" "$run_dir/record"
	has qemu sh -c "vm-qmp '$f_guest' 'qom-list {\"path\":\"/machine/peripheral\"}' | grep -q '\"hostdev0\"'"
	word "$(memlock "$f_guest")" "${f_limit:-}" 1107296256 memlock
	# a command says itself (14) when the definition alone could not be changed
	[ -z "$f_both" ] || [ "$f_mode:${f_got:-0}" = fail:14 ] ||
		has definition grep -q "bus='0x01' slot='0x00' function='0x0'/>" "$VM_ROOT/etc/vm/qemu/$f_guest.xml"
	for left in change.undo plug live.xml.new record.new define.xml define.was; do [ ! -e "$run_dir/$left" ] || echo "$left"; done
	! grep -q '^unplug=' "$run_dir/record" || echo unplugging
}
f_check() {
	# QEMU's answer was lost: the command says that it does not know (12), and the next one asks QEMU
	[ "$1" != "after the failure" ] || [ "${f_got:-0}" -ne 12 ] || return 0
	# who was asked lets go when it likes, and the watcher sees to the rest
	f_tries=60
	while [ "$1" = "after the next command" ] && grep -qs '^unplug=' "$VM_ROOT/run/vm/qemu/$f_guest/record" && [ "$f_tries" -gt 0 ]; do
		f_tries=$((f_tries - 1))
		sleep 0.2
	done
	# a hook that could not be looked for counts as one that failed: the device is out of use until it is looked at again
	if [ "$1" = "after the next command" ] && grep -qs '^cure=' "$VM_ROOT/run/vm/hostdev/pci:$card"; then
		vm-hostdev-unbind -q "$card" || echo "vm-hostdev-unbind: $?"
	fi
	# a limit that was raised and put back is written as it was
	f_limit=$(memlock "$f_guest")
	[ "$f_limit" = 8388608 ] || f_limit=
	said=$(state_of_all 2>&1 | sort -u | paste -sd ' ')
	case $said in old | new) ;; *) echo "not all alike: $said: $(state_of_all 2>&1 | paste -sd ' ')" ;; esac
}

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
	# it takes part when it has found the device
	for f_try in 1 2 3 4 5 6 7 8 9 10; do
		! grep -q 'hotplug pci .* added' "$T/$f_guest.console" || return 0
		sleep 0.2
	done
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
