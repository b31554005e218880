# SPDX-License-Identifier: LGPL-2.1-or-later
# The test machine itself: IOMMU groups, VFIO, cgroup v2 and KVM are there.
# timeout: 300
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
host_machine \
	-device pcie-root-port,id=rp1,chassis=1 -device e1000e,bus=rp1,addr=0.0,multifunction=on -device e1000e,bus=rp1,addr=0.1 \
	-device pcie-root-port,id=rp2,chassis=2 -device edu,bus=rp2 \
	-device qemu-xhci,id=usb -device usb-kbd,bus=usb.0

group() { basename "$(readlink "/sys/bus/pci/devices/$1/iommu_group")"; }
one=$(basename "$(dirname "$(grep -l 0x10d3 /sys/bus/pci/devices/*.0/device | head -n 1)")")
two=${one%.0}.1
edu=$(basename "$(dirname "$(grep -l 0x11e8 /sys/bus/pci/devices/*/device)")")
isnt "$(group "$one")" "" "there are IOMMU groups"
is "$(group "$one")" "$(group "$two")" "two functions share a group"
isnt "$(group "$one")" "$(group "$edu")" "another port has a group of its own"
ok "vfio-pci loads" host_modules vfio-pci
echo vfio-pci >"/sys/bus/pci/devices/$edu/driver_override"
echo "$edu" >/sys/bus/pci/drivers_probe
is "$(basename "$(readlink "/sys/bus/pci/devices/$edu/driver")")" vfio-pci "a device goes to VFIO"
ok "its group has a node" test -c "/dev/vfio/$(group "$edu")"
like "$(cat /sys/fs/cgroup/cgroup.subtree_control)" 'cpu .*memory' "cgroup v2 has controllers"
ok "a KVM" host_modules kvm-amd
ok "its node" test -c /dev/kvm

# a guest of this machine gets the device
: >"$T/console.inner"
timeout 60 qemu-system-x86_64 -M q35,accel=kvm -cpu host -m 64 -nodefaults -display none -kernel "$VM_TEST_GUEST" \
	-serial "file:$T/console.inner" -device "vfio-pci,host=$edu" -daemonize -pidfile "$T/inner.pid" 2>"$T/inner.err"
diag "$(cat "$T/inner.err")"
wait_for 40 "a guest under KVM lists the assigned device" grep -q '1234:11e8' "$T/console.inner"
kill "$(cat "$T/inner.pid")"
done_testing
