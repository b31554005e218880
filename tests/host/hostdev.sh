# SPDX-License-Identifier: LGPL-2.1-or-later
# Host devices for real: vfio-pci, IOMMU groups, device rules; given to a guest at its start and given back however it
# ends.
# timeout: 800
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=770
host_machine \
	-device pcie-root-port,id=rp1,chassis=1 -device e1000e,bus=rp1,addr=0.0,multifunction=on -device e1000e,bus=rp1,addr=0.1 \
	-device pcie-root-port,id=rp2,chassis=2 -device edu,bus=rp2 \
	-device pcie-root-port,id=rp3,chassis=3 -device e1000e,bus=rp3 \
	-device qemu-xhci,id=usb -device usb-kbd,bus=usb.0,port=1

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
modprobe vfio-pci
ok "USB" host_modules xhci_pci usbhid
wait_for 30 "the cards have it" test -e "$sys/$one/driver"
wait_for 30 "both functions" test -e "$sys/$two/driver"
wait_for 30 "the third" test -e "$sys/$alone/driver"
diag "one $one group $(group "$one"), edu $edu group $(group "$edu"), alone $alone group $(group "$alone")"

define() { # NAME DEVICES
	guest_xml "$1" "$2" | sed -e "${3:-}" >"$T/$1.xml"
	vm-define -q "$T/$1.xml" || fail "define $1"
}
listed() { vm-hostdev-list --kind=pci | grep "^$1" | cut -f5,7; }
tab=$(printf '\t')

# ---- listed as it is ----
is "$(listed "$alone")" "host$tab-" "a card with a group of its own can be assigned"
is "$(listed "$one")" "blocked$tab-" "two functions of one group block each other"
like "$(vm-hostdev-info "$one" | grep ^problem)" "IOMMU group $(group "$one") also holds $two .e1000e." "and it says so"

# ---- bind and unbind, for real ----
status_is 0 vm-hostdev-bind "$alone"
is "$(driver "$alone")" vfio-pci "bound to VFIO"
ok "its node" test -c "/dev/vfio/$(group "$alone")"
is "$(listed "$alone")" "ready$tab-" "and ready"
status_is 0 vm-hostdev-unbind "$alone"
is "$(driver "$alone")" e1000e "given back to its driver"
is "$(tr -d '\n' <"$sys/$alone/driver_override")" "(null)" "without override"

# ---- a start with a device ----
define pci "$(host_hostdev "$alone")"
status_is 0 vm-start pci
diag "$err"
is "$(driver "$alone")" vfio-pci "the start bound it"
is "$(listed "$alone")" "assigned${tab}pci" "it is the guest's"
wait_for 60 "the guest sees it" guest_says pci '8086:10d3'
like "$(vm-info pci hostdevs)" "^hostdev0${tab}assigned${tab}0000:[0-9a-f:.]*${tab}$alone\$" "vm-info lists it"
like "$(vm-cgroup pci devices)" "/dev/vfio/$(group "$alone")" "a device rule for its group's node"
pid=$(vm-info --get=pid pci)
like "$(grep 'Max locked' "/proc/$pid/limits")" "$(( (32 + 1024) * 1048576 ))" "the memory limit is the guest's and a gigabyte"
define second "$(host_hostdev "$alone")"
status_is 10 vm-start second
err_like "$alone.* guest 'pci'"
status_is 10 vm-hostdev-unbind "$alone"
err_like "used by guest 'pci'"
status_is 0 vm-destroy pci
is "$(driver "$alone")" e1000e "vm-destroy gave it back"
is "$(ls /run/vm/hostdev 2>/dev/null "$VM_ROOT/run/vm/hostdev" | grep pci:)" "" "no record is left"

# ---- however it ends ----
status_is 0 vm-start pci
kill -9 "$(vm-info --get=pid pci)"
given() { [ "$(driver "$alone")" = e1000e ]; }
wait_for 60 "after kill -9 of QEMU the watcher gives it back" given
wait_for 30 "the guest is off" vm-info --is=shutoff pci
status_is 0 vm-start pci
watcher=$(vm-info pci processes --json | grep -o '"role":"watcher","pid":[0-9]*' | grep -o '[0-9]*$')
kill -9 "$watcher" "$(vm-info --get=pid pci)"
wait_for 30 "both are dead" sh -c 'vm-list --all | grep -q "stale.pci"'
status_is 0 vm-repair pci
ok "vm-repair gives it back after kill -9 of both" given
: >"$T/pci.console"
status_is 0 vm-start pci
wait_for 60 "the guest is up" guest_says pci '^pci end'
vm-shutdown -q pci
wait_for 60 "after the guest's own power-off" given

