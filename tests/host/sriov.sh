# SPDX-License-Identifier: LGPL-2.1-or-later
# Virtual functions for real: QEMU's NVMe controller with SR-IOV, made, given to a guest, given back, unmade.
# timeout: 600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=570
host_machine \
	-device pcie-root-port,id=rp1,chassis=1 -device nvme-subsys,id=sub \
	-device nvme,id=nvme,bus=rp1,serial=pf,subsys=sub,max_ioqpairs=10,msix_qsize=11,sriov_max_vfs=4,sriov_vq_flexible=8,sriov_vi_flexible=8

VM_TIMEOUT=200
export VM_TIMEOUT
sys=/sys/bus/pci/devices
ok "the host's drivers" host_modules nvme vfio-pci kvm-amd
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
hostdev="<hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0x${vf%%:*}' bus='0x$(echo "$vf" | cut -d: -f2)' slot='0x$(echo "$vf" | cut -d: -f3 | cut -d. -f1)' function='0x${vf##*.}'/></source></hostdev>"
guest_xml vf "$hostdev" | sed -e "s|type='qemu'|type='kvm'|" -e "s|<features>|<cpu mode='host-passthrough'/><features>|" >"$T/vf.xml"
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

# ---- with the host ----
printf "<device><parent>%s</parent><capability type='virt_functions' count='4' autoprobe='no'/></device>\n" "$pf" >"$T/vfs.xml"
ok "defined" vm-hostdev-define -q "$T/vfs.xml"
ok "marked" vm-hostdev-autostart -q "vfs:$pf"
status_is 0 vm-hostdev-autostart --run
is "$(numvfs)" 4 "made"
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
