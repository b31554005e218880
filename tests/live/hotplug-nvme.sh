# SPDX-License-Identifier: LGPL-2.1-or-later
# Namespaces of the host's NVMe controllers as disks, which QEMU drives itself, plugged into a guest that runs and out again: with
# their controller, its group, and the block nodes in QEMU.
# timeout: 300
. "$(dirname "$0")/../lib/plug.sh"
needs vm-repair vm-qmp vm-info
tab=$(printf '\t')
run=$VM_ROOT/run/vm/qemu
nodes() { vm-qmp "$1" query-named-block-nodes | grep -o 'libvirt-[0-9A-Za-z-]*' | sort -u | paste -sd' '; }
remember() { { plug_state "$1"; nodes "$1"; } >"$T/before"; }
unchanged() {
	{ plug_state "$1"; nodes "$1"; } >"$T/after"
	is "$(diff "$T/before" "$T/after" | head -n 8)" "" "$2"
}
disk() { # [DOMAIN:]BUS NAMESPACE TARGET [TARGET-BUS] [EXTRA]: of the controller DOMAIN:BUS:00.0
	case $1 in *:*) domain=${1%:*} ;; *) domain=0000 ;; esac
	printf '%s\n' "<disk type='nvme' device='disk'>" "  <driver name='qemu' type='raw' cache='none'/>" \
		"  <source type='pci' managed='${managed:-yes}' namespace='$2'>" \
		"    <address domain='0x$domain' bus='0x${1#*:}' slot='0x00' function='0x0'/>" "  </source>" \
		"  <target dev='$3' bus='${4:-virtio}'/>${5:-}" "</disk>"
}
disk 01 1 vdb >"$T/one.xml"
disk 01 2 vdc >"$T/two.xml"
disk 02 1 vdd >"$T/other.xml"
has() { vm-qmp "$1" 'qom-list {"path":"/machine/peripheral"}' | grep -q "\"$2\""; }
given() { [ "$(driver "$card")" = nvme ]; }

truncate -s 1M "$T/vda.img"
plug_xml disks "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$T/vda.img'/><target dev='vda' bus='virtio'/></disk>
<controller type='scsi' index='0' model='virtio-scsi'/>
$(for n in 4 5 6 7 8; do echo "<controller type='pci' index='$n' model='pcie-root-port'/>"; done)" >"$T/disks.xml"
status_is 0 vm-define "$T/disks.xml"
status_is 0 vm-start disks
wait_for 10 "the guest is up" guest_says disks '^pci end'
like "$(vm-dumpxml disks)" "<source file='[^']*' index='1'/>" "its document numbers the block nodes"
unlike "$(vm-dumpxml --inactive disks)" "index='1'/>" "its definition does not"
remember disks

