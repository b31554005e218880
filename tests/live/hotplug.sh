# SPDX-License-Identifier: LGPL-2.1-or-later
# Host devices plugged into a guest that runs and out again: what the host, the guest's group, its /dev and its documents have
# of it before, meanwhile and afterwards.
# timeout: 900
. "$(dirname "$0")/../lib/plug.sh"
run=$VM_ROOT/run/vm/qemu

plug_xml hot >"$T/hot.xml"
status_is 0 vm-define "$T/hot.xml"
status_is 0 vm-start hot
wait_for 10 "the guest is up" guest_says hot '^pci end'
remember hot

# ---- in and out ----
status_is 0 vm-attach-hostdev --json hot "$card"
out_like "\"changed\":true,\"devices\":\[{\"device\":\"$card\",\"alias\":\"hostdev0\",\"guest_address\":\"0000:0"
is "$(driver "$card")" vfio-pci "the card is on VFIO"
wait_for 10 "the guest sees it come" guest_says hot 'hotplug pci .* added'
like "$(vm-cgroup hot devices)" "c${tab}10:229${tab}rw${tab}ok${tab}hostdev0${tab}/dev/vfio/14" "a rule for its group's node"
like "$(vm-info hot hostdevs)" "^hostdev0${tab}assigned${tab}0000:[0-9a-f:.]*${tab}$card\$" "vm-info lists it"
is "$(vm-hostdev-list | grep "^$card" | cut -f5,7)" "assigned${tab}hot" "so does vm-hostdev-list"
is "$(memlock hot)" "$(((32 + 1024) * 1048576))" "it may lock its memory and a gigabyte"
ok "its node is in the guest's own /dev" test -c "$run/hot/dev/vfio/14"
status_is 10 vm-attach-hostdev hot "$card"
err_like "has $card already; --if-needed"
status_is 0 vm-attach-hostdev --if-needed hot "$card"
status_is 0 vm-detach-hostdev hot "$card"
wait_for 10 "the guest sees it go" guest_says hot 'hotplug pci .* removed'
is "$(driver "$card")" nvme "the host's driver has it back"
unchanged hot "nothing of it is left"

# ---- what is only looked at ----
status_is 0 vm-attach-hostdev --print-xml hot "$card"
out_like "<hostdev mode='subsystem' type='pci' managed='yes'>"
status_is 0 vm-attach-hostdev --dry-run hot "$card"
like "$(printf '%s\n' "$out$err" | grep 'driver_override\|allow\|locked memory\|QMP device_add' | paste -sd'|')" \
	"write 'vfio-pci' to driver_override.*allow c 10:229 rw ./dev/vfio/14.*raise the limit.*QMP device_add" "--dry-run names every step in order"
unchanged hot "--dry-run changes nothing"

