# SPDX-License-Identifier: LGPL-2.1-or-later
# What goes wrong with the host devices of guests that run: drivers that do not let go, devices that vanish, QEMUs that die,
# hang or were moved away, guests that refuse, commands that race, disks that are full. Each time it is told in time, keeps no
# other guest waiting, and leaves everything as it was or as the next command expects it.
# timeout: 600
. "$(dirname "$0")/../lib/plug.sh"
needs vm-repair vm-hostdev-bind vm-hostdev-unbind vm-qmp
ctl=$plug_tree/ctl
busy=0000:04:00.0 # the host has it mounted
mknod -m 600 /dev/vfio/16 c 10 229
echo "$busy 16" >>"$T/bin/stand-in.groups"

# One device is stuck for as long as this takes; it is not looked at.
seen() { grep -v "$card\|iommu-group:14\|vfio/14"; }
remember() { plug_state "$1" | seen >"$T/before"; }
unchanged() {
	plug_state "$1" | seen >"$T/after"
	is "$(diff "$T/before" "$T/after" | head -n 8)" "" "$2"
}
pid() { vm-info --get=pid "$1"; }
watcher() { sed -n 's/^watcher=\([0-9]*\).*/\1/p' "$VM_ROOT/run/vm/qemu/$1/record"; }
record() { grep "^$2" "$VM_ROOT/run/vm/qemu/$1/record"; }
rule() { vm-cgroup "$1" devices | grep "/dev/vfio/$2\$" | cut -f2-5; }
has() { vm-qmp "$1" 'qom-list {"path":"/machine/peripheral"}' | grep -q "\"$2\""; }
has_not() { ! has "$1" "$2"; }
free() { [ "$(driver "$1")" = nvme ]; }
is_off() { vm-info --is=shutoff "$1"; }
boot() {
	: >"$T/$1.console"
	vm-start -q --timeout=60 "$1" || fail "start $1"
	await 20 guest_says "$1" '^pci end' || fail "$1 does not boot"
}
came() { guest_says "$1" 'hotplug pci .* added'; }
refused() { # GUEST STATUS ERE ARGUMENT...
	who=$1 want=$2 ere=$3
	shift 3
	status_is "$want" vm-attach-hostdev "$who" "$@"
	err_like "$ere"
	unchanged "$who" "as it was"
}

VM_TEST_SERIAL=pipe
for guest in a b c; do
	plug_xml "$guest" "<controller type='pci' index='4' model='pcie-root-port'><target hotplug='off'/></controller>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>" >"$T/$guest.xml"
	vm-define -q "$T/$guest.xml" || fail "define $guest"
	boot "$guest"
done

# ---- drivers that do not let go: reported in time, and nobody else waits ----
status_is 0 vm-attach-hostdev c "$card"
: >"$ctl/hang-$card"
: >"$ctl/hang-$busy"
: >"$ctl/log"
c_began=$(date +%s)
vm-detach-hostdev c "$card" 2>"$T/c.err" &
detach_c=$!
wait_for 20 "VFIO does not let go of the device of one guest" grep -q "hangs $card" "$ctl/log"
remember a
began=$(date +%s)
vm-attach-hostdev --timeout=3 --force a "$busy" 2>"$T/a.err" &
attach_a=$!
wait_for 20 "nor the host's driver of what another one wants" grep -q "hangs $busy" "$ctl/log"
status_is 0 vm-attach-hostdev b "$other"
status_is 0 vm-detach-hostdev b "$other"
ok "a third guest got its device, and gave it back" kill -0 "$detach_c"
like "$(timeout 5 vm-list | cut -f2,3)" "running${tab}c" "vm-list does not wait"
like "$(timeout 5 vm-hostdev-list | cut -f1,5)" "$other${tab}host" "nor does vm-hostdev-list"
ok "nor another command on the guest that waits" timeout 10 vm-info a hostdevs
wait "$attach_a"
is "$?" 12 "the attach is a time-out"
like "$(cat "$T/a.err")" "$busy: its driver nvme does not let go of it; end what uses it .vm-hostdev-info $busy.; once the driver lets go, vm-hostdev-unbind $busy" "which says what to do"
ok "in time" [ $(($(date +%s) - began)) -lt 25 ]
is "$(vm-hostdev-info --get=state "$busy")" stuck "the device is stuck"
status_is 10 vm-attach-hostdev --force b "$busy"
err_like "cannot assign $busy: it is stuck: .*; vm-hostdev-unbind $busy"
rm "$ctl/hang-$busy"
wait_for 20 "the driver lets go" grep -q "unbound $busy" "$ctl/log"
status_is 0 vm-attach-hostdev --force a "$busy"
is "$(driver "$busy")" vfio-pci "the next command puts it back, and takes it"
status_is 0 vm-detach-hostdev a "$busy"
unchanged a "and all is as it was"