# ---- in and out ----
status_is 0 vm-attach-hostdev --json disks "$T/one.xml"
out_like "\"changed\":true,\"devices\":\[{\"device\":\"$card\",\"alias\":\"virtio-disk1\",\"guest_address\":\"0000:0"
is "$(driver "$card")" vfio-pci "its controller is on VFIO"
wait_for 10 "the guest sees it come" guest_says disks 'hotplug pci .* added'
is "$(nodes disks)" "libvirt-1-format libvirt-1-storage libvirt-2-format libvirt-2-storage" "two block nodes, of a number that is free"
like "$(vm-info disks disks)" "^vdb${tab}nvme${tab}disk${tab}virtio${tab}raw${tab}rw${tab}.*${tab}nvme://$card/1\$" "vm-info lists the disk"
like "$(vm-info disks hostdevs)" "^virtio-disk1${tab}assigned${tab}0000:[0-9a-f:.]*${tab}$card\$" "and the host device"
is "$(vm-hostdev-list | grep "^$card" | cut -f5,7)" "assigned${tab}disks" "so does vm-hostdev-list"
like "$(vm-cgroup disks devices)" "c${tab}10:229${tab}rw${tab}ok${tab}virtio-disk1${tab}/dev/vfio/14" "a rule for its group's node"
ok "which is in the guest's own /dev" test -c "$run/disks/dev/vfio/14"
is "$(memlock disks)" "$(((32 + 1024) * 1048576))" "it may lock its memory and a gigabyte"
like "$(vm-hostdev-list --json)" "\"device\":\"$card\"[^}]*\"state\":\"assigned\"[^}]*\"guest\":\"disks\",\"alias\":\"virtio-disk1\"" "with its name there"
status_is 10 vm-attach-hostdev disks "$T/one.xml"
err_like "has $card already; --if-needed"
status_is 0 vm-attach-hostdev --if-needed disks "$T/one.xml"
status_is 10 vm-attach-hostdev disks "$card"
err_like "has $card already"
status_is 0 vm-detach-hostdev disks "$T/one.xml"
wait_for 10 "the guest sees it go" guest_says disks 'hotplug pci .* removed'
is "$(driver "$card")" nvme "the host's driver has it back"
unchanged disks "nothing of it is left, no block node either"
for name in "$card" virtio-disk1; do
	status_is 0 vm-attach-hostdev disks "$T/one.xml"
	status_is 0 vm-detach-hostdev disks "$name"
	unchanged disks "taken back by the name $name, too"
done
disk 01 1 sda scsi >"$T/scsi.xml"
status_is 0 vm-attach-hostdev disks "$T/scsi.xml"
like "$(vm-info disks hostdevs)" "^scsi0-0-0-0${tab}assigned${tab}[0-9:]*${tab}$card\$" "one on a SCSI controller of the guest"
status_is 0 vm-detach-hostdev disks scsi0-0-0-0
unchanged disks "it goes, too"

# ---- what is only looked at ----
status_is 0 vm-attach-hostdev --dry-run disks "$T/one.xml"
like "$(printf '%s\n' "$out$err" | grep 'claim\|driver_override\|allow\|locked memory\|QMP' | paste -sd'|')" \
	"claim iommu-group:14.*claim pci:$card.*write 'vfio-pci' to driver_override.*allow c 10:229 rw ./dev/vfio/14.*raise the limit.*QMP blockdev-add .*\"driver\":\"nvme\".*libvirt-2-storage.*QMP blockdev-add .*libvirt-2-format.*QMP device_add .*\"drive\":\"libvirt-2-format\"" \
	"--dry-run names every step in order"
unchanged disks "and changes nothing"

# ---- refused, and everything as it was ----
refused() { # STATUS ERE ARGUMENT...
	want=$1 ere=$2
	shift 2
	status_is "$want" vm-attach-hostdev disks "$@"
	err_like "$ere"
	unchanged disks "as it was"
}
disk 01 1 sdb sata >"$T/sata.xml"
refused 3 "a disk of bus 'sata' cannot be plugged in while the guest runs; choose bus 'virtio', 'scsi' or 'usb', or --config" "$T/sata.xml"
disk 01 1 vda >"$T/target.xml"
refused 6 "vda" "$T/target.xml"
disk 09 1 vdb >"$T/none.xml"
refused 5 'there is no host device 0000:09:00.0' "$T/none.xml"
managed=no disk 01 1 vdb >"$T/unmanaged.xml"
refused 10 "it has the driver nvme, and managed='no'" "$T/unmanaged.xml"
disk 04 1 vdb >"$T/mounted.xml"
refused 10 'its nvme2n1 is mounted at /srv' "$T/mounted.xml"
refused 6 "this namespace, too|twice|vdb" "$T/one.xml" "$T/one.xml"
echo "<disk type='file'><source file='/x'/><target dev='vdb' bus='virtio'/></disk>" >"$T/file.xml"
refused 6 "file.xml:1:1: a <disk> of type='file' is no host device" "$T/file.xml"
echo "<rng model='virtio'/>" >"$T/rng.xml"
refused 6 "<hostdev>, <interface type='hostdev'> or <disk type='nvme'> was expected, not <rng>" "$T/rng.xml"
: >"$T/bin/stand-in.refuse"
refused 13 "QEMU refuses $card: .*no-16" "$T/one.xml"
rm "$T/bin/stand-in.refuse"
: >"$T/bin/stand-in.refuse-disk"
refused 13 "QEMU refuses $card: .*no-16" "$T/one.xml"
refused 13 "QEMU refuses $card: .*no-16" "$T/one.xml" "$other"
rm "$T/bin/stand-in.refuse-disk"
# the node of the second cannot be opened by anybody: the first goes back, too
rm /dev/vfio/15 && mknod -m 600 /dev/vfio/15 c 4 250
refused 13 "QEMU refuses $other: .*'no-[0-9]" "$T/one.xml" "$T/other.xml"
rm /dev/vfio/15 && mknod -m 600 /dev/vfio/15 c 10 229

