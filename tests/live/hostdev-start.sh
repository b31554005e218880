# SPDX-License-Identifier: LGPL-2.1-or-later
# A start with host devices against a process that plays the kernel's rules, as far as it gets here: what is refused before
# anything changes, and that a start that fails afterwards leaves the host as it was.
. "$(dirname "$0")/../tap.sh"
needs vm-define vm-start vm-hostdev-list
. "$VM_SOURCE/tests/lib/limits.sh"
. "$VM_SOURCE/tests/lib/kernel.sh"
host_rows <"$VM_TEST_DATA/hosts/pci"
echo 'file dev/vfio/7' | host_rows
host_begin
pci() { # DOMAIN BUS SLOT FUNCTION [MANAGED] [EXTRA]
	echo "<hostdev type='pci' managed='${5:-yes}'><source><address domain='$1' bus='$2' slot='$3' function='$4'/></source>${6:-}</hostdev>"
}
refused() { # NAME STATUS ERE DEVICES
	guest_xml "$1" "$4" | sed "s|type='usb' model='none'|type='usb' model='qemu-xhci'|" >"$T/$1.xml"
	ok "define $1" vm-define "$T/$1.xml"
	: >"$ctl/log"
	status_is "$2" vm-start "$1"
	err_like "$3"
	is "$(snapshot | diff "$T/before" - | head -n 5)" "" "$1: the host is as it was"
	is "$(ls "$VM_ROOT/run/vm/claims" "$VM_ROOT/run/vm/hostdev" 2>/dev/null | grep :[0-9u] | grep -v /)" "" "$1: no claim, no record"
}
untouched() { is "$(cat "$ctl/log")" "" "nothing was tried"; }

refused absent 5 'there is no host device 0000:99:00.0' "$(pci 0 0x99 0 0)"
untouched
refused bridge 6 'cannot assign 0001:00:00.0: it is a bridge, not an endpoint' "$(pci 1 0 0 0)"
untouched
refused nogroup 3 'cannot assign 0000:03:00.0: it is in no IOMMU group' "$(pci 0 3 0 0)"
untouched
refused sibling 10 'cannot assign 0001:01:00.0: IOMMU group 5 also holds 0001:01:00.1 .e1000e.; park it with --siblings' "$(pci 1 1 0 0)"
untouched
"$VM_BUILD/tests/fake-sysfs" "$tree" <<'END'
driver e1000e 8086:105e
pci 0002:00:00.0 1014:03b9 060400 group=30 header=05
pci 0003:00:00.0 1014:03b9 060400 group=40 header=01 type=4 driver=pcieport
pci 0003:01:00.0 8086:105e 020000 group=40 driver=e1000e on=0003:00:00.0
END
snapshot >"$T/before"
refused header 6 'cannot assign 0002:00:00.0: its header type 5 is unknown' "$(pci 2 0 0 0)"
untouched
refused mounted 10 'cannot assign 0000:01:00.0: its nvme0n1 is mounted at /srv' "$(pci 0 1 0 0)"
untouched
refused unmanaged 10 "cannot assign 0000:02:00.0: it has the driver nvme, and managed='no'; vm-hostdev-bind 0000:02:00.0" "$(pci 0 2 0 0 no)"
untouched
refused usb 5 "usb:1111:2222 is not plugged in; plug it in, or say startupPolicy='optional'" \
	"<hostdev type='usb'><source><vendor id='0x1111'/><product id='0x2222'/></source></hostdev>"
refused usb-several 6 'several USB devices 046d:c52b are plugged in: usb:001:005 at port 1-1.5, usb:001:006' \
	"<hostdev type='usb'><source><vendor id='0x046d'/><product id='0xc52b'/></source></hostdev>"
refused scsi 5 'the host has no scsi:9:0:0:0' \
	"<hostdev type='scsi'><source><adapter name='scsi_host9'/><address bus='0' target='0' unit='0'/></source></hostdev>"
refused scsi-no-sg 5 'the host has no scsi:0:0:1:0, or no sg node of it; vm-hostdev-info scsi:0:0:1:0 tells; nodes need the module sg' \
	"<hostdev type='scsi'><source><adapter name='scsi_host0'/><address bus='0' target='1' unit='0'/></source></hostdev>"
refused mdev 5 'no host device mdev:11111111' \
	"<hostdev type='mdev' model='vfio-pci'><source><address uuid='11111111-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>"

# the mediated device that is there is of another kind
echo vfio-ap >"$tree/sys/bus/mdev/devices/53764d0e-85a0-42b4-af5c-2046b460b1dc/mdev_type/device_api"
snapshot >"$T/before"
refused mdev-api 5 "mdev:53764d0e-85a0-42b4-af5c-2046b460b1dc is for model='vfio-ap', not 'vfio-pci'" \
	"<hostdev type='mdev' model='vfio-pci'><source><address uuid='53764d0e-85a0-42b4-af5c-2046b460b1dc'/></source></hostdev>"