# ---- refused, or failed at a late step ----
refused a 10 "cannot assign $other: nothing can be plugged into bus 4 of the guest" --address=0000:04:00.0 "$other"
refused a 10 "cannot assign $busy: its nvme2n1 is mounted at /srv; end that use, or assign it with --force" "$busy"
limit=$(awk '/Max locked/ { print $4 }' "/proc/$(pid a)/limits")
: >"$T/limits/refuse"
refused a 4 "raise the limit of locked memory of QEMU from $limit to $(((32 + 1024) * 1048576)) bytes: Operation not permitted; that needs CAP_SYS_RESOURCE" "$other"
rm "$T/limits/refuse"
: >"$T/bin/stand-in.refuse"
refused a 13 "QEMU refuses $other: " "$other"
is "$(memlock a)" "$limit" "the limit of locked memory is what it was"
vm-hostdev-bind -q --siblings "$pair0"
remember a
status_is 0 vm-attach-hostdev --dry-run a "$pair0"
rm "$T/bin/stand-in.refuse"
status_is 0 vm-attach-hostdev a "$pair0"
: >"$T/bin/stand-in.refuse"
is "$(vm-attach-hostdev a "$pair1" 2>/dev/null; echo $?)" 13 "the second of a group is refused"
rm "$T/bin/stand-in.refuse"
is "$(rule a 5)" "10:229${tab}rw${tab}ok${tab}hostdev0" "the group's rule stays for the first"
ok "so does the node" test -c "$VM_ROOT/run/vm/qemu/a/dev/vfio/5"
status_is 0 vm-detach-hostdev a "$pair0"
unchanged a "until it goes"

# ---- two at once: siblings of one group ----
both() { # COMMAND... -- COMMAND...: $first and $second are their statuses
	one=
	while [ "$1" != -- ]; do one="$one $1"; shift; done
	shift
	$one 2>"$T/one" &
	racer=$!
	"$@" 2>"$T/two"
	second=$?
	wait "$racer"
	first=$?
}
both vm-attach-hostdev a "$pair0" -- vm-attach-hostdev a "$pair1"
is "$first $second" "0 0" "one guest gets both"
is "$(rule a 5 | cut -f4 | tr , '\n' | sort | tr '\n' ' ')" "hostdev0 hostdev1 " "by one rule that both asked for"
both vm-detach-hostdev a hostdev0 -- vm-detach-hostdev a hostdev1
is "$first $second" "0 0" "and gives both back"
unchanged a "without a rest"
status_is 0 vm-attach-hostdev a "$pair0"
both vm-detach-hostdev a "$pair0" -- vm-attach-hostdev a "$pair1"
is "$first $second" "0 0" "one goes while the other comes"
like "$(rule a 5)" "10:229${tab}rw${tab}ok${tab}hostdev[01]\$" "the rule stays"
status_is 0 vm-detach-hostdev a "$pair1"
unchanged a "until that goes, too"
both vm-attach-hostdev a "$pair0" -- vm-attach-hostdev b "$pair1"
is "$(echo "$first $second" | tr ' ' '\n' | sort -n | tr '\n' ' ')" "0 10 " "of two guests exactly one gets something of the group"
winner=a loser=b
[ "$first" = 0 ] || { winner=b loser=a; }
like "$(cat "$T/one" "$T/two")" "IOMMU group|guest '$winner'" "the other one is told"
for device in "$pair0" "$pair1"; do
	status_is 10 vm-attach-hostdev "$loser" "$device"
	err_like "guest '$winner'"
done
status_is 10 vm-attach-hostdev --managed=no "$loser" "$pair0"
err_like "guest '$winner'"
vm-detach-hostdev -q "$winner" hostdev0 || fail "detach from $winner"
unchanged a "both as before"
vm-hostdev-unbind -q --siblings "$pair0" || fail "unbind"

