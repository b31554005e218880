# SPDX-License-Identifier: LGPL-2.1-or-later
# Which driver a device has after it was bound, given back or taken from its driver by hand, on a machine with IOMMU groups of
# one, two and three; and that what plays the kernel here has the kernel's rules.
. "$(dirname "$0")/../tap.sh"
needs vm-hostdev-bind vm-hostdev-unbind vm-hostdev-list
. "$VM_SOURCE/tests/lib/kernel.sh"
host_rows <<'END'
driver iwlwifi 8086:0044
driver i915 8086:0046 8086:0047
driver nvme 1cc1:8201
driver vfio-pci
dir dev/vfio
file dev/vfio/vfio
pci 0000:00:00.0 8086:0d57 060000 group=0
pci 0000:00:01.0 8086:0044 028000 group=1 driver=iwlwifi caps=pm,flr
pci 0000:00:02.0 8086:0046 030000 group=2 driver=i915 caps=aflr,pm
pci 0000:00:03.0 1180:e822 080500 group=3 header=80 caps=pm,pcie
pci 0001:00:00.0 1014:03b9 060400 group=4 header=01 type=4 caps=pm
pci 0001:01:00.0 8086:105e 020000 group=5 header=80 caps=pm,pcie on=0001:00:00.0
pci 0001:01:00.1 8086:105e 020000 group=5 header=80 caps=pm,pcie on=0001:00:00.0
pci 0005:80:00.0 10b5:8112 060400 group=6 header=01 type=7
pci 0005:90:01.0 1033:0035 0c0310 group=7 header=80 caps=pm on=0005:80:00.0
pci 0005:90:01.1 1033:0035 0c0310 group=7 caps=pm on=0005:80:00.0
pci 0005:90:01.2 1033:00e0 0c0320 group=7 caps=pm on=0005:80:00.0
pci 0000:0a:01.0 8086:0047 038000 group=8 driver=i915
pci 0000:0a:02.0 8086:0048 038000 group=8
pci 0000:0a:03.0 8086:0048 038000 group=8
pci 0000:06:12.0 8086:0047 020000 group=9 driver=i915 totalvfs=7
pci 0000:06:12.1 8086:0047 020000 group=10 pf=0000:06:12.0 driver=i915
pci 0000:06:12.2 8086:0047 020000 group=11 pf=0000:06:12.0 driver=i915
pci 0021:de:1f.0 8086:105e 020000 group=12
pci 0021:de:1f.1 8086:105e 020000 group=13
pci 0000:01:00.0 1cc1:8201 010802 group=14 driver=nvme caps=pmkeep,flr
pci 0000:02:00.0 1cc1:8201 010802 group=15 driver=nvme caps=pmkeep,flr
pci 0000:03:00.0 8086:1000 020000 group=16
END
host_begin
devices=$VM_SYSROOT/sys/bus/pci/devices drivers=$VM_SYSROOT/sys/bus/pci/drivers
driver() { basename "$(readlink "$devices/$1/driver")" 2>/dev/null; }
one=0000:0a:01.0 two=0000:0a:02.0 three=0000:0a:03.0

is "$(vm-hostdev-list --kind=pci | cut -f1,2 | sort -n -k2 -k1 | awk '{ n[$2]++ } END { for (g = 0; g <= 16; g++) printf "%s%d", g ? " " : "", n[g]; print "" }')" \
	"1 1 1 1 1 2 1 3 3 1 1 1 1 1 1 1 1" "each group has its devices"

# ---- what plays the kernel ----
try() { { printf %s "$1" >"$2"; } 2>"$T/err"; }
no_device() { printf %s "$1" | dd of="$2" conv=notrunc 2>&1 | grep -q 'No such device'; }
ok "what is not bound cannot be unbound" no_device "$two" "$drivers/i915/unbind"
ok "nor by a driver that it has not" no_device "$one" "$drivers/nvme/unbind"
ok "probing what is bound changes nothing" try "$one" "$VM_SYSROOT/sys/bus/pci/drivers_probe"
is "$(driver $one)" i915 "it has its driver"
ok "nor does probing what no driver is for" try "$two" "$VM_SYSROOT/sys/bus/pci/drivers_probe"
is "$(driver $two)" "" "it has none"
ok "an override" try vfio-pci "$devices/$one/driver_override"
ok "unbound" try "$one" "$drivers/i915/unbind"
ok "probed" try "$one" "$VM_SYSROOT/sys/bus/pci/drivers_probe"
is "$(driver $one)" vfio-pci "an override is before the driver for its id"
ok "the group has its node with the first on VFIO" test -e "$VM_SYSROOT/dev/vfio/8"
try vfio-pci "$devices/$two/driver_override" && try "$two" "$VM_SYSROOT/sys/bus/pci/drivers_probe"
is "$(driver $two)" vfio-pci "a second one"
try "$one" "$drivers/vfio-pci/unbind"
ok "it keeps it" test -e "$VM_SYSROOT/dev/vfio/8"
try "$two" "$drivers/vfio-pci/unbind"
ok "until the last has left VFIO" test ! -e "$VM_SYSROOT/dev/vfio/8"
for d in "$one" "$two"; do printf '\n' >"$devices/$d/driver_override"; done
try "$one" "$VM_SYSROOT/sys/bus/pci/drivers_probe"
unchanged "by hand there and back"

# ---- chains of drivers ----
status_is 0 vm-hostdev-unbind $one
out_is "$one: given back already"
is "$(driver $one)" i915 "what has its driver keeps it when it is given back"
try "$one" "$drivers/i915/unbind"
is "$(driver $one)" "" "taken from its driver by hand"
status_is 0 vm-hostdev-bind --siblings $two
is "$(driver $one) $(driver $two) $(driver $three)" "vfio-pci vfio-pci vfio-pci" "no driver: to VFIO, with all of its group"
status_is 0 vm-hostdev-unbind --siblings $two
is "$(driver $two)$(driver $three)" "" "and back to none"
status_is 0 vm-hostdev-unbind $three
out_is "$three: given back already"
is "$(driver $three)" "" "what had none gets none"
done_testing
