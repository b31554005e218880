# SPDX-License-Identifier: LGPL-2.1-or-later
# Host devices of other kinds than <hostdev type='pci'>, plugged into a guest that runs and out again: virtual functions of a
# network card as interfaces, mediated devices.
# timeout: 300
PLUG_HOSTS=igb
PLUG_MORE="pci 0000:05:00.0 8086:3ea0 030000 group=30 driver=i915
driver i915 8086:3ea0
mdevtype i915-GVTg_V5_4 api=vfio-pci left=1 on=0000:05:00.0
mdev b155147a-663a-4009-ae7f-e9a96805b3ce type=i915-GVTg_V5_4 api=vfio-pci group=31 on=0000:05:00.0"
mdev=b155147a-663a-4009-ae7f-e9a96805b3ce
PLUG_GROUPS="0000:06:10.0 20
0000:06:10.1 21
/sys/bus/mdev/devices/$mdev 31"
. "$(dirname "$0")/../lib/plug.sh"
tab=$(printf '\t')
run=$VM_ROOT/run/vm/qemu ctl=$plug_tree/ctl vf=0000:06:10.1
mkdir -p "$plug_tree/run" && ln -s "$T/rtnetlink" "$plug_tree/run/rtnetlink"
printf '0 00:00:00:00:00:00 0 0\n1 00:00:00:00:00:00 7 3\n' >"$ctl/vf"
echo sys/devices/pci0000:06/0000:06:10.1/net/vf1/address >"$ctl/own-1"
"$VM_BUILD/tests/fake-rtnetlink" "$plug_tree" "$T/rtnetlink" pf0 2
driver() { basename "$(readlink "$VM_SYSROOT/sys/bus/pci/devices/$1/driver")" 2>/dev/null; }
state() {
	host_state
	cat "$ctl/vf" "$plug_tree/sys/class/net/vf1/address"
	vm-cgroup kinds devices
	(cd "$run/kinds" && find . -name events.jsonl -o -name status -o -name '*.console' -o -printf '%p %y\n' | sort)
	cat "$run/kinds/live.xml"; sort "$run/kinds/record"
	cat "$VM_ROOT/etc/vm/qemu/kinds.xml"
}
unchanged() {
	state >"$T/after"
	is "$(diff "$T/before" "$T/after" | head -n 8)" "" "$1"
}
interface() { # [MAC] [EXTRA]
	printf '%s\n' "<interface type='hostdev' managed='yes'>" "  ${1:+<mac address='$1'/>}" \
		"  <source><address type='pci' domain='0' bus='6' slot='0x10' function='1'/></source>${2:-}" "</interface>"
}
plug_xml kinds "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface><graphics type='vnc' autoport='yes'/><controller type='scsi' index='0' model='virtio-scsi'/><controller type='pci' index='4' model='pcie-root-port'/><controller type='pci' index='5' model='pcie-root-port'/>" >"$T/kinds.xml"
status_is 0 vm-define "$T/kinds.xml"
status_is 0 vm-start kinds
wait_for 10 "the guest is up" guest_says kinds '^pci end'
state >"$T/before"

# ---- an interface ----
interface 52:54:00:aa:bb:cc "<vlan><tag id='42'/></vlan>" >"$T/vf.xml"
status_is 0 vm-attach-hostdev --dry-run kinds "$T/vf.xml"
like "$(printf '%s\n' "$out$err" | grep 'driver_override\|MAC of\|QMP device_add' | paste -sd'|')" \
	"write 'vfio-pci' to driver_override.*set the MAC of virtual function 1 of pf0 to 52:54:00:aa:bb:cc, its VLAN to 42.*QMP device_add" "--dry-run names what is set"