# ---- on VFIO by somebody else's hand: it stays there ----
sys=$VM_SYSROOT/sys/bus/pci
echo vfio-pci >"$sys/devices/$other/driver_override"
echo "$other" >"$sys/devices/$other/driver/unbind"
echo "$other" >"$sys/drivers_probe"
remember a
for managed in no yes; do
	status_is 0 vm-attach-hostdev --managed=$managed a "$other"
	status_is 0 vm-detach-hostdev a "$other"
	is "$(driver "$other")" vfio-pci "managed=$managed: it is left on VFIO"
	unchanged a "as it was"
done
echo >"$sys/devices/$other/driver_override"
status_is 0 vm-hostdev-unbind "$other"
is "$(driver "$other")" nvme "until somebody gives it to the host"
remember a

# ---- claims or records removed by hand: what is left of them counts ----
status_is 0 vm-attach-hostdev a "$other"
for file in "claims/pci:$other" "hostdev/pci:$other"; do
	mv "$VM_ROOT/run/vm/$file" "$T/aside"
	status_is 10 vm-attach-hostdev b "$other"
	err_like "guest 'a'"
	mv "$T/aside" "$VM_ROOT/run/vm/$file"
done
status_is 0 vm-detach-hostdev a "$other"

# ---- devices that vanish, nodes that change, drivers that do not come back ----
vanish() {
	rm -r "$(readlink -f "$plug_tree/sys/bus/pci/devices/$1")"
	rm "$plug_tree/sys/bus/pci/devices/$1" "$plug_tree"/sys/bus/pci/drivers/*/"$1" "$plug_tree"/sys/kernel/iommu_groups/*/devices/"$1"
	rm -f "$plug_tree/dev/vfio/15"
}
appear() { grep "^pci $1" "$VM_TEST_DATA/hosts/plug" | "$VM_BUILD/tests/fake-sysfs" "$plug_tree"; }
status_is 0 vm-attach-hostdev a "$other"
vanish "$other"
status_is 0 vm-detach-hostdev a "$other"
appear "$other"
unchanged a "what has vanished can be taken back"
status_is 0 vm-attach-hostdev a "$other"
rm /dev/vfio/15 && mknod -m 600 /dev/vfio/15 c 10 237
status_is 0 vm-detach-hostdev a "$other"
unchanged a "the rule goes that was made, whatever number its node has now"
status_is 0 vm-attach-hostdev a "$other"
is "$(rule a 15)" "10:237${tab}rw${tab}ok${tab}hostdev0" "the next one is for the new number"
: >"$ctl/refuse-nvme"
status_is 0 vm-detach-hostdev a "$other"
err_like "warning: .*$other had the driver nvme and now has none"
rm "$ctl/refuse-nvme"
is "$(driver "$other")" "" "a driver that does not take it back is a warning"
echo "$other" >"$sys/drivers_probe"
unchanged a "and nothing else is left"
rm /dev/vfio/15 && mknod -m 600 /dev/vfio/15 c 10 229

# ---- a slot of the guest with more in it ----
status_is 0 vm-attach-hostdev --address=0000:03:00.0 a "$other"
cp "$VM_ROOT/run/vm/qemu/a/live.xml" "$T/live.xml"
at=$(vm-dumpxml a | tr '\n' ' ' | sed -n "s/.*<rng.*<address \(type='pci'[^/]*\)\/>.*<\/rng>.*/\1/p")
sed -i "s|$at|type='pci' domain='0x0000' bus='0x03' slot='0x00' function='0x1'|" "$VM_ROOT/run/vm/qemu/a/live.xml"
status_is 10 vm-detach-hostdev a "$other"
err_like "cannot take $other back: other functions of its slot of the guest cannot go alone"
cat "$T/live.xml" >"$VM_ROOT/run/vm/qemu/a/live.xml"
status_is 0 vm-detach-hostdev a "$other"
unchanged a "alone it goes"

# ---- QEMU out of its group, which is removed then ----
side=$(vm-info --get=acl a)
mount_of() { # of the hierarchy that has the rules
	awk -v v1="$1" '{ for (i = 7; $i != "-"; i++); if (v1 == "v1" ? $(i + 1) == "cgroup" && $NF ~ /,devices(,|$)/ : $(i + 1) == "cgroup2") print $5 }' /proc/self/mountinfo | head -n 1
}
if [ "$side" = v1 ] || [ "$side" = v2 ]; then
	hier=$(mount_of "$side") group=$(vm-info --get=cgroup a)
	echo "$(pid a)" >"$hier/cgroup.procs"
	refused a 10 "QEMU was moved to / of $hier, where the guest's device rules do not count; echo $(pid a) >$hier$group/qemu/cgroup.procs moves it back" "$other"
	find "$hier$group" -depth -type d -name qemu -exec rmdir {} +
	status_is 10 vm-attach-hostdev a "$other"
	err_like "the guest's group of cgroup $side is gone"
	ok "it can be ended all the same" vm-destroy -q a