# ---- QEMU opens a group for each such disk, the kernel lets one open it ----
refused 10 "cannot assign $card: QEMU opens the IOMMU group of each NVMe disk anew, group 14 can be opened once, and the disk vd[bc] is of it; take that one away first, or give the guest the whole controller" "$T/one.xml" "$T/two.xml"
disk 0001:01 1 vdd >"$T/function.xml"
refused 10 "cannot assign 0001:01:00.[01]: QEMU opens .*, group 5 can be opened once, and (the disk vdd|$pair1) is of it" "$T/function.xml" $pair1
status_is 0 vm-attach-hostdev disks "$T/one.xml"
status_is 10 vm-attach-hostdev disks "$T/two.xml"
err_like "group 14 can be opened once, and the disk vdb is of it"
status_is 10 vm-attach-hostdev --dry-run disks "$T/two.xml"
is "$(nodes disks)" "libvirt-1-format libvirt-1-storage libvirt-2-format libvirt-2-storage" "before QEMU is asked: the first is as it was"
is "$(driver "$card")" vfio-pci "and has its controller"
status_is 0 vm-detach-hostdev disks "$T/one.xml"
status_is 0 vm-attach-hostdev disks "$T/two.xml"
status_is 5 vm-detach-hostdev disks "$T/one.xml"
err_like "has no"
status_is 0 vm-detach-hostdev disks "$T/two.xml"
unchanged disks "one after the other they can"
status_is 0 vm-attach-hostdev disks "$card"
status_is 5 vm-detach-hostdev disks "$T/two.xml"
is "$(driver "$card")" vfio-pci "who has all of the controller has no such disk"
status_is 0 vm-detach-hostdev disks "$card"
status_is 0 vm-attach-hostdev --config disks "$T/one.xml" "$T/two.xml"
plug_xml both "$(cat "$T/one.xml" "$T/two.xml")" >"$T/both.xml"
status_is 0 vm-define "$T/both.xml"
status_is 3 vm-start both
err_like "group 14 can be opened once, and the disk vd[bc] is of it; take that one away"
is "$(driver "$card")" nvme "nothing was begun"
status_is 10 vm-detach-hostdev --config disks "$card"
err_like "$card may be several of its devices; name it by its alias, or as a file"
status_is 0 vm-detach-hostdev --config disks "$T/one.xml"
status_is 0 vm-detach-hostdev --config disks "$T/two.xml"
unchanged disks "the definition takes both, for a QEMU that can"

