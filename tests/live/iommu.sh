# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests with an IOMMU of their own: how much memory their host devices let QEMU lock, at the start and while they run; and
# that QEMU takes every model.
# timeout: 300
. "$(dirname "$0")/../lib/plug.sh"
needs vm-repair vm-hostdev-info
mib=1048576 guest_mib=32
of() { echo $(($1 * guest_mib * mib + beyond)); } # N times all of the guest's memory
at_start() { vm-start --dry-run "$1" 2>&1 | sed -n 's/.*raise the limit of locked memory from [0-9]* to \([0-9]*\) bytes.*/\1/p'; }
pci() { echo "$1" | sed 's|^\(.*\):\(.*\):\(.*\)\.\(.*\)$|<hostdev type="pci" managed="yes"><source><address domain="0x\1" bus="0x\2" slot="0x\3" function="0x\4"/></source></hostdev>|'; }
intel="<iommu model='intel'><driver caching_mode='on'/></iommu>"
beyond=$(vm-hostdev-info --get=memlock_beyond_guest_bytes "$card")
is "$beyond" 1073741824 "a gigabyte besides the guest's memory"

# ---- at the start ----
plug_xml none "$(pci "$card")$(pci "$other")" >"$T/none.xml"
plug_xml two "<controller type='pci' index='4' model='pcie-root-port'/><controller type='pci' index='5' model='pcie-root-port'/>$intel$(pci "$card")$(pci "$other")" >"$T/two.xml"
plug_xml one "$intel" >"$T/one.xml"
plug_xml blind "<iommu model='intel'/>" >"$T/blind.xml"
for guest in none two one blind; do status_is 0 vm-define "$T/$guest.xml"; done
ulimit -S -l 64
is "$(at_start none)" "$(of 1)" "without an IOMMU two devices share one mapping"
is "$(at_start two)" "$(of 2)" "with one each has its own"
is "$(at_start one)" "" "without devices nothing is locked"
if setpriv --bounding-set=-sys_resource true 2>/dev/null; then
	(
		ulimit -l 64
		VFIO_STAND_IN_LIMITS=
		unset VFIO_STAND_IN_LIMITS
		setpriv --bounding-set=-sys_resource vm-start --dry-run two >"$T/out" 2>&1
		echo $? >"$T/status"
	)
	is "$(cat "$T/status")" 4 "who may not raise the limit cannot start it"
	like "$(cat "$T/out")" "raise the limit of locked memory from 65536 to $(of 2) bytes: Operation not permitted; that needs CAP_SYS_RESOURCE" "with both numbers"
else
	skip 2 "no right can be given up here"
fi
status_is 0 vm-start two
wait_for 20 "a guest with an Intel IOMMU is up" guest_says two '^pci end'
was=$(sed -n 's/^memlock=//p' "$VM_ROOT/run/vm/qemu/two/record")
isnt "$was" "" "what the limit was is in its record"
status_is 0 vm-attach-hostdev two "$pair0" "$pair1"
is "$(memlock two)" "$(of 4)" "two more make it four times the guest's memory"
status_is 0 vm-detach-hostdev two "$card" "$other"
is "$(memlock two)" "$(of 4)" "it is not lowered while there are any"
status_is 0 vm-detach-hostdev two "$pair0" "$pair1"
is "$(memlock two)" "${was%% *}" "with the last it is what it was before the start"
ok "the record is there" test -s "$VM_ROOT/run/vm/qemu/two/record"
is "$(sed -n 's/^memlock=//p' "$VM_ROOT/run/vm/qemu/two/record")" "" "and has forgotten it"
status_is 0 vm-destroy two
is "$(driver "$card") $(driver "$other")" "nvme nvme" "the host has its devices back"

# ---- while it runs: the limit is raised before QEMU is asked ----
status_is 0 vm-start one
wait_for 20 "the guest is up" guest_says one '^pci end'
remember one
before=$(awk '/Max locked/ { print $4 }' "/proc/$(vm-info --get=pid one)/limits")
status_is 0 vm-attach-hostdev one "$card"
is "$(memlock one)" "$(of 1)" "one device: all of the guest's memory once"
plug_state one >"$T/with-one"
status_is 0 vm-attach-hostdev --dry-run one "$other"
like "$(printf '%s\n' "$out$err" | grep 'locked memory\|QMP device_add' | paste -sd'|')" \
	"raise the limit of locked memory from [0-9]* to $(of 2) bytes.*|.*QMP device_add" "a second: once more, before device_add"
is "$(memlock one)" "$(of 1)" "--dry-run changes nothing"
: >"$T/bin/stand-in.refuse"
status_is 13 vm-attach-hostdev one "$other"
rm "$T/bin/stand-in.refuse"
plug_state one >"$T/after"
is "$(diff "$T/with-one" "$T/after")" "" "refused by QEMU: as it was"
: >"$T/limits/refuse"
status_is 4 vm-attach-hostdev one "$other"
err_like "raise the limit of locked memory of QEMU from [0-9]* to $(of 2) bytes: Operation not permitted"
rm "$T/limits/refuse"
plug_state one >"$T/after"
is "$(diff "$T/with-one" "$T/after")" "" "refused by the kernel: as it was"
status_is 0 vm-attach-hostdev one "$other"
is "$(memlock one)" "$(of 2)" "given: twice"
status_is 0 vm-detach-hostdev one "$other"
is "$(memlock one)" "$(of 2)" "one goes: it stays"
status_is 0 vm-detach-hostdev one "$card"
is "$(memlock one)" "$before" "the last goes: it is what it was"
unchanged one "nothing is left"
status_is 0 vm-destroy one

# ---- an IOMMU that tells nobody of its mappings ----
status_is 0 vm-start blind
remember blind
status_is 6 vm-attach-hostdev blind "$card"
err_like "a host device behind the guest's Intel IOMMU needs its caching mode; write <driver caching_mode='on'/> into <iommu>"
unchanged blind "as it was"
status_is 0 vm-destroy blind

# ---- the virtio one is a device that the guest sees ----
plug_xml virt "<iommu model='virtio'/><rng model='virtio'><driver iommu='on' ats='on'/><backend model='random'>/dev/urandom</backend></rng>$(pci "$card")" >"$T/virt.xml"
status_is 0 vm-define "$T/virt.xml"
is "$(at_start virt)" "$(of 1)" "it counts as well"
status_is 0 vm-start virt
wait_for 20 "the guest is up" guest_says virt '^pci end'
ok "it sees the IOMMU" guest_says virt '1af4:1057'
status_is 0 vm-attach-hostdev virt "$other"
is "$(memlock virt)" "$(of 2)" "a second device: twice"
status_is 0 vm-destroy virt
is "$(devices_held)" "" "no claim, no record is left"
done_testing