# ---- refused, and everything as it was ----
refused() { # STATUS ERE ARGUMENT...
	want=$1 ere=$2
	shift 2
	status_is "$want" vm-attach-hostdev hot "$@"
	err_like "$ere"
	unchanged hot "as it was"
}
refused 5 'there is no host device 0000:99:00.0' 0000:99:00.0
refused 10 "cannot assign $pair0: IOMMU group 5 also holds $pair1 .e1000e.; park it with --siblings" "$pair0"
refused 10 'cannot assign 0000:04:00.0: its nvme2n1 is mounted at /srv' 0000:04:00.0
refused 10 "it has the driver nvme, and managed='no'" --managed=no "$card"
refused 10 'nothing can be plugged into bus 0 of the guest' --address=0000:00:1e.0 "$card"
# ---- names and places that others have; what a run calls a device is no name that the admin gave ----
xml_of() { echo "<hostdev type='pci' managed='yes'><source><address bus='$1' slot='0' function='0'/></source>$2</hostdev>"; }
xml_of 1 "<alias name='hostdev0'/>" >"$T/card.xml"
xml_of 2 "<alias name='hostdev0'/><address type='pci' domain='0' bus='3' slot='0' function='0'/>" >"$T/other.xml"
xml_of 2 "<address type='usb' bus='0' port='1'/>" >"$T/place.xml"
status_is 0 vm-attach-hostdev hot "$T/card.xml" "$T/other.xml"
is "$(vm-info hot hostdevs | cut -f1,4)" "hostdev0$tab$card
hostdev1$tab$other" "each has an alias of its own"
status_is 0 vm-detach-hostdev hot "$other"
status_is 10 vm-attach-hostdev --address="$(vm-info hot hostdevs | cut -f3)" hot "$other"
err_like "cannot assign $other: hostdev0 is at 0000:0.* of the guest already; give no address, and a free one is chosen"
status_is 6 vm-attach-hostdev hot "$T/place.xml"
err_is "vm-attach-hostdev: hot: this <hostdev> can have no usb address"
status_is 0 vm-detach-hostdev hot "$card"
status_is 0 vm-attach-hostdev --alias=ua-card hot "$card"
status_is 10 vm-attach-hostdev --alias=ua-card hot "$other"
err_like "cannot assign $other: the guest has a device with the alias ua-card already"
status_is 0 vm-detach-hostdev hot ua-card
unchanged hot "and all is as it was"
refused 5 'there is no host device 0000:99:00.0' "$card" 0000:99:00.0
refused 2 'is named twice' "$card" "$card"
refused 10 'no free PCI slot' "$card" "$other" "$pair0" "$pair1"
: >"$T/bin/stand-in.refuse"
refused 13 "QEMU refuses $card: .*'no-16'" "$card"
rm "$T/bin/stand-in.refuse"
# the node of the second cannot be opened by anybody: the first goes back, too
rm /dev/vfio/15 && mknod -m 600 /dev/vfio/15 c 4 250
refused 13 "QEMU refuses $other: .*'no-[0-9]" "$card" "$other"
rm /dev/vfio/15 && mknod -m 600 /dev/vfio/15 c 10 229
: >"$plug_tree/ctl/refuse-vfio-pci"
refused 14 'vfio-pci did not take it' "$card"
rm "$plug_tree/ctl/refuse-vfio-pci"
# ---- two functions of one group: one rule, which goes with the last ----
status_is 0 vm-attach-hostdev hot "$pair0" "$pair1"
like "$(vm-cgroup hot devices)" "c${tab}10:229${tab}rw${tab}ok${tab}hostdev0,hostdev1${tab}/dev/vfio/5" "one rule with two who asked"
wait_for 10 "the guest sees both" sh -c "[ \$(grep -c 'hotplug pci .* added' '$T/hot.console') -ge 3 ]"
status_is 0 vm-detach-hostdev hot hostdev0
like "$(vm-cgroup hot devices)" "c${tab}10:229${tab}rw${tab}ok${tab}hostdev1${tab}/dev/vfio/5" "it stays for the other"
ok "so does the node" test -c "$run/hot/dev/vfio/5"
ok "and the claim on the group" test -e "$VM_ROOT/run/vm/claims/iommu-group:5"
is "$(driver "$pair0")" vfio-pci "the function that is free waits for the rest of its group"
status_is 0 vm-attach-hostdev hot "$pair0"
status_is 0 vm-detach-hostdev hot "$pair0"
status_is 0 vm-detach-hostdev hot "$pair1"
is "$(driver "$pair0") $(driver "$pair1")" "e1000e e1000e" "then both are the host's again"
unchanged hot "gone with the last"

# ---- several functions of one slot of the guest: they go together ----
function_of() { # FUNCTION OF THE PAIR
	echo "<hostdev type='pci' managed='yes'><source><address domain='1' bus='1' slot='0' function='$1'/></source><address type='pci' domain='0' bus='3' slot='0' function='$1'${2:-}/></hostdev>"
}
function_of 1 >"$T/f1.xml"
function_of 0 " multifunction='on'" >"$T/f0.xml"
status_is 0 vm-attach-hostdev hot "$T/f1.xml" "$T/f0.xml"
is "$(vm-info hot hostdevs | cut -f3 | paste -sd' ')" "0000:03:00.1 0000:03:00.0" "two functions of a slot"
status_is 10 vm-detach-hostdev hot "$pair0"
err_like "other functions of its slot of the guest cannot go alone; take all of them at once: hostdev1 and hostdev0"
status_is 0 vm-detach-hostdev --wait=60 hot "$pair0" "$pair1"
unchanged hot "gone together"

