# SPDX-License-Identifier: LGPL-2.1-or-later
# Programs of the administrator for single host devices, and what else a device is given back with: its D3cold, and a look
# whether it still is one. In a start, an attach, however these end; what fails leaves the device out of use, and says so.
# timeout: 600
PLUG_MORE='pci 0000:05:00.0 8086:3ea0 030000 group=30 driver=i915
driver i915 8086:3ea0
mdevtype i915-GVTg_V5_4 api=vfio-pci left=1 on=0000:05:00.0
mdev b155147a-663a-4009-ae7f-e9a96805b3ce type=i915-GVTg_V5_4 api=vfio-pci group=31 on=0000:05:00.0
driver usb-storage
usb 1-1.5 046d:c52b 5 driver=usb-storage serial=A+B
scsi 0:0:1:0 sg=sg1 vendor=ATA model=DISK driver=sd
driver sd'
mdev=b155147a-663a-4009-ae7f-e9a96805b3ce
PLUG_GROUPS="/sys/bus/mdev/devices/$mdev 31"
. "$(dirname "$0")/../lib/plug.sh"
needs vm-repair vm-doctor vm-hostdev-unbind vm-hostdev-bind
hooks=$VM_ROOT/etc/vm/hooks
log=$T/hooks.log
device=$VM_SYSROOT/sys/bus/pci/devices/$card
place=$(readlink -f "$plug_tree/sys/bus/pci/devices/$card")
driver() { basename "$(readlink "$device/driver")" 2>/dev/null; }
control() { cat "$device/power/control"; }
d3cold() { vm-hostdev-info --get=d3cold_allowed "$card"; }
said() { cat "$log" 2>/dev/null; : >"$log"; }
hook() { # FILE BODY
	mkdir -p "$(dirname "$hooks/$1")"
	printf '#!/bin/sh\n%s\n' "$2" >"$hooks/$1"
	chmod 755 "$hooks/$1"
}
# what it is called with, and what the device has right then
record="echo \"\$(basename \$0) \$* \$(basename \"\$(readlink $device/driver)\") \$(cat $device/d3cold_allowed)\" >>$log"
plug_hostdev() { # ADDRESS
	echo "<hostdev type='pci' managed='yes'><source><address domain='0x${1%%:*}' bus='0x$(echo "$1" | cut -d: -f2)' slot='0' function='0'/></source></hostdev>"
}
host_state >"$T/before"
unchanged() { is "$(host_state | diff "$T/before" - | head -n 5)" "" "$1"; }
off() { [ ! -e "$VM_ROOT/run/vm/qemu/$1" ]; } # and nothing of it is left to be given back

plug_xml g "$(plug_hostdev "$card")" >"$T/g.xml"
status_is 0 vm-define "$T/g.xml"
is "$(d3cold)" yes "the card's power may be cut"

# ---- a start and its end ----
hook hostdev "$record"
hook hostdev.d/1cc1:8201 "$record"
hook "hostdev.d/$card" "$record; [ \$2 != prepare ] || cat >$T/stdin"
hook hostdev.d/8086:105e "$record" # another kind of card
status_is 0 vm-start g
is "$(said)" "hostdev $card prepare begin g nvme 1
1cc1:8201 $card prepare begin g nvme 1
$card $card prepare begin g nvme 1" "before it is taken from the host's driver, from the general to the particular"
is "$(cat "$T/stdin")" "device=$card
kind=pci
path=$(echo "$place" | sed "s|^$plug_tree||")
vendor=1cc1
product=8201
class=010802
driver=nvme
group=14" "with what the device is on standard input"
is "$(d3cold)" no "its power is not cut while the guest has it"
like "$(cat "$VM_ROOT/run/vm/hostdev/pci:$card")" "^control=auto" "whether it might sleep is noted"
status_is 0 vm-destroy g
is "$(said)" "hostdev $card released end g nvme 1
1cc1:8201 $card released end g nvme 1
$card $card released end g nvme 1" "after the host's driver has it again"
unchanged "the host is as it was, D3cold too"
rm "$hooks/hostdev.d/"*

