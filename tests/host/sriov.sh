# SPDX-License-Identifier: LGPL-2.1-or-later
# Virtual functions for real: QEMU's NVMe controller with SR-IOV, made, given to a guest, given back, unmade; and another one as a disk
# that QEMU drives itself.
# timeout: 600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=570
truncate -s 64M "$T/nvme.img" "$T/nvme2.img"
host_machine \
	-device pcie-root-port,id=rp2,chassis=2 -device nvme,id=disk,bus=rp2,serial=disk \
	-drive "file=$T/nvme.img,if=none,id=one,format=raw" -device nvme-ns,bus=disk,drive=one,nsid=1 \
	-drive "file=$T/nvme2.img,if=none,id=two,format=raw" -device nvme-ns,bus=disk,drive=two,nsid=2 \
	-device pcie-root-port,id=rp1,chassis=1 -device nvme-subsys,id=sub \
	-device nvme,id=nvme,bus=rp1,serial=pf,subsys=sub,max_ioqpairs=10,msix_qsize=11,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=8

VM_TIMEOUT=200
export VM_TIMEOUT
sys=/sys/bus/pci/devices
ok "the host's drivers" host_modules nvme vfio-pci
pf=$(basename "$(dirname "$(ls -d $sys/*/sriov_totalvfs | head -n 1)")")
isnt "$pf" "" "a card with virtual functions"
driver() { basename "$(readlink "$sys/$1/driver")" 2>/dev/null; }
has_driver() { [ "$(driver "$pf")" = nvme ]; }
wait_for 60 "its driver has it" has_driver
numvfs() { cat "$sys/$pf/sriov_numvfs"; }
probe() { cat "$sys/$pf/sriov_drivers_autoprobe"; }
tab=$(printf '\t')

status_is 6 vm-hostdev-create --vfs=5 "$pf"
err_like "$pf can have 4 virtual functions, not 5"
status_is 0 vm-hostdev-create --vfs=2 --no-autoprobe "$pf"
diag "$err"
out_is "vfs:$pf: created"
is "$(numvfs) $(probe)" "2 0" "two functions that no driver takes"
vf=$(basename "$(readlink "$sys/$pf/virtfn0")")
is "$(driver "$vf")" "" "the first has none"
is "$(vm-hostdev-list --kind=pci | grep "^$vf" | cut -f4,5)" "-${tab}host" "and can be assigned"
like "$(vm-hostdev-info "$vf")" "$pf" "vm-hostdev-info names its card"
like "$(vm-hostdev-info "$pf" | grep ^problem)" "it has 2 virtual functions, which end when its driver does" "which cannot be taken now"
status_is 10 vm-hostdev-create --vfs=1 "$pf"
err_like "$pf has 2 virtual functions already"
other=$(ls $sys | head -n 1)
status_is 3 vm-hostdev-create --vfs=1 "$other"
err_like "can have no virtual functions"

# ---- in a guest ----
hostdev=$(host_hostdev "$vf")
guest_xml vf "$hostdev" >"$T/vf.xml"
vm-define -q "$T/vf.xml" || fail "define"
status_is 0 vm-start vf
diag "$err"
is "$(driver "$vf")" vfio-pci "the start bound it"
wait_for 90 "the guest sees it" guest_says vf '1b36:0010'
status_is 10 vm-hostdev-destroy "vfs:$pf"
err_like "$vf is used by guest 'vf'"
is "$(numvfs)" 2 "nothing was removed under the guest"
status_is 0 vm-destroy vf
is "$(driver "$vf")" "" "given back to no driver"
ok "bound by hand" vm-hostdev-bind -q "$vf"
status_is 0 vm-hostdev-destroy "vfs:$pf"
is "$(numvfs) $(probe)" "0 1" "all are gone, and the kernel's switch is as it was"
is "$(ls "$VM_ROOT/run/vm/hostdev" | grep -v lock)" "" "no record is left"
status_is 5 vm-start vf
err_like "there is no host device $vf"

guest_xml card "$(echo "$hostdev" | sed -e "s/<hostdev mode='subsystem' type='pci'/<interface type='hostdev'/; s/<address /<address type='pci' /; s/hostdev>\$/interface>/")" >"$T/card.xml"
ok "an interface" vm-define -q "$T/card.xml"

# ---- a namespace as a disk ----
nvme=$(for d in $(grep -l 0x010802 $sys/*/class); do d=$(dirname "$d"); [ -e "$d/sriov_totalvfs" ] || basename "$d"; done)
disk() { # NAME NAMESPACE [XML]
	guest_xml "$1" "<disk type='nvme'><driver name='qemu' type='raw'/><source type='pci' managed='yes' namespace='$2'>$(host_address "$nvme")</source><target dev='vda' bus='virtio'/></disk>${3:-}" >"$T/$1.xml"
	vm-define -q "$T/$1.xml" || fail "define $1"
}
has_disk() { [ "$(driver "$nvme")" = nvme ] && ls "$sys/$nvme/nvme"/nvme*/nvme*n1 >/dev/null 2>&1; }
wait_for 60 "the host has it as a disk" has_disk
disk nvme 1
status_is 0 vm-start nvme
diag "$err"
is "$(driver "$nvme")" vfio-pci "QEMU has the controller"
is "$(vm-info nvme disks | cut -f1,2,7,11)" "vda	nvme	67108864	nvme://$nvme/1" "and knows its size"
is "$(vm-info nvme hostdevs | cut -f2,4)" "assigned	$nvme" "it is among the guest's host devices"
like "$(vm-cgroup nvme devices)" "/dev/vfio/$(basename "$(readlink "$sys/$nvme/iommu_group")")" "with a device rule"
wait_for 90 "the guest sees a disk" guest_says nvme '1af4:1042'
disk second 1
status_is 10 vm-start second
err_like "$nvme.* guest 'nvme'"
status_is 0 vm-destroy nvme
wait_for 60 "the host has it again" has_disk
ok "the host mounts it" sh -c "busybox mke2fs -q /dev/\$(basename $sys/$nvme/nvme/nvme*/nvme*n1) >/dev/null 2>&1 || mkfs.ext4 -q /dev/\$(basename $sys/$nvme/nvme/nvme*/nvme*n1); mkdir -p /mnt/nvme && mount /dev/\$(basename $sys/$nvme/nvme/nvme*/nvme*n1) /mnt/nvme"
status_is 10 vm-start nvme
err_like "mounted at /mnt/nvme"
umount /mnt/nvme
disk none 7
status_is 13 vm-start none
err_like "namespace"
wait_for 60 "the host has it again after that" has_disk

