# SPDX-License-Identifier: LGPL-2.1-or-later
# Attaching and detaching a host device under faults; sourced after faults.sh.
#   state_of_all       what each place says of the device, a line each: old or new and the place, or what there is; a test of
#                      another device has its own
#   f_alike POINT DEVICE [CMD...]   every place says the same; CMD runs before they are asked

# Of a place that has one of two values, and of one that has it or not.
word() { case $2 in "$3") echo "old $1" ;; "$4") echo "new $1" ;; *) echo "$1='$2'" ;; esac; }
has() { # PLACE CMD...
	f_place=$1
	shift
	if "$@" >/dev/null 2>&1; then echo "new $f_place"; else echo "old $f_place"; fi
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
	[ -z "${f_both:-}" ] || [ "$f_mode:${f_got:-0}" = fail:14 ] ||
		has definition grep -q "bus='0x01' slot='0x00' function='0x0'/>" "$VM_ROOT/etc/vm/qemu/$f_guest.xml"
	left_of_change "$run_dir"
}
# A limit that was raised and put back is written as it was.
limit_now() {
	f_limit=$(memlock "$f_guest")
	[ "$f_limit" = 8388608 ] || f_limit=
}
left_of_change() { # RUN-DIRECTORY
	for left in change.undo plug live.xml.new record.new define.xml define.was; do [ ! -e "$1/$left" ] || echo "$left"; done
	! grep -q '^unplug=' "$1/record" || echo unplugging
}
# A hook that could not be looked for counts as one that failed: the device is out of use until it is looked at again.
f_reuse() { # DEVICE
	! grep -qs '^cure=' "$VM_ROOT/run/vm/hostdev/pci:$1" || vm-hostdev-unbind -q "$1" || echo "vm-hostdev-unbind: $?"
}
f_alike() {
	# QEMU's answer was lost: the command says that it does not know (12), and the next one asks QEMU
	[ "$1" != "after the failure" ] || [ "${f_got:-0}" -ne 12 ] || return 0
	# it failed when QEMU had the device, which goes back as soon as the guest lets go of it
	[ "$1" != "after the failure" ] || ! grep -qs '^unplug=' "$VM_ROOT/run/vm/qemu/$f_guest/record" || return 0
	if [ "$1" = "after the next command" ]; then
		# who was asked lets go when it likes, and the watcher sees to the rest
		f_tries=60
		while grep -qs '^unplug=' "$VM_ROOT/run/vm/qemu/$f_guest/record" && [ "$f_tries" -gt 0 ]; do
			f_tries=$((f_tries - 1))
			sleep 0.2
		done
		f_reuse "$2"
	fi
	shift 2
	"${@:-:}"
	f_places=$(state_of_all 2>&1)
	case $(echo "$f_places" | sed 's/^\(old\|new\) .*/\1/' | sort -u | paste -sd ' ') in
	old | new) ;;
	*) echo "not all alike: $(echo "$f_places" | sort | paste -sd ',')" ;;
	esac
}
# It takes part when it has found the device.
f_found() {
	for f_try in 1 2 3 4 5 6 7 8 9 10; do
		! grep -q 'hotplug pci .* added' "$T/$f_guest.console" || return 0
		sleep 0.2
	done
}
