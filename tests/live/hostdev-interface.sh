# SPDX-License-Identifier: LGPL-2.1-or-later
# <interface type='hostdev'>: a virtual function of a network card with the guest's MAC and VLAN, against processes that play the
# kernel's sysfs and rtnetlink: set after the function is bound, as before when the start fails, is killed or is undone.
# timeout: 300
. "$(dirname "$0")/../tap.sh"
needs vm-define vm-start vm-repair vm-hostdev-list
. "$VM_SOURCE/tests/lib/limits.sh"
. "$VM_SOURCE/tests/lib/kernel.sh"
host_rows <<'END'
driver igb 8086:10c9
driver igbvf 8086:10ca
driver nvme 1cc1:8201
driver vfio-pci
dir dev/vfio
file dev/vfio/vfio
pci 0000:06:00.0 8086:10c9 020000 group=9 driver=igb totalvfs=4 caps=flr
pci 0000:06:10.0 8086:10ca 020000 group=20 driver=igbvf pf=0000:06:00.0 caps=flr
pci 0000:06:10.1 8086:10ca 020000 group=21 driver=igbvf pf=0000:06:00.0 caps=flr
pci 0000:07:00.0 1cc1:8201 010802 group=10 driver=nvme totalvfs=4 caps=flr
pci 0000:07:00.1 1cc1:8201 010802 group=22 pf=0000:07:00.0 caps=flr
net pf0 on=0000:06:00.0
net pf0rep on=0000:06:00.0
net vf1 on=0000:06:10.1
file sys/devices/pci0000:06/0000:06:00.0/net/pf0/phys_port_name p0
file sys/devices/pci0000:06/0000:06:00.0/net/pf0rep/phys_port_name pf0vf1
file sys/devices/pci0000:06/0000:06:10.1/net/vf1/address 52:54:00:00:00:99
END
ln -s "$T/rtnetlink" "$tree/run/rtnetlink" 2>/dev/null || { mkdir -p "$tree/run" && ln -s "$T/rtnetlink" "$tree/run/rtnetlink"; }
host_begin
printf '0 00:00:00:00:00:00 0 0\n1 00:00:00:00:00:00 7 3\n' >"$ctl/vf"
echo sys/devices/pci0000:06/0000:06:10.1/net/vf1/address >"$ctl/own-1"
"$VM_BUILD/tests/fake-rtnetlink" "$tree" "$T/rtnetlink" pf0 2
snapshot_more() { cat "$ctl/vf" "$tree/sys/class/net/vf1/address"; }
snapshot >"$T/before"
interface() { # BUS SLOT FUNCTION [EXTRA] [MAC]
	echo "<interface type='hostdev' managed='yes'><mac address='${5:-52:54:00:aa:bb:cc}'/><source><address type='pci' domain='0' bus='$1' slot='$2' function='$3'/></source>${4:-}</interface>"
}
unchanged() {
	is "$(snapshot | diff "$T/before" - | head -n 5)" "" "$1: the host is as it was, MAC and VLAN too"
	is "$(ls "$VM_ROOT/run/vm/claims" "$VM_ROOT/run/vm/hostdev" 2>/dev/null | grep :[0-9u] | grep -v /)" "" "$1: no claim, no record"
}
refused() { # NAME STATUS ERE DEVICES
	guest_xml "$1" "$4" >"$T/$1.xml"
	ok "define $1" vm-define -q "$T/$1.xml"
	: >"$ctl/log"
	: >"$ctl/nl-log"
	status_is "$2" vm-start "$1"
	err_like "$3"
	unchanged "$1"
}

# ---- refused before anything changes ----
refused pf 6 '0000:06:00.0 is no virtual function .SR-IOV. of a network card; give one of its virtual functions' "$(interface 6 0 0)"
refused nonet 6 '0000:07:00.0 has no network interface, so 0000:07:00.1 cannot be one of a guest' "$(interface 7 0 1)"
: >"$ctl/down"
refused down 10 'pf0, whose virtual function 1 0000:06:10.1 is, is down; ip link set pf0 up' "$(interface 6 0x10 1)"
rm "$ctl/down"
is "$(cat "$ctl/log" "$ctl/nl-log")" "" "nothing was tried"
guest_xml trunk "$(interface 6 0x10 1 "<vlan trunk='yes'><tag id='1'/><tag id='2'/></vlan>")" >"$T/bad.xml"
status_is 6 vm-define "$T/bad.xml"
err_like "bad.xml:[0-9]+:[0-9]+: a virtual function is in one VLAN"
guest_xml net "<interface type='network'><source network='default'/></interface>" >"$T/bad.xml"
status_is 3 vm-define "$T/bad.xml"
err_like "type='network'.* not supported yet|'network' is not supported yet"
guest_xml twice "$(interface 6 0x10 1)<hostdev type='pci'><source><address domain='0' bus='6' slot='0x10' function='1'/></source></hostdev>" >"$T/bad.xml"
status_is 6 vm-define "$T/bad.xml"
err_like "host device 0000:06:10.1 is given to this guest twice"
guest_xml vlan "<interface type='user'><vlan><tag id='1'/></vlan></interface>" >"$T/bad.xml"
status_is 3 vm-define "$T/bad.xml"

