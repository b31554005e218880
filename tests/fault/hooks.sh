# SPDX-License-Identifier: LGPL-2.1-or-later
# A host device that has a hook, and a guest that has one, where vm-attach-hostdev, vm-detach-hostdev, vm-start, vm-destroy and the
# program that gives back are interrupted or fail at any system call: all of the device is the guest's or nothing, and every
# beginning that a hook was told of is followed by its end before the next, and before the device is free.
# timeout: 3600
PLUG_MORE="pci 0000:05:00.0 8086:3ea0 030000 group=30 driver=i915
driver i915 8086:3ea0
mdevtype i915-GVTg_V5_4 api=vfio-pci left=1 on=0000:05:00.0
mdev b155147a-663a-4009-ae7f-e9a96805b3ce type=i915-GVTg_V5_4 api=vfio-pci group=31 on=0000:05:00.0"
mdev=mdev:b155147a-663a-4009-ae7f-e9a96805b3ce
PLUG_GROUPS="/sys/bus/mdev/devices/${mdev#mdev:} 31"
. "$(dirname "$0")/../lib/plug.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
. "$VM_SOURCE/tests/fault/lib/plug.sh"

f_guest=fhook$$
plug_xml "$f_guest" >"$T/guest.xml"
plug_xml "$f_guest" "<hostdev type='pci' managed='yes'><source><address domain='0' bus='1' slot='0' function='0'/></source></hostdev>" >"$T/with.xml"
f_learn_caps
host_state >"$T/host"
[ -n "${VM_FAULT_SAMPLE:-}" ] || f_sample=1
# a sample is of what is tried nowhere else: the rest is as without hooks
f_tree= f_more=
[ -z "${VM_TEST_FULL:-}${VM_FAULT_AT:-}${VM_FAULT_SAMPLE:-}" ] || f_tree=tree f_more=fail

# The witness writes a word in one write().
f_install() {
	mkdir -p "$VM_ROOT/etc/vm/hooks/hostdev.d" || return
	printf '#!/bin/sh\necho "$2" >>"$VM_ROOT/said.device"\n' >"$VM_ROOT/etc/vm/hooks/hostdev.d/1cc1:8201"
	printf '#!/bin/sh\ncat >/dev/null; echo "$2" >>"$VM_ROOT/said.guest"\n' >"$VM_ROOT/etc/vm/hooks/qemu"
	chmod 755 "$VM_ROOT/etc/vm/hooks/hostdev.d/1cc1:8201" "$VM_ROOT/etc/vm/hooks/qemu"
	cp "$VM_ROOT/etc/vm/hooks/hostdev.d/1cc1:8201" "$VM_ROOT/etc/vm/hooks/hostdev.d/mdev:i915-GVTg_V5_4"
}
# FILE BEGINNING END: prints "open" when the last beginning has no end, "closed" when it has; and what is wrong in between.
f_order() {
	[ -e "$VM_ROOT/$1" ] || echo closed
	[ ! -e "$VM_ROOT/$1" ] || awk -v b="$2" -v e="$3" '
		$1 == b { if (open) print "two beginnings without an end between"; open = 1 }
		$1 == e { open = 0 }
		END { print open ? "open" : "closed" }' "$VM_ROOT/$1"
}
f_balanced() { # WHEN: the device's, then the guest's
	f_wanted=closed
	[ ! -e "$VM_ROOT/run/vm/hostdev/pci:$card" ] || f_wanted=open
	! grep -qs "^held=hostdev $mdev" "$VM_ROOT/run/vm/qemu/$f_guest/record" || f_wanted=open
	f_is=$(f_order said.device prepare released)
	[ "$f_is" = "$f_wanted" ] || echo "the device's hook: $f_is, not $f_wanted: $(paste -sd ' ' "$VM_ROOT/said.device")"
	f_wanted=closed
	[ "${f_true:-shutoff}" != running ] || f_wanted=open
	f_is=$(f_order said.guest prepare release)
	[ "$f_is" = "$f_wanted" ] || echo "the guest's hook: $f_is, not $f_wanted: $(paste -sd ' ' "$VM_ROOT/said.guest")"
}
f_finish() {
	vm-destroy -q "$f_guest"
	rm -f "$T/limits"/[0-9]*
	f_reuse "$card"
	f_left=$(host_state | diff "$T/host" - | head -n 3)
	[ -z "$f_left" ] || f_problem "after the guest's end: $f_left"
	f_true=shutoff
	f_left=$(f_balanced)
	[ -z "$f_left" ] || f_problem "after the guest's end: $f_left"
}