unchanged "--dry-run changes nothing"
: >"$ctl/nl-log"
status_is 0 vm-attach-hostdev --json kinds "$T/vf.xml"
out_like "\"changed\":true,\"devices\":\[{\"device\":\"$vf\",\"alias\":\"hostdev0\",\"guest_address\":\"0000:0"
is "$(driver "$vf")" vfio-pci "the function is on VFIO"
is "$(cat "$ctl/nl-log")" "mac 1 52:54:00:aa:bb:cc
vlan 1 42 0" "with the guest's MAC and VLAN"
like "$(cat "$run/kinds/live.xml")" "<interface type='hostdev' managed='yes'>" "it is an interface of the running guest"
like "$(vm-info kinds hostdevs)" "^hostdev0${tab}assigned${tab}0000:[0-9a-f:.]*${tab}$vf\$" "and one of its host devices"
is "$(vm-info kinds interfaces | cut -f2,4)" "user${tab}52:54:00:00:00:01
hostdev${tab}52:54:00:aa:bb:cc" "vm-info lists it behind the other"
like "$(vm-cgroup kinds devices)" "${tab}ok${tab}hostdev0${tab}/dev/vfio/21" "a rule for its node"
status_is 10 vm-attach-hostdev kinds "$T/vf.xml"
err_like "has $vf already"
status_is 10 vm-attach-hostdev kinds "$vf"
err_like "has $vf already"
status_is 0 vm-attach-hostdev kinds "$card"
like "$(vm-info kinds hostdevs | cut -f1,4 | paste -sd' ')" "hostdev0$tab$vf hostdev1$tab$card" "aliases are of one row with other host devices"
status_is 0 vm-detach-hostdev kinds "$T/vf.xml" "$card"
is "$(driver "$vf") $(driver "$card")" "igbvf nvme" "the host's drivers have them back"
unchanged "its MAC and VLAN are what they were, and nothing is left"
status_is 0 vm-attach-hostdev kinds "$T/vf.xml"
status_is 0 vm-detach-hostdev kinds "$vf"
unchanged "by its name, too"

# ---- refused, and as it was ----
: >"$T/bin/stand-in.refuse"
status_is 13 vm-attach-hostdev kinds "$T/vf.xml"
rm "$T/bin/stand-in.refuse"
unchanged "QEMU refuses: MAC and VLAN go back"
echo 16 >"$ctl/nl-mac"
status_is 10 vm-attach-hostdev kinds "$T/vf.xml"
err_like 'set the MAC of virtual function 1 of pf0: Device or resource busy'
rm "$ctl/nl-mac"
unchanged "the card refuses"
: >"$ctl/down"
status_is 10 vm-attach-hostdev kinds "$T/vf.xml"
err_like 'pf0, .*is down; ip link set pf0 up'
rm "$ctl/down"
sed 's/slot=.0x10. function=.1./slot="0" function="0"/' "$T/vf.xml" >"$T/pf.xml"
status_is 6 vm-attach-hostdev kinds "$T/pf.xml"
err_like '0000:06:00.0 is no virtual function .SR-IOV.'
echo "<interface type='user'/>" >"$T/user.xml"
status_is 6 vm-attach-hostdev kinds "$T/user.xml"
err_like "user.xml:1:1: an <interface> of type='user' is no host device"
interface 52:54:00:aa:bb:cc "<vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan>" >"$T/trunk.xml"
status_is 6 vm-attach-hostdev kinds "$T/trunk.xml"
err_like "trunk.xml:[0-9]+:[0-9]+: a virtual function is in one VLAN"
unchanged "before anything was touched"

# ---- the definition ----
interface >"$T/nomac.xml"
status_is 0 vm-attach-hostdev --persistent kinds "$T/nomac.xml"
mac() { vm-dumpxml ${1:+"$1"} kinds | grep -A3 "type='hostdev'" | grep -o "mac address='[^']*'"; }
isnt "$(mac)" "" "an interface without MAC is given one"
is "$(mac)" "$(mac --inactive)" "the same in the running guest and its definition"
status_is 0 vm-detach-hostdev --persistent kinds "$T/nomac.xml"
unchanged "out of both"

# ---- a mediated device ----
status_is 0 vm-attach-hostdev kinds "mdev:$mdev"
like "$(vm-info kinds hostdevs)" "^hostdev0${tab}assigned${tab}0000:[0-9a-f:.]*${tab}mdev:$mdev\$" "vm-info lists it"
like "$(vm-cgroup kinds devices)" "${tab}ok${tab}hostdev0${tab}/dev/vfio/31" "a rule for its group"
is "$(memlock kinds)" "$(((32 + 1024) * 1048576))" "the guest may lock its memory"
is "$(vm-hostdev-list --kind=mdev | cut -f1,5,7)" "mdev:$mdev${tab}assigned${tab}kinds" "vm-hostdev-list tells whose it is"
status_is 0 vm-detach-hostdev kinds "mdev:$mdev"
unchanged "nothing of it is left"
echo "<hostdev mode='subsystem' type='mdev' model='vfio-pci' display='on' ramfb='on'><source><address uuid='$mdev'/></source></hostdev>" >"$T/ramfb.xml"
status_is 3 vm-attach-hostdev kinds "$T/ramfb.xml"
err_like "ramfb='on' cannot be plugged in while the guest runs; --config"
: >"$T/bin/stand-in.refuse"
status_is 13 vm-attach-hostdev kinds "mdev:$mdev"
rm "$T/bin/stand-in.refuse"
unchanged "refused: as it was"