is "$(vm-hostdev-info --get=pf_interface,vf_mac,vf_vlan 0000:06:10.1)" "pf0
00:00:00:00:00:00
7" "vm-hostdev-info shows what its card gives to it"
printf '1 1 0 2 0 1000\n' >"$ctl/vf-told"
shown() { vm-hostdev-info --get=pf_up,vf_vlan_priority,vf_vlan_protocol,vf_trust,vf_spoof_check,vf_link,vf_tx_min_mbit,vf_tx_max_mbit "$@" | paste -sd' '; }
is "$(shown 0000:06:10.1)" "yes 3 802.1Q yes no disable - 1000" "and what else it is allowed to"
is "$(shown 0000:06:10.0)" "yes - - - yes auto - -" "what its driver does not tell is not known"
printf '0 00:00:00:00:00:00 0 0\n1 00:00:00:00:00:00 7 3 802.1ad\n' >"$ctl/vf"
: >"$ctl/down"
is "$(shown 0000:06:10.1)" "no 3 802.1ad yes no disable - 1000" "a provider's VLAN, and a card that is down"
printf '0 00:00:00:00:00:00 0 0\n1 00:00:00:00:00:00 7 3\n' >"$ctl/vf"
rm "$ctl/down"
: >"$ctl/nl-wrong-get"
status_is 0 vm-hostdev-info --get=pf_interface,vf_mac,vf_trust 0000:06:10.1
err_like "warning: ask for virtual function 1 of pf0: "
is "$out" "pf0
-
-" "what cannot be asked for is not known, and that is said"
rm "$ctl/nl-wrong-get"
is "$(vm-hostdev-info --get=pf_interface,vf_link 0000:07:00.1 2>&1 | paste -sd' ')" "- -" "a function of something else than a network card"
# ---- set, then back when a later step fails: this /dev/vfio is no device ----
refused late 5 '/dev/vfio/21' "$(interface 6 0x10 1 "<vlan><tag id='42'/></vlan>")"
is "$(cat "$ctl/nl-log")" "mac 1 52:54:00:aa:bb:cc
vlan 1 42 0
mac 1 00:00:00:00:00:00
vlan 1 7 3
address vf1" "the guest's MAC and VLAN, then what they were, and that of the function's own interface"
like "$(cat "$ctl/log")" 'bound 0000:06:10.1 vfio-pci
.*bound 0000:06:10.1 igbvf' "bound and given back meanwhile"
refused plain 5 '/dev/vfio/20' "$(interface 6 0x10 0)"
is "$(cat "$ctl/nl-log")" "mac 0 52:54:00:aa:bb:cc
vlan 0 0 0
mac 0 00:00:00:00:00:00
vlan 0 0 0" "without VLAN none is asked for"
: >"$ctl/nl-zero"
guest_xml zero "$(interface 6 0x10 1)" >"$T/zero.xml"
ok "define" vm-define -q "$T/zero.xml"
: >"$ctl/nl-log"
status_is 5 vm-start zero
is "$(cat "$ctl/vf" "$tree/sys/class/net/vf1/address" | tail -n 2)" "1 52:54:00:00:00:99 7 3
52:54:00:00:00:99" "a card that takes no empty MAC is given the one the function had"
rm "$ctl/nl-zero"
printf '0 00:00:00:00:00:00 0 0\n1 00:00:00:00:00:00 7 3 802.1ad\n' >"$ctl/vf"
: >"$ctl/nl-log"
status_is 5 vm-start late
is "$(grep vlan "$ctl/nl-log")" "vlan 1 42 0
vlan 1 7 3 802.1ad" "a provider's VLAN comes back as that"
is "$(tail -n 1 "$ctl/vf")" "1 00:00:00:00:00:00 7 3 802.1ad" "and is as it was"
printf '0 00:00:00:00:00:00 0 0\n1 00:00:00:00:00:00 7 3\n' >"$ctl/vf"
unchanged "after that"