# ---- a host without VFIO ----
without() { # PATH STATUS ERE
	mv "$tree/$1" "$T/aside"
	snapshot >"$T/before"
	refused "without-$(basename "$1")" "$2" "$3" "$(pci 0 2 0 0)"
	untouched
	mv "$T/aside" "$tree/$1"
	snapshot >"$T/before"
}
without sys/kernel/iommu_groups 3 'cannot assign 0000:02:00.0: this host has no IOMMU that is in use; .*intel_iommu=on'
without dev/vfio/vfio 3 'cannot assign 0000:02:00.0: there is no /dev/vfio/vfio; load the module vfio'
without sys/bus/pci/drivers/vfio-pci 3 'cannot assign 0000:02:00.0: this kernel has no driver vfio-pci; '
mkdir -p "$tree/etc/modprobe.d"
echo 'install vfio-pci /bin/false' >"$tree/etc/modprobe.d/no.conf"
without sys/bus/pci/drivers/vfio-pci 3 "cannot assign 0000:02:00.0: the driver vfio-pci is forbidden by modprobe.s configuration; remove the line"
rm -r "$tree/etc"
snapshot >"$T/before"

# ---- what else may be in the group: bridges with their driver, what has none, what VFIO or pci-stub has ----
refused bridge-beside 5 '/dev/vfio/40' "$(pci 3 1 0 0)"
is "$(grep -c 0003:00:00.0 "$ctl/log")" 0 "the bridge of its group is left alone"
like "$(cat "$ctl/log")" 'bound 0003:01:00.0 vfio-pci' "the device was bound"
refused free-beside 5 '/dev/vfio/7' "$(pci 5 0x90 1 0)"
is "$(cat "$ctl/log")" "" "what is on VFIO stays there, and its group as it is"

# ---- past the checks: bound, and back when a later step fails ----
refused late 5 '/dev/vfio/15' "$(pci 0 2 0 0)"
like "$(cat "$ctl/log")" 'bound 0000:02:00.0 vfio-pci
.*bound 0000:02:00.0 nvme' "it was bound and given back"
refused late-two 5 '/dev/vfio/' "$(pci 0 2 0 0)$(pci 0 0 3 0)"
: >"$ctl/no-node"
refused no-node 12 '/dev/vfio/15 does not appear' "$(pci 0 2 0 0)"
rm "$ctl/no-node"
echo 13 >"$ctl/fail-driver_override"
refused override 4 'driver_override: Permission denied' "$(pci 0 2 0 0)"
rm "$ctl/fail-driver_override"
echo i915 >"$ctl/takes-0000:02:00.0"
refused takes 14 'the driver i915 took it instead of vfio-pci' "$(pci 0 2 0 0)"
rm "$ctl/takes-0000:02:00.0"
: >"$ctl/refuse-vfio-pci"
refused probe 14 'vfio-pci did not take it' "$(pci 0 2 0 0)"
rm "$ctl/refuse-vfio-pci"
: >"$ctl/hang-0000:02:00.0"
guest_xml hang "$(pci 0 2 0 0)" >"$T/hang.xml"
ok "define" vm-define "$T/hang.xml"
status_is 12 vm-start --timeout=5 hang
err_like 'its driver nvme does not let go of it'
is "$(vm-hostdev-list --state=stuck | cut -f1)" 0000:02:00.0 "the device is stuck"
status_is 10 vm-start hang
err_like 'cannot assign 0000:02:00.0: it is stuck: 0000:02:00.0: its driver nvme does not let go of it; vm-hostdev-unbind 0000:02:00.0 puts it back once its driver has let go'
rm "$ctl/hang-0000:02:00.0"
wait_for 10 "the kernel comes back" grep -q 'unbound 0000:02:00.0' "$ctl/log"
# whoever wants it next puts it back first
status_is 5 vm-start hang
err_like '/dev/vfio/15'
is "$(snapshot | diff "$T/before" - | head -n 5)" "" "and the host is as it was"
is "$(vm-hostdev-list --state=stuck)" "" "nothing is stuck any more"
: >"$ctl/hang-0000:02:00.0"
: >"$ctl/log"
status_is 12 vm-start --timeout=5 hang
rm "$ctl/hang-0000:02:00.0"
wait_for 10 "the kernel comes back again" grep -q 'unbound 0000:02:00.0' "$ctl/log"
ok "it can be put back" vm-hostdev-unbind 0000:02:00.0
is "$(snapshot | diff "$T/before" - | head -n 5)" "" "and the host is as it was"
umount "$VM_SYSROOT"
# Namespaces that others made meanwhile may have it mounted still.
for pid in $(pgrep -f "fake-kernel $tree"); do kill "$pid"; done
served() { ! pgrep -f "fake-kernel $tree" >/dev/null; }
wait_for 10 "the kernel's player ends" served
leftovers "nothing is left"
done_testing
