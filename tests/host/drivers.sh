# SPDX-License-Identifier: LGPL-2.1-or-later
# What is told to drivers of network cards and of Fibre Channel adapters, to drivers of the kernel itself: the MAC and VLAN of virtual
# functions (netdevsim), and virtual ports (FCoE on an interface that leads nowhere).  What ip(8) and sysfs show is the witness.
# timeout: 300
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=270 HOST_BUILT=netdevsim
host_machine

VM_TIMEOUT=100
export VM_TIMEOUT
tab=$(printf '\t')

# ---- virtual functions of a network card ----
ok "a card" host_modules netdevsim
echo "1 1" >/sys/bus/netdevsim/new_device
card=/sys/bus/netdevsim/devices/netdevsim1
wait_for 30 "its interface" sh -c "ls $card/net/*"
pf=$(ls "$card/net")
live() { "$VM_BUILD/tests/vf-live" "$@"; }
kernel() { ip link show "$pf" | sed -n "s/^ *vf $1 *link.ether \([0-9a-f:]*\) brd [0-9a-f:]*/\1/p"; }
status_is 1 live "$pf" 0 read
err_like "the driver of $pf tells nothing of its virtual function 0"
echo 3 >"$card/sriov_numvfs"
status_is 0 live "$pf" 0 read
out_is "00:00:00:00:00:00 0 0"
status_is 1 live "$pf" 0 check
err_like "$pf, whose virtual function 0 .* is, is down; ip link set $pf up"
ip link set "$pf" up
status_is 0 live "$pf" 0 check

# what an administrator made of them, given back after a guest had each
ip link set "$pf" vf 0 mac 52:54:00:00:00:10 spoofchk on
ip link set "$pf" vf 1 mac 52:54:00:00:00:11 vlan 7 qos 5
ip link set "$pf" vf 1 trust on
ip link set "$pf" vf 2 vlan 4095 qos 7 proto 802.1ad
ip link set "$pf" vf 1 state disable
ip link set "$pf" vf 1 min_tx_rate 10 max_tx_rate 1000
is "$(live "$pf" 0 told)" "off on auto 0 0" "what else ip can set is read"
is "$(live "$pf" 1 told)" "on off disable 10 1000" "of each"
for vf in 0 1 2; do
	before=$(kernel "$vf") was=$(live "$pf" "$vf" read)
	diag "$before: $was"
	status_is 0 live "$pf" "$vf" set 52:54:00:aa:bb:0$vf 42
	like "$(kernel "$vf")" "^52:54:00:aa:bb:0$vf, vlan 42, (tx rate .*)?spoof" "function $vf has the guest's"
	status_is 0 live "$pf" "$vf" set 52:54:00:aa:bb:1$vf
	like "$(kernel "$vf")" "^52:54:00:aa:bb:1$vf, (tx rate .*)?spoof" "and another guest's, without VLAN"
	is "$(kernel "$vf" | grep -o 'spoof.*')" "$(echo "$before" | grep -o 'spoof.*')" "what is none of ours stays"
	status_is 0 live "$pf" "$vf" restore $was
	is "$(kernel "$vf")" "$before" "function $vf is as it was"
done
like "$(live "$pf" 2 read)" "^00:00:00:00:00:00 4095 7 802.1ad$" "a provider's VLAN, and no MAC"
like "$(kernel 2)" "vlan 4095, qos 7, vlan protocol 802.1ad" "for ip, too"

# refused by the kernel
status_is 1 live "$pf" 3 set 52:54:00:aa:bb:cc
err_like "set the MAC of virtual function 3 of $pf: Invalid argument; the driver of $pf takes no such value, or has no virtual function 3"
status_is 1 live "$pf" 0 set 01:00:5e:00:00:01
err_like "set the MAC of virtual function 0 of $pf: Invalid argument"
status_is 1 live lo 0 set 52:54:00:aa:bb:cc
err_like "the driver of lo cannot do that"
status_is 1 live none0 0 read
err_like "ask for virtual function 0 of none0: No such device"
# as many as a card can have of one bus number
mount -t debugfs debugfs /sys/kernel/debug
modprobe -r netdevsim
modprobe netdevsim
echo "2 1" >/sys/bus/netdevsim/new_device
card=/sys/bus/netdevsim/devices/netdevsim2
echo 256 >/sys/kernel/debug/netdevsim/netdevsim2/max_vfs
wait_for 30 "another card" sh -c "ls $card/net/*"
pf=$(ls "$card/net")
echo 256 >"$card/sriov_numvfs"
ip link set "$pf" vf 255 mac 52:54:00:00:01:00 vlan 9
is "$(live "$pf" 255 read)" "52:54:00:00:01:00 9 0" "the last of 256 functions"

