# SPDX-License-Identifier: LGPL-2.1-or-later
# Virtual functions of a network card for real: QEMU's 82576 with the kernel's igb and igbvf. The guest asks its card which MAC it
# has; whatever ends the guest, the card has every function's MAC and VLAN as before.
# timeout: 600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=570 HOST_NEWER=machine
host_machine -device pcie-root-port,id=rp1,chassis=1 -netdev user,id=net0,restrict=on \
	-device igb,bus=rp1,netdev=net0,mac=52:54:00:00:00:77

VM_TIMEOUT=200
export VM_TIMEOUT
sys=/sys/bus/pci/devices
tab=$(printf '\t')
ok "the host's drivers" host_modules igb igbvf vfio-pci
pf=$(basename "$(dirname "$(ls -d $sys/*/sriov_totalvfs)")")
wait_for 60 "the card's interface" test -d "$sys/$pf/net"
card=$(basename "$sys/$pf"/net/*)
driver() { basename "$(readlink "$sys/$1/driver")" 2>/dev/null; }
# What a card says of its functions.
functions() { ip link show dev "$card" | sed -n 's/^ *vf \([0-9]*\) *link.ether \([0-9a-f:]*\) brd [0-9a-f:]*, \(.*\)spoof.*/\1 \2 \3/p'; }

# ---- made ----
ip link set dev "$card" up
status_is 6 vm-hostdev-create --vfs=8 "$pf"
err_like "$pf can have 7 virtual functions, not 8"
status_is 0 vm-hostdev-create --vfs=1 "$pf"
status_is 0 vm-hostdev-destroy "vfs:$pf"
is "$(cat "$sys/$pf/sriov_numvfs")" 0 "made and unmade"
printf "<device><parent>%s</parent><capability type='virt_functions' count='2'/></device>\n" "$pf" >"$T/vfs.xml"
status_is 0 vm-hostdev-define "$T/vfs.xml"
status_is 0 vm-hostdev-autostart "vfs:$pf"
status_is 0 vm-hostdev-autostart --run
is "$(cat "$sys/$pf/sriov_numvfs")" 2 "two, with the host"
zero=$(basename "$(readlink "$sys/$pf/virtfn0")") one=$(basename "$(readlink "$sys/$pf/virtfn1")")
has_interface() { [ -d "$sys/$zero/net" ] && [ -d "$sys/$one/net" ]; }
wait_for 60 "they have interfaces of their own" has_interface
ip link set dev "$card" vf 1 mac 52:54:00:00:00:01 vlan 7 qos 3

# ---- in a guest ----
interface_xml() { # DEVICE MAC [EXTRA]
	echo "<interface type='hostdev' managed='yes'><mac address='$2'/><source>$(host_address "$1" | sed "s/<address /&type='pci' /")</source>${3:-}</interface>"
}
guest_xml net "<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-root-port'/>
$(interface_xml "$one" 52:54:00:aa:bb:cc "<vlan><tag id='42'/></vlan>")" >"$T/net.xml"
status_is 0 vm-define "$T/net.xml"
ip link set dev "$card" down
status_is 10 vm-start net
err_like "$card, whose virtual function 1 $one is, is down; ip link set $card up"
is "$(driver "$one")" igbvf "nothing was bound"
ip link set dev "$card" up
# the card forgot their MACs by that; their driver asks anew
for vf in "$zero" "$one"; do
	echo "$vf" >"$sys/$vf/driver/unbind"
	echo "$vf" >/sys/bus/pci/drivers_probe
done
wait_for 60 "their driver has them again" has_interface
is "$(cat "$sys/$one/net"/*/address)" 52:54:00:00:00:01 "the administrator's MAC is that of its own interface"
functions >"$T/before"
held=$(devices_held)
diag "$(cat "$T/before")"
given_back() { # DESC
	as_it_was() { [ "$(driver "$one")" = igbvf ] && has_interface && functions | cmp -s - "$T/before" &&
		[ "$(cat "$sys/$one/net"/*/address)" = 52:54:00:00:00:01 ]; }
	wait_for 20 "$1: driver, MAC, VLAN and the MAC of its own interface are as before" as_it_was ||
		diag "$(functions) $(driver "$one") $(cat "$sys/$one/net"/*/address)"
	is "$(devices_held)" "$held" "$1: no claim, no record"
}
start() {
	: >"$T/net.console"
	status_is 0 vm-start net
	[ -z "$err" ] || diag "$err"
}
pid() { vm-info --get=pid net; }
watcher() { sed -n 's/^watcher=\([0-9]*\).*/\1/p' "$VM_ROOT/run/vm/qemu/net/record"; }
start
is "$(functions | tail -n 1)" "1 52:54:00:aa:bb:cc vlan 42, " "the card has the guest's MAC and VLAN"
is "$(functions | head -n 1)" "$(head -n 1 "$T/before")" "the other function is as it was"
is "$(vm-hostdev-info --get=pf_interface,vf_mac,vf_vlan,guest "$one")" "$card
52:54:00:aa:bb:cc
42
net" "vm-hostdev-info says so"
wait_for 60 "the guest is told that MAC by its card" guest_says net '^igbvf mac 52:54:00:aa:bb:cc'
status_is 10 vm-hostdev-destroy "vfs:$pf"
err_like "$one is used by guest 'net'"

# ---- another one while it runs ----
interface_xml "$zero" 52:54:00:dd:ee:ff >"$T/zero.xml"
host_run_state net >"$T/state"
status_is 0 vm-attach-hostdev net "$T/zero.xml"
[ -z "$err" ] || diag "$err"
like "$(functions | head -n 1)" "^0 52:54:00:dd:ee:ff" "its MAC is set, too"
is "$(vm-hostdev-list | grep "^$zero" | cut -f4,5,7)" "vfio-pci${tab}assigned${tab}net" "it is the guest's"
wait_for 60 "the guest sees it come" guest_says net 'hotplug .* added'
status_is 0 vm-detach-hostdev --wait=200 net "$zero"
is "$(functions | head -n 1)" "$(head -n 1 "$T/before")" "detached: it has the MAC it had"
is "$(driver "$zero")" igbvf "and its driver"
host_run_state net | diff "$T/state" - >"$T/diff"
is "$(head -n 8 "$T/diff")" "" "nothing of it is left"

# ---- however it ends ----
status_is 0 vm-destroy net
given_back vm-destroy
start
kill -9 "$(pid)"
given_back "kill -9 of QEMU"
wait_for 60 "the guest is off" vm-info --is=shutoff net
start
kill -9 "$(watcher)"
status_is 0 vm-destroy net
given_back "kill -9 of the watcher"
start
kill -9 "$(watcher)" "$(pid)"
wait_for 20 "both are dead" sh -c 'vm-list --all | grep -q "stale.net"'
status_is 0 vm-repair net
given_back "kill -9 of both"
status_is 0 vm-hostdev-destroy "vfs:$pf"
is "$(cat "$sys/$pf/sriov_numvfs")" 0 "unmade"
done_testing