# ---- several at once ----
status_is 0 vm-attach-hostdev disks "$T/one.xml" "$T/other.xml" "$pair0" "$pair1"
is "$(vm-info disks hostdevs | cut -f1,4 | paste -sd' ')" "virtio-disk1$tab$card virtio-disk3$tab$other hostdev0$tab$pair0 hostdev1$tab$pair1" "two disks of two controllers, and a card"
is "$(nodes disks)" "libvirt-1-format libvirt-1-storage libvirt-2-format libvirt-2-storage libvirt-3-format libvirt-3-storage" "nodes of their own"
status_is 0 vm-detach-hostdev --dry-run disks "$T/one.xml"
like "$(printf '%s\n' "$out$err" | grep QMP | paste -sd'|')" 'QMP device_del {"id":"virtio-disk1"}.*QMP blockdev-del .*libvirt-2-format.*QMP blockdev-del .*libvirt-2-storage' "--dry-run names what is taken away"
status_is 0 vm-detach-hostdev disks "$T/one.xml"
is "$(driver "$card") $(driver "$other")" "nvme vfio-pci" "one leaves"
is "$(nodes disks)" "libvirt-1-format libvirt-1-storage libvirt-3-format libvirt-3-storage" "with its nodes"
status_is 0 vm-detach-hostdev disks virtio-disk3 hostdev0 hostdev1
unchanged disks "and the others, and nothing is left"

# ---- the definition ----
status_is 0 vm-attach-hostdev --config disks "$T/one.xml"
is "$(driver "$card")" nvme "--config touches nothing of the host"
like "$(vm-dumpxml --inactive disks)" "<target dev='vdb' bus='virtio'/>" "its definition says it"
status_is 0 vm-detach-hostdev --config disks "$T/one.xml"
unchanged disks "the definition is as it was, byte for byte"
# as a live document has it: what a run made up is that run's
sed "s|<source |&index='1' |; s|<target|<alias name='virtio-disk0'/>&|" "$T/one.xml" >"$T/dumped.xml"
status_is 0 vm-attach-hostdev --persistent disks "$T/dumped.xml"
unlike "$(vm-dumpxml --inactive disks)" "alias name=.virtio-disk" "an alias of another run does not get into the definition"
is "$(nodes disks)" "libvirt-1-format libvirt-1-storage libvirt-2-format libvirt-2-storage" "nor does a number into the running guest"
status_is 0 vm-detach-hostdev --persistent disks "$T/one.xml"
status_is 0 vm-attach-hostdev --persistent disks "$T/one.xml"
is "$(driver "$card")" vfio-pci "--persistent: the running guest"
like "$(vm-dumpxml --inactive disks)" "<target dev='vdb' bus='virtio'/>" "and the definition"
status_is 0 vm-destroy disks
is "$(driver "$card")" nvme "its end gives it back"

# ---- from its start on ----
: >"$T/disks.console"
status_is 0 vm-start disks
wait_for 10 "the guest is up again" guest_says disks '^pci end'
is "$(driver "$card")" vfio-pci "the guest has it from its start on"
is "$(nodes disks | wc -w)" 4 "with its nodes"
status_is 0 vm-detach-hostdev --persistent disks "$T/one.xml"
is "$(driver "$card") $(nodes disks)" "nvme libvirt-2-format libvirt-2-storage" "taken out as one that came later"
status_is 0 vm-attach-hostdev disks "$T/one.xml"
is "$(nodes disks)" "libvirt-2-format libvirt-2-storage libvirt-3-format libvirt-3-storage" "again, with a number that is free"
status_is 0 vm-detach-hostdev disks "$T/one.xml"
remember disks

# ---- a guest that lets go by itself ----
: >"$T/disks.console"
status_is 0 vm-attach-hostdev disks "$T/one.xml"
wait_for 10 "it sees the disk" guest_says disks 'hotplug pci .* added'
vm-qmp disks 'device_del {"id":"virtio-disk1"}' >/dev/null
wait_for 20 "what went without a command is given back by the watcher" given
wait_for 5 "its record is right" sh -c "! grep -q virtio-disk1 '$run/disks/record'"
unchanged disks "and no block node is left"