# ---- however the guest ends ----
status_is 0 vm-start g
: >"$log"
kill -9 "$(vm-info --get=pid g)"
wait_for 20 "the watcher runs it" grep -q released "$log"
wait_for 20 "the guest is off" off g
unchanged "given back by the watcher"
status_is 0 vm-start --no-watch g
: >"$log"
kill -9 "$(vm-info --get=pid g)"
wait_for 20 "it is gone" sh -c '[ "$(vm-info --get=state g)" = stale ]'
is "$(d3cold)" no "nobody has put it back yet"
status_is 0 vm-repair g
is "$(said)" "hostdev $card released end g nvme 1" "vm-repair runs it"
unchanged "given back by vm-repair"

# ---- plugged in and out ----
plug_xml hot >"$T/hot.xml"
status_is 0 vm-create "$T/hot.xml"
wait_for 20 "the guest is up" guest_says hot '^pci end'
status_is 0 vm-attach-hostdev --dry-run hot "$card"
like "$out$err" "hook $hooks/hostdev $card prepare begin hot" "--dry-run names the hook"
is "$(said)" "" "and does not run it"
status_is 0 vm-attach-hostdev hot "$card"
is "$(said)" "hostdev $card prepare begin hot nvme 1" "an attach"
is "$(d3cold)" no "the card keeps its power"
wait_for 20 "the guest sees it come" guest_says hot 'hotplug pci .* added'
status_is 0 vm-detach-hostdev hot "$card"
is "$(said)" "hostdev $card released end hot nvme 1" "a detach"
unchanged "plugged out"
hook hostdev "$record; [ \$2 != prepare ] || { echo 'not this one' >&2; exit 3; }"
status_is 4 vm-attach-hostdev hot "$card"
err_like "$card: hook $hooks/hostdev refuses 'prepare' .status 3.: not this one"
is "$(said | cut -d' ' -f3)" "prepare
released" "one that refused is told the end"
unchanged "an attach that was refused"
vm-destroy -q hot

# ---- refusing a start ----
logged=$(wc -c <"$VM_ROOT/var/log/vm/qemu/g.log")
status_is 4 vm-start g
err_like "^vm-start: g: $card: hook $hooks/hostdev refuses 'prepare' .status 3.: not this one"
unchanged "a start that was refused"
is "$(wc -c <"$VM_ROOT/var/log/vm/qemu/g.log")" "$logged" "QEMU was not run"
hook hostdev "$record; [ \$2 != prepare ] || sleep 60"
mkdir -p "$VM_ROOT/etc/vm"
echo "hook_timeout = 1" >"$VM_ROOT/etc/vm/vm.conf"
status_is 12 vm-start g
err_like "hook $hooks/hostdev prepare"
unchanged "one that hung"
rm "$VM_ROOT/etc/vm/vm.conf"
hook hostdev "$record; [ \$2 != prepare ] || { kill -9 \$(cut -d' ' -f4 /proc/\$PPID/stat); sleep 60; }"
"$VM_BUILD/bin/vm-start" g >/dev/null 2>&1
is "$(ls "$VM_ROOT/run/vm/hostdev" | grep pci:)" "pci:$card" "killed while it waited for a hook, a start leaves the record"
: >"$log"
status_is 0 vm-repair g
is "$(said | cut -d' ' -f3)" released "whoever clears up runs the hook for the end"
unchanged "a start that was killed"
hook hostdev "[ \$2 != prepare ] || sleep 5"
status_is 0 vm-start --timeout=5 g
status_is 0 vm-destroy g

# ---- what fails at the end leaves it out of use ----
hook hostdev "[ \$2 != released ] || { echo 'no reset today' >&2; exit 1; }"
status_is 0 vm-start g
status_is 0 vm-destroy g
err_like "$card is out of use: $card: hook $hooks/hostdev refuses 'released' .status 1.: no reset today; vm-hostdev-unbind $card runs the hook again"
is "$(driver) $(d3cold)" "nvme yes" "the host has it as before"
is "$(vm-hostdev-list --state=stuck | cut -f1)" "$card" "but no guest can have it"
like "$(vm-hostdev-info "$card" | grep ^problem)" "is out of use: .*no reset today; vm-hostdev-unbind $card" "vm-hostdev-info says why"
like "$(vm-doctor hostdev)" "fail	hostdev	$card is out of use: .*no reset today; vm-hostdev-unbind $card runs the hook again" "so does vm-doctor"
status_is 10 vm-start g
err_like "cannot assign $card: $card is out of use: .*no reset today"
status_is 4 vm-hostdev-unbind "$card"
err_like "no reset today"
hook hostdev "$record"
status_is 0 vm-hostdev-unbind "$card"
is "$(said)" "hostdev $card released end g nvme 1" "the hook is run again"
unchanged "and then it is free"

