# SPDX-License-Identifier: LGPL-2.1-or-later
# Mediated devices for real: the kernel's own mtty, a PCI card with serial ports that is nothing but software.  Made, defined, made
# with the host; given to guests at their start and while they run, and back however that ends.
# timeout: 600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=570 HOST_BUILT=mtty
host_machine

VM_TIMEOUT=200
export VM_TIMEOUT
tab=$(printf '\t')
ok "the driver" host_modules mtty
parent=/sys/class/mdev_bus/mtty
wait_for 30 "its parent" test -e "$parent/mdev_supported_types/mtty-2/create"
one=83b8f4f2-509f-382f-3c1e-e6bfe0fa1001 two=83b8f4f2-509f-382f-3c1e-e6bfe0fa1002
there() { [ -e "/sys/bus/mdev/devices/$1" ]; }
group() { basename "$(readlink "/sys/bus/mdev/devices/$1/iommu_group")"; }
left() { cat "$parent/mdev_supported_types/$1/available_instances"; }
records() { (cd "$VM_ROOT/run/vm" && ls -d claims/* hostdev/* 2>/dev/null | grep -v '\.lock$'); }

# ---- what can make them ----
is "$(vm-hostdev-list --kind=mdev-parent)" "mtty$tab-$tab-$tab-${tab}blocked$tab-$tab-${tab}makes mtty-1 (24 more), mtty-2 (12 more)" "vm-hostdev-list"
like "$(vm-hostdev-info mtty)" "^mdev_type${tab}mtty-2 12 vfio-pci Dual port serial\$" "vm-hostdev-info"
like "$(vm-hostdev-info mtty)" "^problem${tab}it is not given to guests.*vm-hostdev-create --mdev=mtty-1 mtty" "it says how one is made"

# ---- made and unmade ----
status_is 5 vm-hostdev-create --mdev=mtty-9 --uuid=$one mtty
err_like "mtty makes no mediated devices of type 'mtty-9'; its types: mtty-1, mtty-2"
status_is 5 vm-hostdev-create --mdev=mtty-2 none
err_like "there is no parent of mediated devices none"
status_is 0 vm-hostdev-create --mdev=mtty-2 --uuid=$one mtty
out_is "mdev:$one: created"
is "$(left mtty-2)" 11 "one of the kernel's twelve is gone"
is "$(vm-hostdev-list --kind=mdev)" "mdev:$one$tab$(group $one)$tab-${tab}mtty${tab}ready$tab-$tab-${tab}Dual port serial of mtty" "vm-hostdev-list"
is "$(vm-hostdev-info --get=type,device_api,parent,assignable,path mdev:$one)" "mtty-2
vfio-pci
mtty
yes
/sys/devices/virtual/mtty/mtty/$one" "vm-hostdev-info"
status_is 0 vm-hostdev-create --mdev=mtty-2 --uuid=$one mtty
out_is "mdev:$one: created already"
status_is 10 vm-hostdev-create --mdev=mtty-1 --uuid=$one mtty
err_like "mdev:$one is there already, of type 'mtty-2' on mtty"
status_is 5 vm-hostdev-create --mdev=mtty-1 --uuid=$two --attr=speed=9600 mtty
err_like "the device has no attribute 'speed'"
not_ok "one that cannot be finished is not there" there $two
for n in $(seq 10 20); do echo 83b8f4f2-509f-382f-3c1e-e6bfe0fa10$n >$parent/mdev_supported_types/mtty-2/create; done
status_is 10 vm-hostdev-create --mdev=mtty-2 mtty
err_like "mtty can make no more devices of type 'mtty-2'"
for n in $(seq 10 20); do echo 1 >/sys/bus/mdev/devices/83b8f4f2-509f-382f-3c1e-e6bfe0fa10$n/remove; done
# whoever opened it without us
cat >"$T/hold.py" <<'END'
import fcntl, os, sys, time
vfio = lambda n: 0x3b64 + n
container = os.open("/dev/vfio/vfio", os.O_RDWR)
group = os.open("/dev/vfio/" + sys.argv[1], os.O_RDWR)
fcntl.ioctl(group, vfio(4), container.to_bytes(4, "little"))
fcntl.ioctl(container, vfio(2), 1)
device = fcntl.ioctl(group, vfio(6), sys.argv[2].encode() + b"\0")
print("held", flush=True)
time.sleep(1000)
END
python3 "$T/hold.py" "$(group $one)" $one >"$T/held" 2>&1 &
holder=$!
wait_for 60 "somebody has it open" grep -q held "$T/held"
like "$(vm-hostdev-info mdev:$one)" "^process$tab$holder python3 /dev/vfio/$(group $one)" "vm-hostdev-info tells who"
status_is 12 vm-hostdev-destroy --timeout=2 mdev:$one
err_like "mdev:$one goes only when nobody has it open any more; vm-hostdev-info mdev:$one shows who has"
kill "$holder"
gone() { ! there "$1"; }
wait_for 60 "it goes with its last user" gone $one
status_is 0 vm-hostdev-destroy mdev:$one
out_is "mdev:$one: destroyed already"
is "$(left mtty-2) $(records)" "12 " "everything is as it was"

# ---- killed while it is made ----
if [ "$HOST_CGROUP" != v1 ]; then
"$VM_BUILD/tests/fault" count -- vm-hostdev-create -q --mdev=mtty-2 --uuid=$one mtty >"$T/count" 2>&1
ok "made under a tracer" there $one
vm-hostdev-destroy -q mdev:$one
calls=$(sed -n 's/.*calls=\([0-9]*\).*/\1/p' "$T/count")
bad=
for n in 70 73 75 77 79 85; do
	"$VM_BUILD/tests/fault" kill $((calls * n / 100)) -- vm-hostdev-create -q --mdev=mtty-2 --uuid=$one mtty >"$T/out" 2>&1
	if there $one && [ -z "$(records)" ]; then # that was after the last step
		vm-hostdev-destroy -q mdev:$one
	fi
	vm-repair -q --all >/dev/null 2>&1
	if there $one || [ -n "$(records)" ]; then bad="$bad $n"; fi
done
is "$bad" "" "killed at any of $calls calls nothing of it is left"
fi

# ---- defined, and with the host ----
cat >"$T/one.xml" <<END
<device><parent>mtty</parent><capability type='mdev'><type id='mtty-2'/><uuid>$one</uuid></capability></device>
END
status_is 0 vm-hostdev-define "$T/one.xml"
out_is "mdev:$one: defined"
is "$(vm-hostdev-list --inactive | cut -f1,5)" "mdev:$one${tab}inactive" "vm-hostdev-list --inactive"
status_is 0 vm-hostdev-start mdev:$one
ok "made from its definition" there $one
status_is 0 vm-hostdev-autostart mdev:$one
status_is 0 vm-hostdev-destroy mdev:$one
not_ok "unmade" there $one
status_is 0 vm-hostdev-autostart --run
ok "made with the host" there $one

# ---- in a guest from its start ----
hostdev() { # UUID [ATTRIBUTES]
	echo "<hostdev mode='subsystem' type='mdev' model='vfio-pci'${2:-}><source><address uuid='$1'/></source></hostdev>"
}
define() { # NAME DEVICES
	guest_xml "$1" "<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-root-port'/><controller type='pci' index='3' model='pcie-root-port'/>$2" >"$T/$1.xml"
	vm-define -q "$T/$1.xml" || fail "define $1"
}
define hot "$(hostdev $one)"
status_is 0 vm-start hot
diag "$err"
wait_for 90 "the guest sees its card" guest_says hot '4348:3253'
wait_for 60 "and is up" guest_says hot '^pci end'
like "$(vm-info hot hostdevs)" "^hostdev0${tab}assigned${tab}0000:[0-9a-f:.]*${tab}mdev:$one\$" "vm-info lists it"
is "$(vm-hostdev-list --kind=mdev | cut -f5,7)" "assigned${tab}hot" "so does vm-hostdev-list"
is "$(vm-hostdev-info --get=mdev mtty)" "mdev:$one mtty-2 assigned hot" "and what made it tells whose it is"
status_is 6 vm-attach-hostdev hot mtty
err_like "mtty: it is not given to guests, but makes devices that are; vm-hostdev-create --mdev=mtty-1 mtty makes one"
rule() { vm-cgroup "$1" devices | grep "/dev/vfio/$(group "$2")\$" | cut -f3-5; }
is "$(rule hot $one)" "rw${tab}ok${tab}hostdev0" "a device rule for its group's node"
like "$(grep 'Max locked' "/proc/$(vm-info --get=pid hot)/limits")" "$(((32 + 1024) * 1048576))" "it may lock its memory and a gigabyte"
status_is 10 vm-hostdev-destroy mdev:$one
err_like "mdev:$one is used by guest 'hot'; vm-detach-hostdev hot mdev:$one gives it back"
# a type is of one API, and documents can ask for another
hostdev $two >"$T/two.xml"
sed 's/vfio-pci/vfio-ccw/' "$T/two.xml" >"$T/ccw.xml"
status_is 3 vm-attach-hostdev hot "$T/ccw.xml"
err_like "ccw.xml:1:[0-9]+: <hostdev> attribute 'model': 'vfio-ccw' is not supported yet"
guest_xml ccw "$(hostdev $two | sed 's/vfio-pci/vfio-ccw/')" >"$T/ccw.xml"
status_is 3 vm-define "$T/ccw.xml"
err_like "'vfio-ccw' is not supported yet"
define second "$(hostdev $one)"
status_is 10 vm-start second
err_like "mdev:$one.* guest 'hot'"

# ---- a second one while it runs ----
status_is 5 vm-attach-hostdev hot mdev:$two
err_like "there is no host device mdev:$two"
vm-hostdev-create -q --mdev=mtty-1 --uuid=$two mtty
state() {
	records
	vm-cgroup hot devices
	find "$VM_ROOT/run/vm/qemu/hot/dev" | sort
	cat "$VM_ROOT/run/vm/qemu/hot/live.xml"
	grep 'Max locked' "/proc/$(vm-info --get=pid hot)/limits"
}
state >"$T/before"
node=$(group $two)
status_is 0 vm-attach-hostdev hot mdev:$two
diag "$out $err"
is "$(rule hot $two)" "rw${tab}ok${tab}hostdev1" "a rule for its group's node"
ok "its node is in the guest's own /dev" test -c "$VM_ROOT/run/vm/qemu/hot/dev/vfio/$node"
wait_for 60 "the guest sees it come" guest_says hot 'hotplug pci .* added'
status_is 10 vm-attach-hostdev hot mdev:$two
err_like "has mdev:$two already"
status_is 10 vm-hostdev-destroy mdev:$two
status_is 0 vm-detach-hostdev --wait=200 hot mdev:$two
wait_for 60 "the guest sees it go" guest_says hot 'hotplug pci .* removed'
is "$(rule hot $two)" "" "no rule any more"
state >"$T/after"
is "$(diff "$T/before" "$T/after" | head -n 8)" "" "nothing of it is left"
status_is 0 vm-hostdev-destroy mdev:$two
not_ok "now it can go" there $two

# ---- however it ends ----
free() { [ "$(vm-hostdev-list --kind=mdev | cut -f5,7)" = "ready$tab-" ] && [ -z "$(records)" ]; }
pid() { vm-info --get=pid hot; }
watcher() { sed -n 's/^watcher=\([0-9]*\).*/\1/p' "$VM_ROOT/run/vm/qemu/hot/record"; }
status_is 0 vm-destroy hot
ok "vm-destroy gives it back" free
both() { # of two, one wins
	vm-start -q hot 2>"$T/one.err" & a=$!
	vm-start -q second 2>"$T/two.err" & b=$!
	wait $a; a=$?
	wait $b; b=$?
	[ "$a/$b" = 0/10 ] || [ "$a/$b" = 10/0 ]
}
ok "of two that start at once one gets it" both
like "$(cat "$T/one.err" "$T/two.err")" "mdev:$one.* guest '(hot|second)'" "the other is told who has it"
vm-destroy -q hot second >/dev/null 2>&1
status_is 0 vm-start hot
kill -9 "$(pid)"
wait_for 60 "kill -9 of QEMU: the watcher gives it back" free
wait_for 60 "the guest is off" vm-info --is=shutoff hot
status_is 0 vm-start hot
kill -9 "$(watcher)"
status_is 0 vm-destroy hot
ok "kill -9 of the watcher: vm-destroy gives it back" free
status_is 0 vm-start hot
kill -9 "$(watcher)" "$(pid)"
wait_for 60 "both are dead" sh -c 'vm-list --all | grep -q "stale.hot"'
status_is 0 vm-repair hot
ok "kill -9 of both: vm-repair gives it back" free
status_is 0 vm-hostdev-destroy mdev:$one
status_is 5 vm-start hot
err_like "there is no host device mdev:$one"
status_is 0 vm-hostdev-undefine mdev:$one
is "$(left mtty-2) $(records)" "12 " "everything is as it was"
done_testing
