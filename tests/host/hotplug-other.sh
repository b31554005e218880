# SPDX-License-Identifier: LGPL-2.1-or-later
# USB and SCSI devices plugged into a guest that runs, and out again, for real.
# timeout: 600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=570
host_machine -device qemu-xhci,id=usb -device usb-kbd,bus=usb.0,port=1

VM_TIMEOUT=200
export VM_TIMEOUT
ok "USB" host_modules xhci_pci usbhid
ok "SCSI" host_modules sg scsi_debug
plugged() { vm-hostdev-list --kind=usb | grep -q 'QEMU USB Keyboard'; }
wait_for 60 "the host has a USB keyboard" plugged
usb=$(vm-hostdev-list --kind=usb | grep 'QEMU USB Keyboard' | cut -f1)
disk() { grep -l scsi_debug /sys/bus/scsi/devices/*/model | head -n 1; }
wait_for 60 "the host has a SCSI disk" sh -c 'grep -q scsi_debug /sys/bus/scsi/devices/*/model'
scsi=scsi:$(basename "$(dirname "$(disk)")")
wait_for 30 "with a node" sh -c "ls /sys/bus/scsi/devices/${scsi#scsi:}/scsi_generic/"
sg=/dev/$(ls "/sys/bus/scsi/devices/${scsi#scsi:}/scsi_generic/")
diag "$usb $scsi $sg"
tab=$(printf '\t')
state() {
	host_run_state "$1"
	vm-qmp "$1" query-named-block-nodes
}
same_as_before() { # NAME DESC
	state "$1" >"$T/after"
	is "$(diff "$T/before" "$T/after" | head -n 8)" "" "$2"
}
guest_xml hot "<controller type='usb' index='0' model='qemu-xhci'/><controller type='scsi' index='0' model='virtio-scsi'/>" |
	sed -e "/type='usb' model='none'/d" >"$T/hot.xml"
host_guest hot
state hot >"$T/before"

# ---- USB ----
status_is 0 vm-attach-hostdev hot "$usb"
diag "$out $err"
like "$(vm-info hot hostdevs)" "^hostdev0${tab}assigned${tab}usb:0:1${tab}usb:00" "vm-info lists it"
like "$(vm-cgroup hot devices)" "c${tab}189:[0-9]*${tab}rw${tab}ok${tab}hostdev0${tab}/dev/bus/usb/" "a rule for its node"
is "$(vm-hostdev-list --kind=usb --guest=hot | cut -f1)" "$usb" "it is the guest's"
like "$(vm-qmp --hmp hot 'info usb')" 'Product QEMU USB Keyboard|hostdev0|Device 0\.[0-9]' "QEMU has it"
status_is 10 vm-attach-hostdev hot "$usb"
status_is 0 vm-detach-hostdev hot "$usb"
same_as_before hot "nothing of it is left"

# ---- SCSI ----
status_is 0 vm-attach-hostdev hot "$scsi"
diag "$out $err"
like "$(vm-info hot hostdevs)" "^hostdev0${tab}assigned${tab}0:0:0:0${tab}$scsi" "vm-info lists it"
like "$(vm-cgroup hot devices)" "c${tab}21:[0-9]*${tab}rw${tab}ok${tab}hostdev0${tab}$sg" "a rule for its node"
ok "its node is in the guest's own /dev" test -c "$VM_ROOT/run/vm/qemu/hot/dev/${sg#/dev/}"
like "$(vm-qmp hot query-named-block-nodes)" 'libvirt-hostdev0-backend' "QEMU has a block node for it"
status_is 0 vm-attach-hostdev hot "$usb"
status_is 0 vm-detach-hostdev hot "$scsi" "$usb"
same_as_before hot "nothing of both is left"

# ---- one device, several guests ----
for guest in two three; do
	sed "s|hot|$guest|g" "$T/hot.xml" >"$T/$guest.xml"
	vm-define -q "$T/$guest.xml" || fail "define $guest"
	: >"$T/$guest.console"
	chmod 666 "$T/$guest.console"
done
status_is 0 vm-start two three
status_is 0 vm-attach-hostdev hot "$usb"
status_is 10 vm-attach-hostdev two "$usb"
err_like "is used by guest 'hot'"
lun() { # [EXTRA]
	echo "${scsi#scsi:}" | sed "s|\(.*\):\(.*\):\(.*\):\(.*\)|<hostdev mode='subsystem' type='scsi'><source><adapter name='scsi_host\1'/><address bus='\2' target='\3' unit='\4'/></source>${1:-}</hostdev>|"
}
lun "<shareable/>" >"$T/shared.xml"
lun >"$T/alone.xml"
status_is 0 vm-attach-hostdev hot "$T/shared.xml"
status_is 10 vm-attach-hostdev two "$T/alone.xml"
err_like "is used by guest 'hot', which shares it"
status_is 0 vm-attach-hostdev two "$T/shared.xml"
status_is 0 vm-attach-hostdev three "$T/shared.xml"
status_is 0 vm-detach-hostdev hot "$scsi"
users() { sed -n 's/^user=//p' "$VM_ROOT/run/vm/claims/$scsi" | sort | paste -sd' '; }
is "$(users)" "qemu/three qemu/two" "one of three leaves, two stay"
status_is 10 vm-attach-hostdev hot "$T/alone.xml"
status_is 0 vm-detach-hostdev two "$scsi"
status_is 0 vm-destroy three
status_is 0 vm-attach-hostdev two "$T/alone.xml"
status_is 10 vm-attach-hostdev hot "$T/shared.xml"
err_like "is used by guest 'two'"
status_is 0 vm-destroy two

# ---- a USB device that is given by its number alone, and has another one when it was plugged in again ----
status_is 0 vm-detach-hostdev hot "$usb"
same_as_before hot "nothing is left"
number() { cat "/sys/bus/usb/devices/${usb#usb:}/devnum"; }
was=$(number)
echo "<hostdev mode='subsystem' type='usb'><source><address bus='$(cat "/sys/bus/usb/devices/${usb#usb:}/busnum")' device='$was'/></source></hostdev>" >"$T/number.xml"
status_is 0 vm-attach-hostdev hot "$T/number.xml"
port=$(readlink -f "/sys/bus/usb/devices/${usb#usb:}/port")
echo 1 >"$port/disable"
wait_for 60 "it is gone" test ! -e "/sys/bus/usb/devices/${usb#usb:}"
echo 0 >"$port/disable"
wait_for 60 "it is there again" sh -c "[ -e '/sys/bus/usb/devices/${usb#usb:}/devnum' ] && [ \"\$(cat /sys/bus/usb/devices/${usb#usb:}/devnum)\" != $was ]"
status_is 0 vm-attach-hostdev hot "$usb"
like "$(vm-info hot hostdevs)" "^hostdev0${tab}missing${tab}" "what goes by the number that it had is missing"
like "$(vm-cgroup hot devices)" "${tab}hostdev1${tab}/dev/bus/usb/.*$(number)\$" "attached it is the new one"
is "$(vm-cgroup hot devices | grep -c /dev/bus/usb)" 1 "the rule of the old one is closed"
status_is 0 vm-detach-hostdev hot hostdev0 "$usb"
same_as_before hot "both are gone"
status_is 0 vm-destroy hot
is "$(devices_held)" "" "no claim, no record"
done_testing