# ---- the rest of a group parked ----
status_is 0 vm-attach-hostdev --siblings hot "$pair0"
is "$(driver "$pair0") $(driver "$pair1")" "vfio-pci vfio-pci" "both are on VFIO"
like "$(vm-info hot hostdevs)" "parked${tab}-${tab}$pair1" "the guest sees one of them"
status_is 0 vm-detach-hostdev --siblings hot "$pair0"
is "$(driver "$pair0") $(driver "$pair1")" "e1000e e1000e" "and both go back"
unchanged hot "nothing of them is left"

# ---- the definition ----
status_is 0 vm-attach-hostdev --config --alias=ua-card hot "$card"
is "$(driver "$card")" nvme "--config touches nothing of the host"
like "$(vm-dumpxml --inactive hot)" "<alias name='ua-card'/>" "its definition says it"
status_is 10 vm-attach-hostdev --config hot "$card"
err_like "has $card already"
status_is 0 vm-detach-hostdev --config hot ua-card
unchanged hot "the definition is as it was, byte for byte"
status_is 0 vm-attach-hostdev --persistent hot "$card"
is "$(driver "$card")" vfio-pci "--persistent: the running guest"
like "$(vm-dumpxml --inactive hot)" "<address domain='0x0000' bus='0x01'" "and the definition"
status_is 0 vm-detach-hostdev --persistent hot "$card"
unchanged hot "both without it"