# ---- is it still a device? ----
cp "$place/config" "$T/config"
hook hostdev "[ \$2 != released ] || head -c 256 /dev/zero | tr '\\0' '\\377' >$place/config"
status_is 0 vm-start g
status_is 0 vm-destroy g
err_like "$card is out of use: it does not answer any more; vm-hostdev-reset $card, or boot the host again; then vm-hostdev-unbind $card"
like "$(vm-doctor hostdev)" "fail	hostdev	$card is out of use: it does not answer any more" "vm-doctor says so"
status_is 10 vm-start g
status_is 14 vm-hostdev-unbind "$card"
err_like "does not answer any more"
status_is 0 vm-hostdev-reset "$card"
cp "$T/config" "$place/config"
rm "$hooks/hostdev"
status_is 0 vm-hostdev-unbind "$card"
unchanged "reset, and free"
hook hostdev "[ \$2 != released ] || printf '\\177' | dd of=$place/config bs=1 seek=14 conv=notrunc 2>/dev/null"
status_is 0 vm-start g
status_is 0 vm-destroy g
err_like "it answers wrongly: its header type is 0x7f; vm-hostdev-reset $card"
cp "$T/config" "$place/config"
rm "$hooks/hostdev"
status_is 0 vm-repair --all
unchanged "vm-repair looks again, too"

# ---- bound by hand ----
hook hostdev "$record"
vm-hostdev-bind -q "$card"
is "$(said)" "" "no guest, no hook"
is "$(d3cold)" yes "and nothing else"
status_is 0 vm-start g
status_is 0 vm-destroy g
is "$(said)" "hostdev $card prepare begin g vfio-pci 1
hostdev $card released end g vfio-pci 1" "a guest's, and free again"
is "$(vm-hostdev-list --kind=pci --state=ready | cut -f1)" "$card" "it stays on VFIO"
vm-hostdev-unbind -q "$card"
is "$(said)" "" "given back by hand"
is "$(control)" auto "it may sleep again"
unchanged "bound by hand"

for word in on auto; do
	echo "$word" >"$device/power/control"
	status_is 0 vm-start --no-watch g
	is "$(control)" auto "VFIO lets it sleep"
	kill -9 "$(vm-info --get=pid g)"
	wait_for 20 "it is gone" sh -c '[ "$(vm-info --get=state g)" = stale ]'
	status_is 0 vm-repair g
	is "$(control)" "$word" "it is $word after it as before"
done
unchanged "its power, too"
: >"$log"

# ---- devices that stay with their drivers ----
one() { # DEVICE: whose hooks they are, and what else they are told
	grep "^\(kind\|vendor\|product\|serial\|node\|type\|parent\|group\)=" "$T/stdin" | paste -sd' '
}
record="echo \"\$(basename \$0) \$*\" >>$log; cat >$T/stdin"
refuse="$record; [ \$2 != prepare ] || exit 3"
rm "$hooks/hostdev"
plug_xml other "<controller type='scsi' index='0' model='virtio-scsi'/>" | sed "s|type='usb' model='none'|type='usb' model='qemu-xhci'|" >"$T/other.xml"
status_is 0 vm-create "$T/other.xml"
wait_for 20 "the guest is up" guest_says other '^pci end'
hook hostdev.d/usb:046d:c52b "$record"
hook hostdev.d/usb:1-1.5 "$refuse"
status_is 4 vm-attach-hostdev other usb:046d:c52b
err_like "usb:1-1.5: hook $hooks/hostdev.d/usb:1-1.5 refuses 'prepare' .status 3."
is "$(said)" "usb:046d:c52b usb:1-1.5 prepare begin other
usb:1-1.5 usb:1-1.5 prepare begin other
usb:046d:c52b usb:1-1.5 released end other
usb:1-1.5 usb:1-1.5 released end other" "a USB device has those of its model and of its port"
is "$(one)" "kind=usb vendor=046d product=c52b serial=A B node=/dev/bus/usb/001/005" "with what is known of it, a line each"
hook hostdev.d/scsi:0:0:1:0 "$refuse"
echo "<hostdev type='scsi'><source><adapter name='scsi_host0'/><address bus='0' target='1' unit='0'/></source></hostdev>" >"$T/scsi.xml"
mknod -m 600 /dev/sg1 c 21 1
status_is 4 vm-attach-hostdev other "$T/scsi.xml"
is "$(said)" "scsi:0:0:1:0 scsi:0:0:1:0 prepare begin other
scsi:0:0:1:0 scsi:0:0:1:0 released end other" "a SCSI device has those of its address"
is "$(one)" "kind=scsi vendor=ATA product=DISK node=/dev/sg1" "with its node"
unchanged "refused"
rm "$hooks/hostdev.d/"*