# ---- an option ROM, which only root may read ----
# those of other tests that run beside it go with their directories
mounts() { sort "/proc/$(vm-info --get=pid kinds)/mountinfo" | cut -d' ' -f5 | awk -v own="$T/" 'index($0, "/vmt.") == 0 || index($0, own) == 1'; }
mounts >"$T/mounts"
head -c 4096 /dev/urandom >"$T/card.rom"
chmod 600 "$T/card.rom"
status_is 0 vm-attach-hostdev --rom="$T/card.rom" kinds "$card"
diag "$err"
like "$(mounts | diff "$T/mounts" -)" "> $T/card.rom" "its file is in what QEMU sees"
is "$(stat -c '%u %a' "$T/card.rom")" "0 600" "and belongs to who it belonged to"
status_is 0 vm-detach-hostdev kinds "$card"
is "$(mounts | diff "$T/mounts" -)" "" "it goes with the device"
unchanged "and nothing of it is left"
status_is 5 vm-attach-hostdev --rom="$T/none.rom" kinds "$card"
err_like "rom of $card: .*none.rom: No such file"
unchanged "a ROM that is not there: as it was"
: >"$T/bin/stand-in.refuse"
status_is 13 vm-attach-hostdev --rom="$T/card.rom" kinds "$card"
rm "$T/bin/stand-in.refuse"
is "$(mounts | diff "$T/mounts" -)" "" "refused: the file goes, too"
unchanged "and the rest"

# ---- iSCSI ----
iscsi() { # [EXTRA]
	echo "<hostdev mode='subsystem' type='scsi'><source protocol='iscsi' name='iqn.2013-07.com.example:target/1'><host name='127.0.0.1' port='1'/>${1:-}</source></hostdev>"
}
iscsi "<auth username='me'><secret type='iscsi' usage='s'/></auth>" >"$T/secret.xml"
status_is 3 vm-attach-hostdev kinds "$T/secret.xml"
err_like 'secret.xml:1:[0-9]+: .*auth.* not supported yet'
iscsi >"$T/iscsi.xml"
vm-attach-hostdev kinds "$T/iscsi.xml" 2>"$T/err"
like "$? $(cat "$T/err")" "^3 .*has no block driver 'iscsi'; it may be a package of its own, such as qemu-block-extra|^13 " "nobody is there, or this QEMU has no iSCSI"
unchanged "as it was"

# ---- vhost-scsi, which this host lacks ----
echo "<hostdev mode='subsystem' type='scsi_host'><source protocol='vhost' wwpn='naa.5001405df3e54061'/></hostdev>" >"$T/vhost.xml"
status_is 5 vm-attach-hostdev kinds "$T/vhost.xml"
err_like 'there is no /dev/vhost-scsi; load the module vhost_scsi'
unchanged "as it was"
status_is 0 vm-destroy kinds

# ---- the host's own /dev ----
mkdir -p "$VM_ROOT/etc/vm"
echo 'private_dev = no' >"$VM_ROOT/etc/vm/vm.conf"
: >"$T/kinds.console"
status_is 0 vm-start kinds
wait_for 10 "the guest is up again" guest_says kinds '^pci end'
state >"$T/before"
mounts >"$T/mounts"
status_is 0 vm-attach-hostdev kinds "$card" "$T/vf.xml"
diag "$err"
is "$(driver "$card") $(driver "$vf")" "vfio-pci vfio-pci" "without a /dev of its own a guest can have devices, too"
status_is 0 vm-detach-hostdev kinds "$card" "$vf"
is "$(mounts | diff "$T/mounts" -)" "" "what was mounted for them is gone"
unchanged "and the rest"
status_is 0 vm-destroy kinds
pgrep -f "fake-rtnetlink $plug_tree" | xargs -r kill
umount "$VM_SYSROOT"
leftovers "nothing is left"
done_testing
