# SPDX-License-Identifier: LGPL-2.1-or-later
# VFIO by the nodes of devices and iommufd, for real: a newer kernel and a newer QEMU. Which nodes a guest has then, from its start
# and while it runs, and that the others go by container and group: as the document says, or since QEMU or the kernel are older.
# timeout: 600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=570 HOST_NEWER="kernel guests" HOST_BUILT=iommufd
host_machine \
	-device pcie-root-port,id=rp1,chassis=1 -device e1000e,bus=rp1,addr=0.0,multifunction=on -device e1000e,bus=rp1,addr=0.1 \
	-device pcie-root-port,id=rp2,chassis=2 -device edu,bus=rp2 \
	-device pcie-root-port,id=rp3,chassis=3 -device e1000e,bus=rp3

VM_TIMEOUT=200
export VM_TIMEOUT
diag "Linux $(uname -r), $(qemu-system-x86_64 --version | head -n 1)"
sys=/sys/bus/pci/devices
tab=$(printf '\t')
group() { basename "$(readlink "$sys/$1/iommu_group")"; }
driver() { basename "$(readlink "$sys/$1/driver")" 2>/dev/null; }
cdev() { basename "$sys/$1"/vfio-dev/*; }
one=$(basename "$(dirname "$(grep -l 0x10d3 $sys/*.0/device | head -n 1)")")
two=${one%.0}.1
edu=$(basename "$(dirname "$(grep -l 0x11e8 $sys/*/device)")")
alone=$(for d in $(grep -l 0x10d3 $sys/*.0/device); do basename "$(dirname "$d")"; done | tail -n 1)
ok "the host's driver" modprobe e1000e
wait_for 30 "the cards have it" test -e "$sys/$alone/driver"
ports="<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-root-port'/><controller type='pci' index='3' model='pcie-root-port'/>"
define() { # NAME [DEVICES] [BEFORE THEM]
	guest_xml "$1" "$ports${2:-}" | sed "s|<devices>|${3:-}&|" >"$T/$1.xml"
	vm-define -q "$T/$1.xml" || fail "define $1"
}
pid() { vm-info --get=pid "$1"; }
# What a guest has of VFIO: open, allowed beyond what every guest may, in its own /dev, locked.
opened() { for fd in "/proc/$(pid "$1")"/fd/*; do readlink "$fd"; done | grep -e /vfio -e /iommu | sort -u | tr '\n' ' '; }
allowed() { vm-cgroup "$1" devices | grep -e /vfio -e /iommu | grep -v "${tab}static${tab}" | cut -f3,4,6 | sort -u | tr '\n\t' ' :'; }
nodes() { (cd "$VM_ROOT/run/vm/qemu/$1/dev" && find . -type c | sed 's|^\.|/dev|' | grep -e vfio -e iommu | sort | tr '\n' ' '); }
argv() { tr '\000' '\n' <"/proc/$(pid "$1")/cmdline"; }
seen() { [ "$(grep -c 8086:10d3 "$T/$1.console")" -ge "$2" ]; }
state() {
	for d in "$one" "$two" "$alone" "$edu"; do echo "$d $(driver "$d") $(cat "$sys/$d/driver_override")"; done
	host_run_state "$1"
	opened "$1"
	grep 'Max locked' "/proc/$(pid "$1")/limits"
}
same_as_before() { # NAME DESC
	state "$1" >"$T/after"
	is "$(diff "$T/before" "$T/after" | head -n 8)" "" "$2"
}

# ---- from the start; nothing of VFIO is loaded yet ----
not_ok "there is no /dev/iommu" test -e /dev/iommu
define new "$(host_hostdev "$alone")"
status_is 0 vm-start new
[ -z "$err" ] || diag "$err"
like "$(argv new)" '^\{"qom-type":"iommufd","id":"iommufd0"\}$' "QEMU has the object"
like "$(argv new)" "\"host\":\"$alone\".*\"iommufd\":\"iommufd0\"" "and the device goes by it"
has() { # GUEST NODES DESC: those that are open, those that only may be, those in its /dev; of each guest's container the last
	is "$(opened "$1")" "$2" "$3: open"
	is "$(allowed "$1")" "$(for n in $2; do [ "$n" = /dev/vfio/vfio ] || printf 'rw:ok:%s ' "$n"; done)" "$3: allowed, and no other"
	is "$(nodes "$1")" "$(for n in $2 /dev/vfio/vfio; do echo "$n"; done | sort -u | tr '\n' ' ')" "$3: in its /dev, and no other"
}
mine=/dev/vfio/devices/$(cdev "$alone")
has new "/dev/iommu $mine " "a device"
is "$(vm-hostdev-info --get=vfio_by,vfio_device "$alone")" "iommufd
${mine##*/}" "vm-hostdev-info names its node"
like "$(vm-hostdev-info --get=process "$alone")" "^$(pid new) [^ ]* $mine\$" "and who has it open"
like "$(vm-dumpxml new)" "<iommufd enabled='yes'/>" "the live document says so"
wait_for 60 "the guest sees it" guest_says new '8086:10d3'
wait_for 60 "and is up" guest_says new '^pci end'
state new >"$T/before"

# ---- two functions of one group while it runs ----
status_is 0 vm-attach-hostdev new "$one" "$two"
first=/dev/vfio/devices/$(cdev "$one") second=/dev/vfio/devices/$(cdev "$two")
has new "/dev/iommu $mine $first $second " "two more"
wait_for 60 "the guest sees them come" guest_says new 'hotplug pci .* added'
status_is 0 vm-detach-hostdev --wait=200 new "$one"
has new "/dev/iommu $mine $second " "without the first"
status_is 0 vm-detach-hostdev --wait=200 new "$two"
same_as_before new "nothing of them is left"

# ---- by its group beside that, and by a driver of VFIO for its kind ----
is "$(vm-hostdev-info --get=vfio_driver "$edu")" edu_vfio_pci "the module that is made for it"
echo "<hostdev type='pci' managed='yes'><driver iommufd='no'/><source>$(host_address "$edu")</source></hostdev>" >"$T/group.xml"
status_is 0 vm-attach-hostdev new "$T/group.xml"
has new "/dev/iommu /dev/vfio/$(group "$edu") $mine /dev/vfio/vfio " "one by its group"
is "$(driver "$edu") $(vm-hostdev-list | grep "^$edu" | cut -f4,5,7)" \
	"edu-vfio-pci edu-vfio-pci${tab}assigned${tab}new" "it has the driver that is made for it"
status_is 0 vm-detach-hostdev --wait=200 new "$edu"
same_as_before new "nothing of it is left"

# ---- and back ----
kill -9 "$(pid new)"
given() { [ "$(driver "$alone")" = e1000e ]; }
wait_for 20 "after kill -9 of QEMU the watcher gives it back" given
wait_for 20 "the guest is off" vm-info --is=shutoff new
is "$(devices_held)" "" "no claim, no record"

# ---- a QEMU that knows nothing of it, on the same host ----
umount /usr/bin/qemu-system-x86_64
umount /usr/lib/x86_64-linux-gnu/qemu
status_is 0 vm-start new
unlike "$(argv new)" iommufd "no such object"
has new "/dev/vfio/$(group "$alone") /dev/vfio/vfio " "by container and group"
sed "s/'no'/'yes'/" "$T/group.xml" >"$T/node.xml"
status_is 10 vm-attach-hostdev new "$T/node.xml"
err_like "the guest was started without iommufd; leave iommufd='yes' out"
is "$(driver "$edu")" "" "nothing was bound"
status_is 0 vm-destroy new
ok "given back" given
done_testing