hook hostdev "$record"
hook hostdev.d/mdev:i915-GVTg_V5_4 "$record"
hook "hostdev.d/mdev:$mdev" "$record"
all() { # OPERATION
	printf "%s mdev:$mdev $1 $2\n" hostdev mdev:i915-GVTg_V5_4 "mdev:$mdev"
}
status_is 0 vm-attach-hostdev --dry-run other "mdev:$mdev"
like "$out$err" "hook $hooks/hostdev.d/mdev:$mdev mdev:$mdev prepare begin other" "--dry-run names them"
is "$(said)" "" "and does not run them"
status_is 0 vm-attach-hostdev other "mdev:$mdev"
is "$(said)" "$(all prepare 'begin other')" "a mediated device has those of its type, too"
is "$(one)" "kind=mdev type=i915-GVTg_V5_4 parent=0000:05:00.0 group=31" "with its type"
wait_for 20 "the guest sees it come" guest_says other 'hotplug pci .* added'
status_is 0 vm-detach-hostdev other "mdev:$mdev"
is "$(said)" "$(all released 'end other')" "a detach"
unchanged "plugged out"
status_is 0 vm-attach-hostdev other "mdev:$mdev"
: >"$log"
kill -9 "$(vm-info --get=pid other)"
wait_for 20 "the watcher runs it" grep -q "mdev:$mdev mdev:$mdev released" "$log"
wait_for 20 "the guest is off" off other
is "$(said)" "$(all released 'end other')" "once"
plug_xml m "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='$mdev'/></source></hostdev>" >"$T/m.xml"
status_is 0 vm-define "$T/m.xml"
hook hostdev "$record; [ \$2 != released ] || { echo 'no reset today' >&2; exit 1; }"
status_is 0 vm-start m
is "$(said)" "$(all prepare 'begin m')" "a start"
status_is 0 vm-destroy m
err_like "mdev:$mdev is out of use: mdev:$mdev: hook $hooks/hostdev refuses 'released' .status 1.: no reset today; vm-repair --all runs the hook again"
is "$(said)" "$(all released 'end m')" "the others are told of the end all the same"
is "$(vm-hostdev-list --kind=mdev | cut -f1,5)" "mdev:$mdev$(printf '\t')stuck" "no guest can have it"
like "$(vm-doctor hostdev)" "fail	hostdev	mdev:$mdev is out of use: .*no reset today; vm-repair --all runs the hook again" "vm-doctor says so"
status_is 10 vm-start m
err_like "is out of use: .*no reset today"
vm-repair --all >"$T/repaired" 2>&1
like "$(cat "$T/repaired")" "no reset today" "vm-repair runs it again"
hook hostdev "$record"
: >"$log"
status_is 0 vm-repair --all
is "$(said)" "$(all released 'end m')" "and again"
unchanged "then it is free"
status_is 0 vm-start --no-watch m
rm "$hooks/hostdev" "$hooks/hostdev.d/"*
status_is 0 vm-destroy m
unchanged "hooks that went away meanwhile are missed by nobody"
umount "$VM_SYSROOT"
leftovers
done_testing