# ---- in a guest that runs ----
f_check() {
	f_alike "$1" "$card" limit_now
	[ "$1" != "after the next command" ] || f_balanced
}
f_prepare() { f_install && vm-define -q "$T/guest.xml" && vm-start -q "$f_guest"; }
f_command() { "$@" vm-attach-hostdev -q "$f_guest" "$card"; }
f_converge() { "$@" vm-attach-hostdev -q --if-needed "$f_guest" "$card"; }
faults "vm-attach-hostdev" tool kill $f_tree fail
f_whole=no
f_prepare() {
	f_install && vm-define -q "$T/guest.xml" && vm-start -q "$f_guest" && vm-attach-hostdev -q "$f_guest" "$card" || return
	f_found
}
f_command() { "$@" vm-detach-hostdev -q --wait=5 "$f_guest" "$card"; }
f_converge() { "$@" vm-detach-hostdev -q --if-needed --wait=5 "$f_guest" "$card"; }
faults "vm-detach-hostdev" tool kill $f_tree $f_more
f_whole=

# ---- a guest that comes and goes with it ----
there() { if [ -e "$VM_ROOT/run/vm/$1" ]; then echo yes; else echo no; fi; }
f_check() {
	[ "$1" = "after the next command" ] || return 0
	f_reuse "$card"
	if grep -qs "^held=hostdev $card" "$VM_ROOT/run/vm/qemu/$f_guest/record"; then
		wanted="vfio-pci vfio-pci yes yes yes"
	else
		wanted="nvme (null) no no no"
	fi
	got="$(driver "$card") $(cat "$VM_SYSROOT/sys/bus/pci/devices/$card/driver_override") $(there "claims/pci:$card") $(there claims/iommu-group:14) $(there "hostdev/pci:$card")"
	[ "$got" = "$wanted" ] || echo "driver, override, claims and record of the device: $got, not $wanted"
	f_balanced
}
f_prepare() { f_install && vm-define -q "$T/with.xml"; }
f_command() { "$@" vm-start -q "$f_guest"; }
f_converge() { "$@" vm-start -q --if-needed "$f_guest"; }
faults "vm-start" tool kill $f_tree fail
f_whole=no
f_prepare() { f_install && vm-define -q "$T/with.xml" && vm-start -q "$f_guest"; }
f_command() { "$@" vm-destroy -q "$f_guest"; }
f_converge() { "$@" vm-destroy -q --if-needed "$f_guest" || "$@" vm-start -q "$f_guest"; }
faults "vm-destroy" tool kill $f_tree $f_more
f_prepare() {
	f_install && vm-define -q "$T/with.xml" && vm-start -q --no-watch "$f_guest" || return
	qemu=$(vm-info --get=pid "$f_guest")
	kill -9 "$qemu"
	for f_try in 1 2 3 4 5 6 7 8 9 10; do
		! process_ended "$qemu" || return 0
		sleep 0.1
	done
}
f_command() { "$@" vm-hostdev-reap qemu:///system "qemu/$f_guest" "$card"; }
f_converge() { "$@" vm-repair -q "$f_guest"; }
faults "vm-hostdev-reap" tool kill $f_tree fail

# ---- a device that stays with its driver: that its hook is to hear of the end is in the guest's journal ----
f_whole=
f_check() {
	[ "$1" = "after the next command" ] || return 0
	[ ! -e "$VM_ROOT/run/vm/hostdev/$mdev" ] || vm-repair -q --all || echo "vm-repair: $?"
	got="$(there "claims/$mdev") $(there "hostdev/$mdev")"
	if grep -qs "^held=hostdev $mdev" "$VM_ROOT/run/vm/qemu/$f_guest/record"; then wanted="yes no"; else wanted="no no"; fi
	[ "$got" = "$wanted" ] || echo "claim and record of the device: $got, not $wanted"
	f_balanced
}
f_prepare() { f_install && vm-define -q "$T/guest.xml" && vm-start -q "$f_guest"; }
f_command() { "$@" vm-attach-hostdev -q "$f_guest" "$mdev"; }
f_converge() { "$@" vm-attach-hostdev -q --if-needed "$f_guest" "$mdev"; }
faults "vm-attach-hostdev of a mediated device" tool kill $f_tree $f_more
f_whole=no
f_prepare() {
	f_install && vm-define -q "$T/guest.xml" && vm-start -q "$f_guest" && vm-attach-hostdev -q "$f_guest" "$mdev" || return
	f_found
}
f_command() { "$@" vm-detach-hostdev -q --wait=5 "$f_guest" "$mdev"; }
f_converge() { "$@" vm-detach-hostdev -q --if-needed --wait=5 "$f_guest" "$mdev"; }
faults "vm-detach-hostdev of a mediated device" tool kill $f_tree $f_more
umount "$VM_SYSROOT"
leftovers
done_testing
