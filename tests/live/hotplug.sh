# SPDX-License-Identifier: LGPL-2.1-or-later
# Host devices plugged into a guest that runs and out again: what the host, the guest's group, its /dev and its documents have
# of it before, meanwhile and afterwards.
# timeout: 300
. "$(dirname "$0")/../lib/plug.sh"
tab=$(printf '\t')
run=$VM_ROOT/run/vm/qemu
driver() { basename "$(readlink "$VM_SYSROOT/sys/bus/pci/devices/$1/driver")" 2>/dev/null; }
state() { # NAME: everything that an attach changes
	host_state
	vm-cgroup "$1" devices
	(cd "$run/$1" && find . -name events.jsonl -o -name status -o -name '*.console' -o -printf '%p %y\n' | sort)
	cat "$run/$1/live.xml"; sort "$run/$1/record"
	cat "$VM_ROOT/etc/vm/qemu/$1.xml"
}
remember() { state "$1" >"$T/before"; }
unchanged() { # NAME DESC
	state "$1" >"$T/after"
	is "$(diff "$T/before" "$T/after" | head -n 8)" "" "$2"
}

plug_xml hot >"$T/hot.xml"
status_is 0 vm-define "$T/hot.xml"
status_is 0 vm-start hot
wait_for 10 "the guest is up" guest_says hot '^pci end'
remember hot

# ---- in and out ----
status_is 0 vm-attach-hostdev --json hot "$card"
out_like "\"changed\":true,\"devices\":\[{\"device\":\"$card\",\"alias\":\"hostdev0\",\"guest_address\":\"0000:0"
is "$(driver "$card")" vfio-pci "the card is on VFIO"
wait_for 10 "the guest sees it come" guest_says hot 'hotplug pci .* added'
like "$(vm-cgroup hot devices)" "c${tab}10:229${tab}rw${tab}ok${tab}hostdev0${tab}/dev/vfio/14" "a rule for its group's node"
like "$(vm-info hot hostdevs)" "^hostdev0${tab}assigned${tab}0000:[0-9a-f:.]*${tab}$card\$" "vm-info lists it"
is "$(vm-hostdev-list | grep "^$card" | cut -f5,7)" "assigned${tab}hot" "so does vm-hostdev-list"
is "$(memlock hot)" "$(((32 + 1024) * 1048576))" "it may lock its memory and a gigabyte"
ok "its node is in the guest's own /dev" test -c "$run/hot/dev/vfio/14"
status_is 10 vm-attach-hostdev hot "$card"
err_like "has $card already; --if-needed"
status_is 0 vm-attach-hostdev --if-needed hot "$card"
status_is 0 vm-detach-hostdev hot "$card"
wait_for 10 "the guest sees it go" guest_says hot 'hotplug pci .* removed'
is "$(driver "$card")" nvme "the host's driver has it back"
unchanged hot "nothing of it is left"
status_is 0 vm-destroy hot
umount "$VM_SYSROOT"
leftovers "nothing is left"
done_testing
