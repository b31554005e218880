# SPDX-License-Identifier: LGPL-2.1-or-later
# Host devices plugged into guests that run, and out again, for real: vfio-pci, IOMMU groups, device rules, the guest's own
# /dev.
# timeout: 800
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=770
host_machine \
	-device pcie-root-port,id=rp1,chassis=1 -device e1000e,bus=rp1,addr=0.0,multifunction=on -device e1000e,bus=rp1,addr=0.1 \
	-device pcie-root-port,id=rp2,chassis=2 -device edu,bus=rp2 \
	-device pcie-root-port,id=rp3,chassis=3 -device e1000e,bus=rp3

VM_TIMEOUT=200
export VM_TIMEOUT
sys=/sys/bus/pci/devices
group() { basename "$(readlink "$sys/$1/iommu_group")"; }
driver() { basename "$(readlink "$sys/$1/driver")" 2>/dev/null; }
one=$(basename "$(dirname "$(grep -l 0x10d3 $sys/*.0/device | head -n 1)")")
two=${one%.0}.1
edu=$(basename "$(dirname "$(grep -l 0x11e8 $sys/*/device)")")
alone=$(for d in $(grep -l 0x10d3 $sys/*.0/device); do basename "$(dirname "$d")"; done | tail -n 1)
ok "the host's driver" modprobe e1000e
wait_for 30 "the cards have it" test -e "$sys/$one/driver"
wait_for 30 "both functions" test -e "$sys/$two/driver"
wait_for 30 "the third" test -e "$sys/$alone/driver"
tab=$(printf '\t')

ports="<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-root-port'/><controller type='pci' index='3' model='pcie-root-port'/>"
# Not by KVM, as in hostdev.sh: one that is itself emulated loses an interrupt of a guest that sleeps now and then, and
# this guest has no timer that ticks.
define() { # NAME [DEVICES]
	guest_xml "$1" "$ports${2:-}" >"$T/$1.xml"
	vm-define -q "$T/$1.xml" || fail "define $1"
}
# What an attach changes, of the host and of the guest.
state() {
	for d in "$one" "$two" "$alone" "$edu"; do echo "$d $(driver "$d") $(cat "$sys/$d/driver_override")"; done
	host_run_state "$1"
	grep 'Max locked' "/proc/$(vm-info --get=pid "$1")/limits"
}
same_as_before() { # NAME DESC
	state "$1" >"$T/after"
	is "$(diff "$T/before" "$T/after" | head -n 8)" "" "$2"
}

# ---- one device, in and out ----
define hot
status_is 0 vm-start hot
wait_for 60 "the guest is up" guest_says hot '^pci end'
state hot >"$T/before"
status_is 0 vm-attach-hostdev --json hot "$alone"
diag "$out $err"
like "$out" "\"changed\":true,\"devices\":\[{\"device\":\"$alone\",\"alias\":\"hostdev0\"" "it says what it gave"
is "$(driver "$alone")" vfio-pci "the card is on VFIO"
wait_for 60 "the guest sees it come" guest_says hot 'hotplug pci .* added'
like "$(vm-cgroup hot devices)" "c${tab}[0-9:]*${tab}rw${tab}ok${tab}hostdev0${tab}/dev/vfio/$(group "$alone")" "a rule for its group's node"
like "$(vm-info hot hostdevs)" "^hostdev0${tab}assigned${tab}0000:[0-9a-f:.]*${tab}$alone\$" "vm-info lists it"
is "$(vm-hostdev-list | grep "^$alone" | cut -f5,7)" "assigned${tab}hot" "so does vm-hostdev-list"
like "$(grep 'Max locked' "/proc/$(vm-info --get=pid hot)/limits")" "$(((32 + 1024) * 1048576))" "it may lock its memory and a gigabyte"
ok "its node is in the guest's own /dev" test -c "$VM_ROOT/run/vm/qemu/hot/dev/vfio/$(group "$alone")"
ok "in no other's hands" test "$(stat -c %U:%a "/dev/vfio/$(group "$alone")")" = root:600
status_is 10 vm-attach-hostdev hot "$alone"
err_like "has $alone already"
status_is 0 vm-attach-hostdev --if-needed hot "$alone"
status_is 0 vm-detach-hostdev --wait=200 hot "$alone"
diag "$out $err"
wait_for 60 "the guest sees it go" guest_says hot 'hotplug pci .* removed'
is "$(driver "$alone")" e1000e "the host's driver has it back"
same_as_before hot "nothing of it is left"

# ---- it is the rule that lets QEMU open the node ----
vm-hostdev-bind -q "$alone"
node=$(group "$alone")
dev=$VM_ROOT/run/vm/qemu/hot/dev
uid=$(sed -n 's/^uid=//p' "$VM_ROOT/run/vm/qemu/hot/record")
mkdir -p "$dev/vfio"
for n in vfio "$node"; do
	[ -e "$dev/vfio/$n" ] || { mknod -m 600 "$dev/vfio/$n" c $(stat -c '0x%t 0x%T' "/dev/vfio/$n") && chown "$uid:$uid" "$dev/vfio/$n"; }
done
status_is 13 vm-qmp hot "device_add {\"driver\":\"vfio-pci\",\"host\":\"$alone\",\"id\":\"by-hand\",\"bus\":\"pci.1\"}"
err_like "/dev/vfio/.*: Operation not permitted"
diag "$err"
rm -r "$dev/vfio"
vm-hostdev-unbind -q "$alone"
same_as_before hot "and the test leaves nothing, too"

# ---- groups ----
status_is 10 vm-attach-hostdev hot "$one"
err_like "cannot assign $one: IOMMU group $(group "$one") also holds $two .e1000e.; park it with --siblings"
is "$(driver "$one") $(driver "$two")" "e1000e e1000e" "QEMU was not asked and nothing was bound"
same_as_before hot "as it was"
: >"$T/hot.console"
status_is 0 vm-attach-hostdev hot "$one" "$two"
both_seen() { [ "$(grep -c 'hotplug pci .* added' "$T/hot.console")" -ge 2 ]; }
wait_for 60 "the guest sees both functions" both_seen
is "$(vm-cgroup hot devices | grep -c "/dev/vfio/$(group "$one")")" 1 "one rule for the two of them"
status_is 0 vm-detach-hostdev --wait=200 hot "$one"
is "$(vm-cgroup hot devices | grep -c "/dev/vfio/$(group "$one")")" 1 "it stays for the other"
is "$(driver "$one")" vfio-pci "the one that is free waits for its group"
status_is 0 vm-detach-hostdev --wait=200 hot "$two"
is "$(driver "$one") $(driver "$two")" "e1000e e1000e" "both are back with the last"
same_as_before hot "nothing of them is left"
status_is 0 vm-attach-hostdev --siblings hot "$one"
like "$(vm-info hot hostdevs)" "parked$tab-$tab$two" "a sibling is parked"
status_is 0 vm-detach-hostdev --siblings --wait=200 hot "$one"
is "$(driver "$one") $(driver "$two")" "e1000e e1000e" "and goes back too"
same_as_before hot "nothing of them is left"

# ---- what QEMU was given past these programs keeps its group ----
status_is 0 vm-attach-hostdev --siblings hot "$one"
bus=$(vm-info hot ports | grep "${tab}free" | head -n 1 | cut -f1)
status_is 0 vm-qmp hot "device_add {\"driver\":\"vfio-pci\",\"host\":\"$two\",\"id\":\"by-hand\",\"bus\":\"pci.$bus\"}"
like "$(vm-info hot hostdevs)" "^by-hand${tab}foreign${tab}-${tab}$two\$" "vm-info tells of it"
status_is 0 vm-detach-hostdev --siblings --wait=200 hot "$one"
is "$(driver "$one") $(driver "$two")" "vfio-pci vfio-pci" "no driver of the host gets one of its group"
like "$(vm-cgroup hot devices)" "c${tab}[0-9:]*${tab}rw${tab}ok${tab}by-hand${tab}/dev/vfio/$(group "$one")" "the group's rule stays"
status_is 0 vm-detach-hostdev --wait=200 hot "$two"
is "$(driver "$one") $(driver "$two")" "e1000e e1000e" "until it is taken back"
same_as_before hot "nothing of it is left"

# ---- what is locked: all of the guest's memory once, or once for each if the guest has an IOMMU ----
# The version of cgroups makes no difference to that.
limit() { awk '/Max locked/ { print $4 }' "/proc/$(vm-info --get=pid "$1")/limits"; }
locked() { echo $(($(awk '/VmLck/ { print $2 }' "/proc/$(vm-info --get=pid "$1")/status") / 1024)); } # MiB
if [ "$HOST_CGROUP" != v1 ]; then
	status_is 0 vm-attach-hostdev hot "$alone" "$edu"
	is "$(limit hot)" "$(((32 + 1024) * 1048576))" "two devices without an IOMMU: the limit counts the memory once"
	ok "so does the kernel" test "$(locked hot)" -lt 64
	diag "locked: $(locked hot) MiB"
	status_is 0 vm-detach-hostdev --wait=200 hot "$alone" "$edu"
	same_as_before hot "nothing of them is left"

	define behind "<iommu model='intel'><driver caching_mode='on'/></iommu>"
	status_is 0 vm-start behind
	wait_for 60 "a guest with an IOMMU is up" guest_says behind '^pci end'
	state behind >"$T/before"
	status_is 0 vm-attach-hostdev behind "$alone"
	is "$(limit behind)" "$(((32 + 1024) * 1048576))" "its first device: once"
	one_locked=$(locked behind)
	status_is 0 vm-attach-hostdev behind "$edu"
	is "$(limit behind)" "$(((2 * 32 + 1024) * 1048576))" "its second device: twice"
	ok "which is what the kernel counts" test "$(locked behind)" -ge $((one_locked + 32))
	diag "locked: $one_locked MiB, then $(locked behind) MiB"
	status_is 0 vm-detach-hostdev --wait=200 behind "$edu"
	is "$(limit behind)" "$(((2 * 32 + 1024) * 1048576))" "it stays while there is one"
	status_is 0 vm-detach-hostdev --wait=200 behind "$alone"
	same_as_before behind "and is put back with the last"
	status_is 0 vm-destroy behind
fi

# ---- however it ends ----
given() { [ "$(driver "$alone")" = e1000e ]; }
status_is 0 vm-attach-hostdev hot "$alone" "$edu"
kill -9 "$(vm-info --get=pid hot)"
wait_for 60 "after kill -9 of QEMU the watcher gives them back" given
wait_for 60 "the guest is off" vm-info --is=shutoff hot
is "$(driver "$edu")" "" "what had no driver has none"
: >"$T/hot.console"
status_is 0 vm-start hot
wait_for 60 "it is up again" guest_says hot '^pci end'
status_is 0 vm-attach-hostdev hot "$alone"
watcher=$(vm-info hot processes --json | grep -o '"role":"watcher","pid":[0-9]*' | grep -o '[0-9]*$')
kill -9 "$watcher"
status_is 0 vm-detach-hostdev --wait=200 hot "$alone"
ok "without its watcher it is given back, too" given
status_is 0 vm-attach-hostdev hot "$alone"
kill -9 "$(vm-info --get=pid hot)"
wait_for 60 "QEMU is dead" sh -c 'vm-list --all | grep -q "stale.hot"'
status_is 0 vm-repair hot
ok "and by vm-repair when both are dead" given
is "$(devices_held)" "" "no claim, no record"

# ---- a guest that has it from the start, and gives it away ----
define pci "$(host_hostdev "$alone")"
: >"$T/pci.console"
status_is 0 vm-start pci
wait_for 60 "the guest sees it" guest_says pci '8086:10d3'
wait_for 60 "and is up" guest_says pci '^pci end'
status_is 0 vm-detach-hostdev --wait=200 pci "$alone"
ok "a device of the document can be taken out" given
status_is 0 vm-attach-hostdev pci "$alone"
: >"$T/pci.console"
vm-shutdown -q pci
wait_for 60 "after the guest's own power-off" given

# ---- likewise by whatever ends; hostdev.sh does the same with cgroups of version 2 ----
if [ "$HOST_CGROUP" = v1 ]; then
	wait_for 60 "it is off" vm-info --is=shutoff pci
	pid() { vm-info --get=pid pci; }
	watcher() { sed -n 's/^watcher=\([0-9]*\).*/\1/p' "$VM_ROOT/run/vm/qemu/pci/record"; }
	status_is 0 vm-start pci
	is "$(driver "$alone")" vfio-pci "the start took it"
	kill -9 "$(pid)"
	wait_for 60 "kill -9 of QEMU: the watcher gives it back" given
	wait_for 60 "the guest is off" vm-info --is=shutoff pci
	status_is 0 vm-start pci
	kill -9 "$(watcher)"
	status_is 0 vm-destroy pci
	ok "kill -9 of the watcher: vm-destroy gives it back" given
	status_is 0 vm-start pci
	kill -9 "$(watcher)" "$(pid)"
	wait_for 60 "both are dead" sh -c 'vm-list --all | grep -q "stale.pci"'
	status_is 0 vm-repair pci
	ok "kill -9 of both: vm-repair gives it back" given
	is "$(devices_held)" "" "no claim, no record"
fi
done_testing