# ---- plugged into a guest that runs ----
guest_xml hot "<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-root-port'/>" >"$T/hot.xml"
host_guest hot
nodes() { vm-qmp hot query-named-block-nodes | grep -o 'libvirt-[0-9]*-[a-z]*' | sort -u | paste -sd' '; }
plain=$(host_run_state hot)
namespace() { echo "<disk type='nvme'><driver name='qemu' type='raw'/><source type='pci' managed='yes' namespace='$1'>$(host_address "$nvme")</source><target dev='$2' bus='virtio'/></disk>" >"$T/$2.xml"; }
namespace 1 vda
namespace 2 vdb
status_is 0 vm-attach-hostdev hot "$T/vda.xml"
diag "$out $err"
is "$(driver "$nvme") $(nodes)" "vfio-pci libvirt-1-format libvirt-1-storage" "QEMU has the controller"
is "$(vm-info hot disks | cut -f1,2,7,11)" "vda	nvme	67108864	nvme://$nvme/1" "and knows the disk's size"
wait_for 90 "the guest sees the disk come" guest_says hot 'hotplug pci .* added'
status_is 10 vm-attach-hostdev hot "$T/vdb.xml"
err_like "cannot assign $nvme: QEMU opens the IOMMU group .* can be opened once, and the disk vda is of it"
like "$(vm-qmp hot "blockdev-add {\"driver\":\"nvme\",\"node-name\":\"second\",\"device\":\"$nvme\",\"namespace\":2}" 2>&1)" "Device or resource busy" "which is so"
is "$(driver "$nvme") $(nodes)" "vfio-pci libvirt-1-format libvirt-1-storage" "refused: the first is as it was"
status_is 0 vm-detach-hostdev hot "$T/vda.xml"
wait_for 60 "the host has its disk again" has_disk
is "$(nodes)" "" "no block node is left"
status_is 0 vm-attach-hostdev hot "$T/vdb.xml"
like "$(vm-info hot disks)" "^vdb	nvme	.*nvme://$nvme/2\$" "the other namespace alone"
status_is 0 vm-detach-hostdev hot "$T/vdb.xml"
wait_for 60 "the host has it again" has_disk
namespace 7 vdc
status_is 13 vm-attach-hostdev hot "$T/vdc.xml"
err_like "cannot assign $nvme: QEMU finds no such namespace of it"
wait_for 60 "the host has it again after a namespace that is not there" has_disk
is "$(host_run_state hot)" "$plain" "nothing is left"
ok "bound by hand" vm-hostdev-bind -q "$nvme"
sleep 600 9<>"/dev/vfio/$(basename "$(readlink "$sys/$nvme/iommu_group")")" &
holder=$!
wait_for 10 "somebody has the group open" sh -c "readlink /proc/$holder/fd/9 | grep -q vfio"
status_is 10 vm-attach-hostdev hot "$T/vda.xml"
err_like "cannot assign $nvme: another program has its IOMMU group open, .*fuser"
kill "$holder"
wait "$holder" 2>/dev/null
ok "given back by hand" vm-hostdev-unbind -q "$nvme"
wait_for 60 "the host has it again after that" has_disk
is "$(host_run_state hot)" "$plain" "nothing is left of that either"
status_is 0 vm-attach-hostdev hot "$T/vda.xml"
locked() { echo $(($(awk '/VmLck/ { print $2 }' "/proc/$(vm-info --get=pid hot)/status") / 1024)); } # MiB
disk_locked=$(locked)
status_is 0 vm-attach-hostdev --force hot "$pf"
diag "locked: $disk_locked MiB, then $(locked) MiB"
ok "a disk's controller and another device lock the guest's memory twice" test "$(locked)" -ge $((disk_locked + 32))
is "$(awk '/Max locked/ { print $4 }' "/proc/$(vm-info --get=pid hot)/limits")" "$(((2 * 32 + 1024) * 1048576))" "and may"
kill -9 "$(vm-info --get=pid hot)"
wait_for 60 "kill -9 of QEMU gives it back" has_disk
wait_for 60 "the other one, too" has_driver
wait_for 60 "the guest is off" vm-info --is=shutoff hot

# ---- with the host ----
printf "<device><parent>%s</parent><capability type='virt_functions' count='4' autoprobe='no'/></device>\n" "$pf" >"$T/vfs.xml"
ok "defined" vm-hostdev-define -q "$T/vfs.xml"
ok "marked" vm-hostdev-autostart -q "vfs:$pf"
status_is 0 vm-hostdev-autostart --run
is "$(numvfs)" 4 "made"
status_is 6 vm-start card
err_like "$pf has no network interface, so $vf cannot be one of a guest"
status_is 0 vm-start vf
kill -9 "$(vm-info --get=pid vf)"
free() { [ "$(driver "$vf")" = "" ] && vm-info --is=shutoff vf; }
wait_for 60 "free again after kill -9 of QEMU" free
status_is 0 vm-hostdev-destroy "vfs:$pf"
ok "the card itself goes to VFIO now" vm-hostdev-bind -q --force "$pf"
status_is 3 vm-hostdev-create --vfs=1 "$pf"
err_like "its driver .vfio-pci. makes no virtual functions"
ok "and back" vm-hostdev-unbind -q "$pf"
done_testing