# ---- the card refuses ----
echo 1 >"$ctl/nl-vlan"
refused vlan-eperm 4 'set the VLAN of virtual function 1 of pf0' "$(interface 6 0x10 1 "<vlan><tag id='42'/></vlan>")"
refused no-vlan-eperm 5 '/dev/vfio/20' "$(interface 6 0x10 0)"
rm "$ctl/nl-vlan"
echo 16 >"$ctl/nl-mac"
guest_xml mac "$(interface 6 0x10 0)" >"$T/mac.xml"
ok "define" vm-define -q "$T/mac.xml"
status_is 10 vm-start mac
err_like 'set the MAC of virtual function 0 of pf0: Device or resource busy'
rm "$ctl/nl-mac"
unchanged "a MAC that cannot be set"

for e in "1 4 not permitted; that takes CAP_NET_ADMIN" "22 14 Invalid argument; the driver of pf0 takes no such value" \
	"95 3 not supported; the driver of pf0 cannot do that"; do
	set -- $e
	echo "$1" >"$ctl/nl-mac"
	status_is "$2" vm-start mac
	shift 2
	err_like "set the MAC of virtual function 0 of pf0: .*$*"
	rm "$ctl/nl-mac"
	unchanged "$*"
done
: >"$ctl/nl-wrong"
status_is 14 vm-start mac
err_like 'set the MAC of virtual function 0 of pf0: Connection reset by peer' # after that answer there was none
rm "$ctl/nl-wrong"
printf '0 00:00:00:00:00:00 0 0\n1 00:00:00:00:00:00 7 3\n' >"$ctl/vf"
unchanged "answers to somebody else"
: >"$ctl/nl-hang"
status_is 12 vm-start mac
err_like 'ask for virtual function 0 of pf0: timed out; the driver of pf0, or of another interface, does not come back'
rm "$ctl/nl-hang"
unchanged "a kernel that does not answer"

# ---- one that was bound by hand keeps that ----
ok "by hand" vm-hostdev-bind -q 0000:06:10.0
status_is 5 vm-start plain
is "$(vm-hostdev-list --state=ready | cut -f1)" 0000:06:10.0 "on VFIO as before"
is "$(head -n 1 "$ctl/vf")" "0 00:00:00:00:00:00 0 0" "with the MAC it had"
ok "and back" vm-hostdev-unbind -q 0000:06:10.0
unchanged "bound by hand"

# ---- a record that cannot be read: the function goes back, its MAC and VLAN stay ----
ok "bind" vm-hostdev-bind -q 0000:06:10.1
record=$VM_ROOT/run/vm/hostdev/pci:0000:06:10.1
sed -e 's/^phase=.*/phase=taken/' -e '$a\
user=qemu/late\
vf_mac=nonsense\
vf_vlan=4711 9' "$record" >"$T/record" && cat "$T/record" >"$record"
: >"$ctl/nl-log"
status_is 0 vm-hostdev-reap qemu:///system qemu/late 0000:06:10.1
err_like 'what its record says of its MAC and VLAN cannot be read: they stay'
is "$(cat "$ctl/nl-log")" "" "the card is told nothing"
unchanged "a record that cannot be read"

# ---- killed at any instruction ----
if grep -q '^VM_SANITIZE:[A-Z]*=.' "$VM_BUILD/CMakeCache.txt"; then
	skip 2 "an instrumented build cannot be traced"
else
killed=0 set=0
# from the first message to the card to some calls after the last: what is before touches no device
"$VM_BUILD/tests/fault" count --list -- vm-start -q late >/dev/null 2>"$T/calls"
range=$(grep -n sendto "$T/calls" | sed -n '1s/:.*//p;$s/:.*//p' | tr '\n' ' ')
diag "messages at calls $range of $(wc -l <"$T/calls")"
places=60
[ -z "${VM_TEST_FULL:-}" ] || places=600
step=$(((${range#* } - ${range%% *}) / places + 1))
for n in $(seq $((${range%% *} - 10)) $step $((${range#* } + 30))); do
	"$VM_BUILD/tests/fault" kill "$n" -- vm-start -q late >"$T/out" 2>&1
	[ $? -gt 128 ] || break # it came to its end before
	killed=$((killed + 1))
	grep -q ' 42 0$' "$ctl/vf" && set=$((set + 1))
	vm-repair -q late 2>"$T/err" || fail "vm-repair after a kill at call $n: $(cat "$T/err")"
	as_before "killed at call $n" || break
done
diag "killed at $killed places, $set of them with the guest's VLAN set"
isnt "$killed" 0 "the start was killed, and vm-repair gave MAC and VLAN back"
isnt "$set" 0 "also when they had been set"
fi
pgrep -f "fake-rtnetlink $tree" | xargs -r kill
umount "$VM_SYSROOT"
done_testing
