# SPDX-License-Identifier: LGPL-2.1-or-later
# A USB device of a running guest is unplugged from the host and plugged in again: it has another number then, and QEMU is
# given it anew.
# timeout: 600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
HOST_TIMEOUT=570
host_machine

VM_TIMEOUT=200
export VM_TIMEOUT
# the kernel's own: a controller and a device of software
ok "USB" host_modules dummy_hcd g_serial
device() { vm-hostdev-list --kind=usb | grep 'Gadget Serial' | cut -f1; }
plugged() { [ -n "$(device)" ]; }
wait_for 60 "the host has a USB device" plugged
usb=$(device)
port=${usb#usb:}
tab=$(printf '\t')
diag "$(vm-hostdev-list --kind=usb)"
number() { cat "/sys/bus/usb/devices/$port/devnum"; }
node() { printf '/dev/bus/usb/%03d/%03d' "$(cat "/sys/bus/usb/devices/$port/busnum")" "$(number)"; }
replug() {
	was=$(number)
	modprobe -r g_serial
	wait_for 60 "unplugged" test ! -e "/sys/bus/usb/devices/$port"
	[ -z "${1:-}" ] || "$@"
	modprobe g_serial
	wait_for 60 "and in again" plugged
	wait_for 60 "its node too" test -c "$(node)"
	isnt "$(number)" "$was" "with another number"
}
state() {
	host_run_state hot
}
guest_xml hot "<controller type='usb' index='0' model='qemu-xhci'/><controller type='pci' index='1' model='pcie-root-port'/>" |
	sed -e "/type='usb' model='none'/d" >"$T/hot.xml"
host_guest hot
state >"$T/before"
given() { # DESC
	is "$(vm-info hot hostdevs | cut -f1,2)" "hostdev0${tab}assigned" "$1: the guest has it"
	like "$(vm-cgroup hot devices)" "c${tab}189:[0-9]*${tab}rw${tab}ok${tab}hostdev0${tab}$(node)" "$1: a rule for its new node"
	is "$(vm-cgroup hot devices | grep -c /dev/bus/usb/)" 1 "$1: and for no other"
	is "$(cd "$VM_ROOT/run/vm/qemu/hot/dev" && find bus -type c)" "$(node | cut -d/ -f3-)" "$1: that node is in its /dev, and no other"
	like "$(for fd in "/proc/$(vm-info --get=pid hot)"/fd/*; do readlink "$fd"; done)" "$(node)" "$1: QEMU has it open"
	like "$(vm-qmp --hmp hot 'info usb')" 'Product Gadget Serial.*hostdev0|Device 0\.[1-9]' "$1: it is on the guest's bus"
}
closed() { # DESC
	is "$(vm-info hot hostdevs | cut -f1,2)" "hostdev0${tab}missing" "$1: it is missing"
	is "$(vm-cgroup hot devices | grep -c /dev/bus/usb/)" 0 "$1: no rule is left for it"
	not_ok "$1: nor its node" test -e "$VM_ROOT/run/vm/qemu/hot/dev/bus"
	not_ok "$1: nor the claim" test -e "$VM_ROOT/run/vm/claims/$usb"
}
status_is 0 vm-attach-hostdev hot "$usb"
given "attached"
replug
status_is 0 vm-repair hot
given "after vm-repair"
while_away() {
	is "$(vm-info hot hostdevs | cut -f1,2)" "hostdev0${tab}missing" "while it is away vm-info says so"
	status_is 0 vm-suspend hot
	status_is 0 vm-resume hot
	closed "after a command"
}
replug while_away
status_is 0 vm-suspend hot
given "after the next command"
status_is 0 vm-resume hot
status_is 0 vm-detach-hostdev hot "$usb"
state >"$T/after"
is "$(diff "$T/before" "$T/after" | head -n 8)" "" "detached: nothing of it is left"

# ---- and taken away then ----
status_is 0 vm-attach-hostdev hot "$usb"
replug
status_is 0 vm-detach-hostdev hot "$usb"
state >"$T/after"
is "$(diff "$T/before" "$T/after" | head -n 8)" "" "what was replugged can be detached at once"

# ---- while it is away ----
status_is 0 vm-attach-hostdev hot "$usb"
modprobe -r g_serial
wait_for 60 "unplugged" test ! -e "/sys/bus/usb/devices/$port"
status_is 0 vm-repair hot
closed "vm-repair"
status_is 0 vm-detach-hostdev hot hostdev0
state >"$T/after"
is "$(diff "$T/before" "$T/after" | head -n 8)" "" "what is away can be detached"
modprobe g_serial
wait_for 60 "in again" plugged

# ---- named by its number alone ----
bus=$(cat "/sys/bus/usb/devices/$port/busnum")
echo "<hostdev mode='subsystem' type='usb'><source><address bus='$bus' device='$(number)'/></source></hostdev>" >"$T/number.xml"
status_is 0 vm-attach-hostdev hot "$T/number.xml"
given "by number"
replug
status_is 0 vm-repair hot
closed "another number is another device"
status_is 0 vm-repair hot
closed "and stays one"
status_is 0 vm-detach-hostdev hot hostdev0
state >"$T/after"
is "$(diff "$T/before" "$T/after" | head -n 8)" "" "detached: nothing of that is left"

# ---- told by udev ----
udevadm=$VM_TEST_CACHE/udev/bin/udevadm
if [ -x "$udevadm" ]; then
	ln -s "$udevadm" "$T/systemd-udevd"
	mkdir -p /run/vm/qemu /etc/udev/rules.d
	cp "$VM_BUILD/scripts/udev/70-vm-utils.rules" /etc/udev/rules.d/
	sed -i "s|RUN+=\"[^ ]*/vm-repair|RUN+=\"$VM_BUILD/bin/vm-repair|" /etc/udev/rules.d/70-vm-utils.rules
	echo "SUBSYSTEM==\"usb\", ENV{VM_ROOT}=\"$VM_ROOT\", ENV{VM_TIMEOUT}=\"200\"" >/etc/udev/rules.d/60-test.rules
	"$T/systemd-udevd" --daemon --resolve-names=never >"$T/udevd.log" 2>&1
	diag "$(cat "$T/udevd.log")"
	status_is 0 vm-attach-hostdev hot "$usb"
	is_closed() { [ "$(vm-cgroup hot devices | grep -c /dev/bus/usb/)" = 0 ] && [ ! -e "$VM_ROOT/run/vm/claims/$usb" ]; }
	is_given() { vm-cgroup hot devices | grep -q "ok${tab}hostdev0${tab}$(node)" && [ "$(vm-info hot hostdevs | cut -f2)" = assigned ]; }
	modprobe -r g_serial
	wait_for 100 "unplugged: udevd has its rule and its claim taken back" is_closed
	wait_for 100 "and noted" grep -q missing "$VM_ROOT/run/vm/qemu/hot/live.xml"
	closed "unplugged"
	modprobe g_serial
	wait_for 60 "plugged in" plugged
	wait_for 100 "udevd has it given anew" is_given
	given "by udevd"
	status_is 0 vm-detach-hostdev hot "$usb"
	"$udevadm" control --exit
	rm -r /etc/udev/rules.d /run/vm
else
	skip 1 "no udevd in $VM_TEST_CACHE; scripts/setup fetches it"
fi

# ---- not there yet ----
echo "<hostdev mode='subsystem' type='usb'><source startupPolicy='optional'><vendor id='0x0525'/><product id='0xa4a7'/></source></hostdev>" >"$T/optional.xml"
modprobe -r g_serial
wait_for 60 "unplugged" test ! -e "/sys/bus/usb/devices/$port"
status_is 0 vm-attach-hostdev hot "$T/optional.xml"
diag "$err"
is "$(vm-info hot hostdevs | cut -f1,2)" "hostdev0${tab}missing" "it may be missing"
status_is 0 vm-repair hot
is "$(vm-info hot hostdevs | cut -f1,2)" "hostdev0${tab}missing" "and is"
modprobe g_serial
wait_for 60 "plugged in" plugged
wait_for 60 "with its node" test -c "$(node)"
status_is 0 vm-repair hot
given "it has come"
status_is 0 vm-detach-hostdev hot "$usb"
state >"$T/after"
is "$(diff "$T/before" "$T/after" | head -n 8)" "" "nothing of that is left"
status_is 0 vm-destroy hot
done_testing