# ---- what a detach would do ----
steps() { printf '%s\n' "$out" | sed "s|$VM_ROOT||"; }
status_is 0 vm-attach-hostdev --dry-run --persistent hot "$card"
like "$(steps | tail -n 2 | paste -sd'|')" "QMP device_add {.*}\|write /etc/vm/qemu/hot.xml" "the definition is written when the guest has it"
unchanged hot "nothing was done"
status_is 0 vm-attach-hostdev hot "$pair0" "$pair1"
status_is 0 vm-detach-hostdev --dry-run hot "$pair0"
is "$(steps)" "QMP device_del {\"id\":\"hostdev0\"}
wait until the guest has released hostdev0
$pair0 stays on VFIO until the guest has released all of IOMMU group 5" "one of a group: its node and the limit stay"
status_is 0 vm-detach-hostdev --dry-run --persistent --if-needed hot "$pair0" "$pair1"
wanted="QMP device_del {\"id\":\"hostdev0\"}
QMP device_del {\"id\":\"hostdev1\"}
wait until the guest has released hostdev0
wait until the guest has released hostdev1
deny c 10:229 rw (/dev/vfio/5)
take /dev/vfio/5 from it
lower the limit of locked memory to $(awk '/Max locked/ { print $4 }' "/proc/$(vm-info --get=pid hot)/limits") bytes
write '' to driver_override of $pair0
write '$pair0' to unbind of its driver vfio-pci
write '$pair0' to drivers_probe
drop the claim on pci:$pair0
write '' to driver_override of $pair1
write '$pair1' to unbind of its driver vfio-pci
write '$pair1' to drivers_probe
drop the claim on pci:$pair1
drop the claim on iommu-group:5"
is "$(steps)" "$wanted" "all of it: every step of giving back, in order"
is "$(driver "$pair0") $(driver "$pair1") $(vm-info hot hostdevs | wc -l)" "vfio-pci vfio-pci 2" "and none is taken"
status_is 0 vm-detach-hostdev --dry-run --json hot "$pair0"
out_like "\"changed\":false,\"devices\":\[{\"device\":\"$pair0\",\"alias\":\"hostdev0\",.*\"steps\":\[\"QMP device_del"
status_is 0 vm-detach-hostdev hot "$pair0" "$pair1"
unchanged hot "then they are"

# ---- a guest that does not let go, lets go later, or by itself ----
VM_TEST_SERIAL=pipe
plug_xml slow >"$T/slow.xml"
unset VM_TEST_SERIAL
ok "define slow" vm-define -q "$T/slow.xml"
status_is 0 vm-start slow
wait_for 10 "it is up" guest_says slow '^pci end'
remember slow
status_is 0 vm-attach-hostdev slow "$card"
wait_for 10 "it sees the card" guest_says slow 'hotplug pci .* added'
guest_tell slow 'hotplug off'
wait_for 10 "it ignores requests" guest_says slow '^ok'
status_is 11 vm-detach-hostdev --wait=1 slow "$card"
err_like "has not released $card yet; .*vm-wait --device-gone=hostdev0 slow"
like "$(vm-info slow hostdevs)" "^hostdev0${tab}unplugging" "vm-info says so"
is "$(vm-hostdev-list | grep "^$card" | cut -f5)" unplugging "so does vm-hostdev-list"
like "$(vm-cgroup slow devices)" "/dev/vfio/14" "what QEMU needs stays open"
status_is 10 vm-attach-hostdev hot "$card"
err_like "guest 'slow'"
guest_tell slow 'hotplug on'
status_is 0 vm-detach-hostdev slow "$card"
unchanged slow "asked again it lets go"
status_is 0 vm-attach-hostdev slow "$card"
wait_for 10 "it sees the card again" sh -c "[ \$(grep -c 'hotplug pci .* added' '$T/slow.console') -ge 2 ]"
vm-qmp slow 'device_del {"id":"hostdev0"}' >/dev/null
given() { [ "$(driver "$card")" = nvme ]; }
wait_for 20 "what went without a command is given back by the watcher" given
wait_for 5 "its record is right" sh -c "! grep -q hostdev0 '$run/slow/record'"
unchanged slow "and nothing of it is left"

# ---- what the guest does with it ----
status_is 11 vm-attach-hostdev --wait=1 slow "$card"
err_like 'the guest has not taken the devices yet; they are attached'
status_is 0 vm-detach-hostdev --wait=60 slow "$card"

# ---- who is killed in between, and who is hung ----
status_is 0 vm-attach-hostdev slow "$card"
kill -9 "$(vm-info --get=pid slow)"
wait_for 20 "kill -9 of QEMU: the watcher gives it back" given
wait_for 10 "the guest is off" vm-info --is=shutoff slow
wait_for 20 "all it had is given back" test ! -e "$run/slow"
remember hot
qemu=$(vm-info --get=pid hot)
kill -STOP "$qemu"
status_is 12 vm-attach-hostdev --timeout=2 hot "$card"
kill -CONT "$qemu"
wait_for 5 "QEMU goes on" vm-qmp hot query-status
unchanged hot "a hung QEMU is not begun with"

# ---- sixteen that want one card ----
sixteen="1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16"
for n in $sixteen; do
	plug_xml "want$n" >"$T/want$n.xml"
	vm-define -q "$T/want$n.xml" || fail "define want$n"
done
# shellcheck disable=SC2046 # words
status_is 0 vm-start -q --timeout=100 $(printf 'want%s ' $sixteen)
for n in $sixteen; do
	(vm-attach-hostdev -q --timeout=60 "want$n" "$card" 2>"$T/said.$n" && echo "want$n" >>"$T/won") &
	racers="${racers:-} $!"
done
for n in $racers; do wait "$n"; done
is "$(wc -l <"$T/won")" 1 "exactly one of sixteen has it"
winner=$(cat "$T/won")
is "$(grep -l "guest '$winner'" "$T"/said.* | wc -l)" 15 "the others say who"
# shellcheck disable=SC2046
status_is 0 vm-destroy -q $(printf 'want%s ' $sixteen)
is "$(driver "$card")" nvme "and it is given back"

# ---- again and again ----
cycles=${PLUG_CYCLES:-1000}
: >"$T/hot.console"
files() { ls "/proc/$(vm-info --get=pid hot)/fd" | wc -l; }
before=$(files)
n=0 bad=
while [ "$n" -lt "$cycles" ] && [ -z "$bad" ]; do
	n=$((n + 1))
	vm-attach-hostdev -q hot "$card" 2>"$T/cycle" && vm-detach-hostdev -q --wait=60 hot "$card" 2>"$T/cycle" || bad="round $n: $(cat "$T/cycle")"
done
is "$bad" "" "$cycles times in and out"
unchanged hot "without a trace"
is "$(files)" "$before" "and without a descriptor in QEMU"
status_is 0 vm-destroy hot
umount "$VM_SYSROOT"
leftovers "nothing is left"
done_testing