else
	skip 5 "no device rules"
	vm-destroy -q a
fi
boot a
remember a

# ---- QEMU dies, hangs, does not hear; the guest refuses ----
: >"$T/bin/stand-in.die"
status_is 13 vm-attach-hostdev a "$other"
err_like 'QEMU ended meanwhile'
rm "$T/bin/stand-in.die"
wait_for 20 "the guest is off" is_off a
is "$(driver "$other") $(cd "$VM_ROOT/run/vm" && ls claims | grep -c "$other\|group:15")" "nvme 0" "what it was to have is the host's"
boot a
status_is 0 vm-attach-hostdev a "$other"
wait_for 20 "it sees the card" came a
guest_tell a 'hotplug off'
wait_for 20 "it ignores requests" guest_says a '^ok'
vm-detach-hostdev --wait=60 a "$other" 2>"$T/a.err" &
detach_a=$!
wait_for 20 "it is asked" record a unplug=
kill -9 "$(pid a)"
wait "$detach_a"
is "$?" 0 "a QEMU that ends while it is asked has let go"
wait_for 20 "the card is the host's" free "$other"
wait_for 20 "the guest is off" is_off a
boot a
remember a
: >"$T/bin/stand-in.reject"
status_is 0 vm-attach-hostdev a "$other"
status_is 13 vm-detach-hostdev a "$other"
err_like "the guest refuses to release $other"
like "$(vm-info a hostdevs)" "^hostdev0${tab}assigned" "it has it still"
is "$(rule a 15)" "10:229${tab}rw${tab}ok${tab}hostdev0" "with all that belongs to it"
rm "$T/bin/stand-in.reject"
status_is 0 vm-detach-hostdev a "$other"
unchanged a "asked again it lets go"
: >"$T/bin/stand-in.hang"
status_is 12 vm-attach-hostdev --timeout=4 a "$other"
err_like "it is not known whether QEMU took the devices: .*; vm-repair a asks it again"
like "$(vm-cgroup a devices)" "c${tab}10:229${tab}rw${tab}extra" "what QEMU may need stays open"
rm "$T/bin/stand-in.hang"
wait_for 20 "QEMU goes on" vm-qmp a query-status
status_is 0 vm-repair a
diag "$out"
like "$(vm-hostdev-list | grep "^$other" | cut -f5,7)" "^(host$tab-|assigned${tab}a)\$" "then it is known"
status_is 0 vm-detach-hostdev --if-needed a "$other"
unchanged a "and can be taken back"
kill -9 "$(watcher a)"
status_is 0 vm-attach-hostdev a "$other"
wait_for 20 "without watcher it sees the card, too" sh -c "[ \$(grep -c 'hotplug pci .* added' '$T/a.console') -ge 2 ]"
vm-qmp a 'device_del {"id":"hostdev0"}' >/dev/null
wait_for 20 "it goes, and nobody hears of it" has_not a hostdev0
is "$(driver "$other")" vfio-pci "nothing is given back"
status_is 0 vm-detach-hostdev a "$other"
unchanged a "who asks for it finishes it"
: >"$T/a.console"
status_is 0 vm-attach-hostdev a "$other"
wait_for 20 "once more" came a
guest_tell a 'hotplug off'
wait_for 20 "it ignores requests" guest_says a '^ok'
status_is 11 vm-detach-hostdev --wait=1 a "$other"
guest_tell a 'hotplug on'
let_go() { has_not a hostdev0 || { vm-qmp a 'device_del {"id":"hostdev0"}' >/dev/null 2>&1; false; }; }
wait_for 30 "it goes later, unheard" let_go
status_is 0 vm-repair a
is "$(driver "$other")" nvme "the next command finishes it"
unchanged a "without a rest"