# ---- hooks of the device, and its power ----
hook() { # BODY
	mkdir -p "$VM_ROOT/etc/vm/hooks/hostdev.d"
	printf '#!/bin/sh\n%s\n' "$1" >"$VM_ROOT/etc/vm/hooks/hostdev.d/8086:10d3"
	chmod 755 "$VM_ROOT/etc/vm/hooks/hostdev.d/8086:10d3"
}
hook "echo \"\$2 \$4 \$(basename \"\$(readlink $sys/\$1/driver)\") \$(cat $sys/\$1/d3cold_allowed)\" >>$T/hooks"
is "$(vm-hostdev-info --get=d3cold_allowed "$alone")" yes "its power may be cut"
echo auto >"$sys/$alone/power/control"
status_is 0 vm-start pci
is "$(cat "$sys/$alone/d3cold_allowed")" 0 "not while the guest has it"
status_is 0 vm-destroy pci
is "$(cat "$T/hooks")" "prepare pci e1000e 1
released pci e1000e 1" "its hooks, with the host's driver each time"
is "$(cat "$sys/$alone/power/control")" auto "it may sleep as before, which VFIO had forbidden"
echo on >"$sys/$alone/power/control"
hook '[ "$2" = released ] || exit 0; echo "a vendor alone can reset it" >&2; exit 1'
status_is 0 vm-start pci
status_is 0 vm-destroy pci
err_like "$alone is out of use: .*a vendor alone can reset it"
is "$(driver "$alone") $(listed "$alone")" "e1000e stuck$tab-" "the host has it, and no guest can"
status_is 10 vm-start pci
err_like "cannot assign $alone: .*a vendor alone can reset it"
rm -r "$VM_ROOT/etc/vm/hooks/hostdev.d"
status_is 0 vm-hostdev-unbind "$alone"
is "$(listed "$alone") $(cat "$sys/$alone/d3cold_allowed")" "host$tab- 1" "until somebody has seen to it"

# ---- groups ----
define half "$(host_hostdev "$one")"
status_is 10 vm-start half
err_like "cannot assign $one: IOMMU group $(group "$one") also holds $two .e1000e."
is "$(driver "$one") $(driver "$two")" "e1000e e1000e" "nothing was bound"
define both "$(host_hostdev "$one")$(host_hostdev "$two")"
status_is 0 vm-start both
seen_twice() { [ "$(grep -c 8086:10d3 "$T/both.console")" -ge 2 ]; }
wait_for 60 "both functions are seen" seen_twice
is "$(vm-cgroup both devices | grep -c "/dev/vfio/$(group "$one")")" 1 "one rule for the two of them"
status_is 0 vm-destroy both
is "$(driver "$one") $(driver "$two")" "e1000e e1000e" "and both are back"
define parked "$(host_hostdev "$one")$(host_hostdev "$two" "<address type='unassigned'/>")"
status_is 0 vm-start parked
is "$(driver "$two")" vfio-pci "the parked one is on VFIO"
like "$(vm-info parked hostdevs)" "parked$tab-$tab$two" "and not in the guest"
status_is 0 vm-destroy parked
is "$(driver "$one") $(driver "$two")" "e1000e e1000e" "back too"

# ---- by hand, and managed='no' ----
define unmanaged "$(host_hostdev "$edu" | sed "s/managed='yes'/managed='no'/")"
vm-hostdev-bind -q "$edu"
status_is 0 vm-start unmanaged
wait_for 60 "a device bound by hand" guest_says unmanaged '1234:11e8'
status_is 0 vm-destroy unmanaged
is "$(listed "$edu")" "ready$tab-" "stays on VFIO"
vm-hostdev-unbind -q "$edu"
status_is 10 vm-start unmanaged
err_like "cannot assign $edu: it has the driver none, and managed='no'"

# ---- a USB device ----
plugged() { vm-hostdev-list --kind=usb | grep -q 'QEMU USB Keyboard'; }
wait_for 60 "the host has a USB keyboard" plugged
usb=$(vm-hostdev-list --kind=usb | grep 'QEMU USB Keyboard' | cut -f1)
define usb "<hostdev type='usb'><source><vendor id='0x0627'/><product id='0x0001'/></source></hostdev>" "s|type='usb' model='none'|type='usb' model='qemu-xhci'|"
status_is 0 vm-start usb
is "$(vm-hostdev-list --kind=usb --guest=usb | cut -f1)" "$usb" "it is the guest's"
status_is 0 vm-destroy usb
is "$(vm-hostdev-list --kind=usb --state=assigned)" "" "and free again"
define nousb "<hostdev type='usb'><source><vendor id='0x1111'/><product id='0x2222'/></source></hostdev>" "s|type='usb' model='none'|type='usb' model='qemu-xhci'|"
status_is 5 vm-start nousb
err_like 'usb:1111:2222 is not plugged in'
done_testing