# ---- virtual ports ----
ok "FCoE" host_modules fcoe
ip link add fc0 type veth peer name fc1
ip link set fc0 up
ip link set fc1 up
ok "an adapter" sh -c 'echo fc0 >/sys/module/libfcoe/parameters/create'
wait_for 30 "its host" sh -c 'ls /sys/class/fc_host/host*/vport_create'
host=$(ls /sys/class/fc_host)
inuse() { cat "/sys/class/fc_host/$host/npiv_vports_inuse"; }
records() { ls "$VM_ROOT/run/vm/hostdev" | grep -v lock; }
port=2101001b32a9da5e node=2001001b32a9da5e
cat >"$T/port.xml" <<END
<device><parent>scsi_$host</parent><capability type='scsi_host'><capability type='fc_host'>
<wwnn>$node</wwnn><wwpn>$port</wwpn></capability></capability></device>
END
status_is 0 vm-hostdev-create "$T/port.xml"
out_is "vport:$port: created"
is "$(inuse)" 1 "the kernel counts it"
made=$(basename "$(dirname "$(grep -l "$port" /sys/class/fc_host/*/port_name)")")
is "$(cat "/sys/class/fc_host/$made/node_name") $(ls /sys/class/fc_vports | wc -l)" "0x$node 1" "port and node, as the kernel has them"
status_is 0 vm-hostdev-create "$T/port.xml"
out_is "vport:$port: created already"
status_is 3 vm-hostdev-create --vport=new "scsi_$made"
err_like "$made makes no virtual ports; it is one itself, of $host"
status_is 10 vm-hostdev-create --vport=$port:2001001b32a9da5f "$host"
err_like "vport:$port is there already, with node $node on $host"
status_is 0 vm-hostdev-destroy "scsi_$made"
is "$(inuse) $(ls /sys/class/fc_vports)" "0 " "gone, and the kernel counts none"
status_is 0 vm-hostdev-destroy vport:$port
out_is "vport:$port: destroyed already"
status_is 0 vm-hostdev-define "$T/port.xml"
status_is 0 vm-hostdev-autostart vport:$port
status_is 0 vm-hostdev-autostart --run
is "$(inuse)" 1 "made with the host"
status_is 0 vm-hostdev-create --vport=new "$host"
is "$(inuse)" 2 "a second one, with names that are made up"
second=${out%%: *}
status_is 0 vm-hostdev-destroy "$second" vport:$port
is "$(inuse) $(records)" "0 " "both are gone, no record is left"
status_is 0 vm-hostdev-undefine vport:$port
# an adapter by its own names, or any
own=$(sed s/^0x// "/sys/class/fc_host/$host/port_name")
for adapter in "<parent wwnn='$(sed s/^0x// "/sys/class/fc_host/$host/node_name")' wwpn='$own'/>" ""; do
	sed "s|<parent>.*</parent>|$adapter|" "$T/port.xml" >"$T/adapter.xml"
	status_is 0 vm-hostdev-create "$T/adapter.xml"
	is "$(inuse)" 1 "made by '$adapter'"
	status_is 0 vm-hostdev-destroy vport:$port
done
sed "s|<parent>.*</parent>|<parent fabric_wwn='0000000000000000'/>|" "$T/port.xml" >"$T/adapter.xml"
status_is 5 vm-hostdev-create "$T/adapter.xml"
err_like 'no Fibre Channel host is on the fabric 0000000000000000'
# refused by the kernel: the name of the adapter's own port
own=$(sed s/^0x// "/sys/class/fc_host/$host/port_name")
status_is 14 vm-hostdev-create --vport="$own:$node" "$host"
err_like "make the virtual port $own on $host: .*vport_create: Invalid argument; the kernel's messages say why: dmesg . grep $host"
is "$(records)" "" "no record is left"
done_testing