# ---- whose QEMU is dead counts for nothing; a process that has its number now is left alone ----
status_is 0 vm-attach-hostdev b "$other"
env -i sleep 1000 &
stranger=$!
at_exit "kill $stranger 2>/dev/null"
dead=$(pid b)
kill -9 "$(watcher b)" "$dead"
wait_for 20 "it is dead" process_ended "$dead"
sed -i "s/^pid=[0-9]*/pid=$stranger/" "$VM_ROOT/run/vm/qemu/b/record"
status_is 0 vm-attach-hostdev a "$other"
is "$(vm-hostdev-list | grep "^$other" | cut -f5,7)" "assigned${tab}a" "another guest gets what the dead one had"
ok "the stranger lives" kill -0 "$stranger"
ok "and its limits are what they were" test ! -e "$T/limits/$stranger"
is "$(vm-info --get=state b)" shutoff "nothing is left of the dead one"
vanish "$other"
status_is 0 vm-destroy a
appear "$other"
is "$(cd "$VM_ROOT/run/vm" && ls claims hostdev | grep "$other\|group:15")" "" "a device that has vanished keeps nobody from ending"

# ---- its definition cannot be written, the disk is full ----
boot a
mount --bind "$VM_ROOT/etc" "$VM_ROOT/etc" && mount -o remount,bind,ro "$VM_ROOT/etc"
status_is 14 vm-attach-hostdev --persistent a "$other"
err_like 'the running guest has it now, but its definition could not be changed: .*Read-only file system; repeat it with --config'
umount "$VM_ROOT/etc"
is "$(vm-hostdev-list | grep "^$other" | cut -f5,7)" "assigned${tab}a" "so it is"
status_is 0 vm-detach-hostdev a "$other"
vm-destroy -q a
mkdir "$T/small"
mount -t tmpfs -o size=3m,mode=755 none "$T/small"
root=$VM_ROOT VM_ROOT=$T/small
cp -r "$root/etc" "$root/var" "$VM_ROOT/" 2>/dev/null
fill() { dd if=/dev/zero of="$VM_ROOT/fill" bs=4k 2>/dev/null; ! printf x 2>/dev/null >"$VM_ROOT/more"; }
plug_xml full >"$T/full.xml"
vm-define -q "$T/full.xml" || fail "define full"
boot full
remember full
ok "the disk is full" fill
status_is 14 vm-attach-hostdev full "$other"
err_like 'No space left'
rm "$VM_ROOT/fill" "$VM_ROOT/more"
unchanged full "nothing was begun that could not be undone"
status_is 0 vm-attach-hostdev full "$other"
ok "the disk is full again" fill
status_is 0 vm-destroy full
is "$(driver "$other")" nvme "it is given back all the same"
rm "$VM_ROOT/fill" "$VM_ROOT/more"
is "$(devices_held)" "" "no claim, no record"
VM_ROOT=$root
umount "$T/small"

# ---- USB devices that are not there ----
missing() { echo "<hostdev type='usb'><source startupPolicy='$1'><vendor id='0x1111'/><product id='0x222$2'/></source></hostdev>"; }
plug_xml usb "$(missing optional 1)" | sed "s|type='usb' model='none'|type='usb' model='qemu-xhci'|" >"$T/usb.xml"
ok "define" vm-define -q "$T/usb.xml"
boot usb
like "$(vm-info usb hostdevs)" "^hostdev0${tab}missing" "a guest can do without it"
is "$(vm-cgroup usb devices | grep -c /dev/bus/usb)" 0 "no rule is there for it"
missing requisite 2 >"$T/requisite.xml"
status_is 0 vm-attach-hostdev usb "$T/requisite.xml"
status_is 5 vm-attach-hostdev usb usb:1111:2223
status_is 0 vm-destroy usb

# ---- the device that VFIO did not let go of ----
wait "$detach_c"
is "$?" 0 "the guest has let go of it, whatever VFIO does"
like "$(cat "$T/c.err")" "warning: .*$card: vfio-pci does not let go of it: somebody has it open" "it is told"
diag "$(($(date +%s) - c_began)) s"
is "$(vm-hostdev-list --state=stuck | cut -f1)" "$card" "it is stuck"
is "$(rule c 14)" "" "the guest cannot open it any more"
is "$(ls "$VM_ROOT/run/vm/claims" | grep -c "$card\|group:14")" 0 "and does not hold it"
status_is 0 vm-destroy c
rm "$ctl/hang-$card"
wait_for 20 "VFIO lets go" grep -q "unbound $card" "$ctl/log"
boot a
status_is 0 vm-attach-hostdev a "$card"
is "$(driver "$card")" vfio-pci "and the next guest can have it"
: >"$ctl/refuse-nvme"
status_is 0 vm-destroy a
err_like "vm-destroy: warning: .*$card had the driver nvme and now has none"
rm "$ctl/refuse-nvme"
umount "$VM_SYSROOT"
leftovers "nothing is left"
done_testing