# ---- a device that has gone is not given up yet ----
: >"$T/disks.console"
status_is 0 vm-attach-hostdev disks "$T/one.xml"
wait_for 10 "it sees the disk" guest_says disks 'hotplug pci .* added'
echo 2 >"$T/bin/stand-in.busy"
chmod 777 "$T/bin"
status_is 0 vm-detach-hostdev disks "$T/one.xml"
ok "its block node was in use at first" test ! -e "$T/bin/stand-in.busy"
unchanged disks "nothing is left of it"

# ---- somebody else holds the block node: QEMU has the controller still ----
: >"$T/disks.console"
status_is 0 vm-attach-hostdev disks "$T/one.xml"
wait_for 10 "it sees the disk" guest_says disks 'hotplug pci .* added'
vm-qmp disks 'blockdev-add {"driver":"raw","node-name":"guard","file":"libvirt-3-format","read-only":true}' >/dev/null || fail "guard"
status_is 13 vm-detach-hostdev disks "$T/one.xml"
err_like 'take block node libvirt-3-format away: .*in use'
is "$(driver "$card")" vfio-pci "what QEMU holds is not given back"
like "$(vm-info disks hostdevs)" "^virtio-disk1${tab}released" "the guest has released it, it is not given back"
is "$(vm-hostdev-list | grep "^$card" | cut -f5,7)" "unplugging${tab}disks" "so says vm-hostdev-list"
vm-qmp disks 'blockdev-del {"node-name":"guard"}' >/dev/null || fail "guard"
status_is 0 vm-repair disks
is "$(driver "$card")" nvme "once the node is free it is"
unchanged disks "and nothing is left"
: >"$T/disks.console"
status_is 0 vm-attach-hostdev disks "$T/one.xml"
wait_for 10 "it sees the disk" guest_says disks 'hotplug pci .* added'
vm-qmp disks 'blockdev-add {"driver":"raw","node-name":"guard","file":"libvirt-3-format","read-only":true}' >/dev/null || fail "guard"
vm-qmp disks 'device_del {"id":"virtio-disk1"}' >/dev/null
wait_for 10 "the guest lets go of it by itself" sh -c "! vm-qmp disks 'qom-list {\"path\":\"/machine/peripheral\"}' | grep -q virtio-disk1"
sleep 4
is "$(driver "$card")" vfio-pci "the watcher cannot give it back"
vm-qmp disks 'blockdev-del {"node-name":"guard"}' >/dev/null || fail "guard"
wait_for 40 "and tries again until it can" given
wait_for 5 "its record is right" sh -c "! grep -q virtio-disk1 '$run/disks/record'"
unchanged disks "and nothing is left"

# ---- QEMU does not answer: what it has of it then is a block node without a device ----
: >"$T/bin/stand-in.hang-disk"
: >"$T/bin/stand-in.refuse-disk"
status_is 12 vm-attach-hostdev --timeout=3 disks "$T/one.xml"
err_like 'not known whether QEMU took the devices'
is "$(driver "$card")" vfio-pci "nobody knows"
rm "$T/bin/stand-in.hang-disk"
wait_for 10 "it has the block nodes" sh -c "vm-qmp disks query-named-block-nodes | grep -q libvirt-3-storage"
rm "$T/bin/stand-in.refuse-disk"
status_is 0 vm-repair disks
is "$(driver "$card")" nvme "the next command takes it away"
unchanged disks "and nothing is left"

# ---- QEMU dies between block nodes and device ----
: >"$T/bin/stand-in.die-disk"
status_is 13 vm-attach-hostdev disks "$T/one.xml"
err_like 'QEMU ended meanwhile'
rm "$T/bin/stand-in.die-disk"
wait_for 20 "the guest is off" vm-info --is=shutoff disks
is "$(driver "$card") $(cd "$VM_ROOT/run/vm" && ls claims | grep -c "$card\|group:14")" "nvme 0" "what it was to have is the host's"
umount "$VM_SYSROOT"
leftovers "nothing is left"
done_testing
