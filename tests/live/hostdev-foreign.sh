# SPDX-License-Identifier: LGPL-2.1-or-later
# Host devices that QEMU has and no document, and the other way round: QEMU's own list wins, and the differences are told.
. "$(dirname "$0")/../lib/plug.sh"
needs vm-qmp vm-doctor vm-info vm-hostdev-bind vm-hostdev-unbind vm-hostdev-list vm-repair
run=$VM_ROOT/run/vm/qemu
has() { vm-qmp "$1" 'qom-list {"path":"/machine/peripheral"}' | grep -q "\"$2\""; }
has_not() { ! has "$1" "$2"; }
rows() { vm-info "$1" hostdevs | cut -f1,2,4 | paste -sd'|'; }
by_hand() { vm-qmp "$1" "device_add {\"driver\":\"vfio-pci\",\"host\":\"$2\",\"id\":\"$3\",\"bus\":\"$4\"}" >/dev/null; }

plug_xml a >"$T/a.xml"
vm-define -q "$T/a.xml" || fail define
vm-start -q --timeout=60 a || fail start
wait_for 20 "the guest is up" guest_says a '^pci end'
is "$(rows a)" "" "it has no host device"
rule() { vm-cgroup a devices | grep "/dev/vfio/$1\$" | cut -f2-5; }
kept() { # what of the group of the pair is the guest's
	echo "$(rule 5)|$(test -c "$run/a/dev/vfio/5" && echo node)|$(test -e "$VM_ROOT/run/vm/claims/iommu-group:5" && echo claim)|$(driver "$pair0")"
}
is_unchanged() { plug_state a >"$T/now"; cmp -s "$T/before" "$T/now"; }

# ---- given past these programs: the rule and the node of its group are there for its sibling ----
vm-hostdev-bind -q --siblings "$pair0"
remember a
status_is 0 vm-attach-hostdev a "$pair0"
bus=$(vm-info a ports | grep "${tab}free" | head -n 1 | cut -f1)
ok "a sibling comes by hand" by_hand a "$pair1" first "pci.$bus"
is "$(rows a)" "hostdev0${tab}assigned${tab}$pair0|first${tab}foreign${tab}$pair1" "vm-info tells both"
status_is 0 vm-info --json a hostdevs
out_like "\"alias\":\"first\",\"state\":\"foreign\",\"guest_address\":null,\"device\":\"$pair1\""
vm-doctor a >"$T/doctor" 2>&1
like "$(cat "$T/doctor")" "it has the host device $pair1 .vfio-pci first., which is not in its document.*vm-detach-hostdev 'a' 'first'" "so does vm-doctor, and what takes it back"
vm-qmp a 'device_del {"id":"first"}' >/dev/null
wait_for 20 "it goes" has_not a first
is "$(rows a)" "hostdev0${tab}assigned${tab}$pair0" "then it is told of no more"

# ---- what it needs stays when the others of its group go ----
all="10:229${tab}rw${tab}ok${tab}byhand|node|claim|vfio-pci"
ok "it comes again" by_hand a "$pair1" byhand "pci.$bus"
status_is 0 vm-detach-hostdev a "$pair0"
is "$(rows a)" "byhand${tab}foreign${tab}$pair1" "the guest has it alone"
is "$(kept)" "$all" "rule, node and claim stay for it, and its sibling stays on VFIO"
like "$(memlock a)" "^$(((32 + 1024) * 1048576))\$" "so does the limit of locked memory"
status_is 0 vm-repair a
is "$(kept)" "$all" "as long as it is there"
status_is 0 vm-detach-hostdev --dry-run a "$pair1"
out_like 'QMP device_del {"id":"byhand"}'
status_is 0 vm-detach-hostdev --json a "$pair1"
out_like "\"devices\":\[{\"device\":\"$pair1\",\"alias\":\"byhand\""
unchanged a "by its address it is taken back, and with it all that was kept for it"

status_is 0 vm-attach-hostdev a "$pair0"
ok "once more" by_hand a "$pair1" byhand "pci.$bus"
status_is 0 vm-detach-hostdev a hostdev0
vm-qmp a 'device_del {"id":"byhand"}' >/dev/null
wait_for 30 "gone by hand, the watcher gives the rest back" is_unchanged
status_is 0 vm-attach-hostdev a "$pair0"
ok "and again" by_hand a "$pair1" byhand "pci.$bus"
status_is 0 vm-detach-hostdev a hostdev0 "$pair1"
unchanged a "one of the document and one that is not, in one"
status_is 0 vm-attach-hostdev a "$pair0"
ok "to the end of the guest" by_hand a "$pair1" byhand "pci.$bus"
status_is 0 vm-detach-hostdev a hostdev0
vm-destroy -q a
is "$(driver "$pair0")$(ls "$VM_ROOT/run/vm/claims" | grep -c 'group:5')" "vfio-pci0" "which gives all of it back"
vm-start -q --timeout=60 a || fail start
wait_for 20 "the guest is up again" guest_says a '^pci end'
remember a
status_is 5 vm-detach-hostdev a "$pair1"
err_like "has no host device $pair1; vm-info a hostdevs lists those it has"
status_is 0 vm-detach-hostdev --if-needed a "$pair1"
status_is 0 vm-attach-hostdev a "$pair0"
vm-qmp a "device_add {\"driver\":\"vfio-pci\",\"host\":\"$pair1\",\"bus\":\"pci.$bus\"}" >/dev/null
name='/machine/peripheral-anon/device[0]'
is "$(rows a)" "hostdev0${tab}assigned${tab}$pair0|$name${tab}foreign${tab}-" "one without a name is told of by its path"
status_is 3 vm-detach-hostdev a "$name"
err_like "$(printf '%s' "$name" | sed 's/[][]/./g') was given to QEMU past these programs, and without a name; vm-qmp a 'device_del .\"id\":.*' takes it back"
ok "as it says" vm-qmp a "device_del {\"id\":\"$name\"}"
wait_for 20 "it goes" sh -c "! vm-info a hostdevs | grep -q foreign"

# ---- the document was edited, or something was lost of it ----
cp "$run/a/live.xml" "$T/live.xml"
sed -i "s|<address domain='0x0001' bus='0x01' slot='0x00' function='0x0'/>|<address domain='0x0001' bus='0x01' slot='0x00' function='0x1'/>|" "$run/a/live.xml"
is "$(rows a)" "hostdev0${tab}released${tab}$pair1|hostdev0${tab}foreign${tab}$pair0" "another device of that name is another device"
vm-doctor a >"$T/doctor" 2>&1
like "$(paste -sd' ' "$T/doctor")" "$pair0 .vfio-pci hostdev0., which is not in its document.*$pair1 .hostdev0. is in its document, but it does not have it" "vm-doctor tells of both"
tr '\n' '\r' <"$T/live.xml" | sed "s|<hostdev .*</hostdev>||" | tr '\r' '\n' >"$run/a/live.xml"
is "$(rows a)" "hostdev0${tab}foreign${tab}$pair0" "what is not in the document is there all the same"
status_is 0 vm-detach-hostdev a "$pair0"
unchanged a "and given back as if it were: the record knows it"
status_is 0 vm-attach-hostdev a "$pair0"

# ---- let go, and nobody heard ----
kill -9 "$(sed -n 's/^watcher=\([0-9]*\).*/\1/p' "$run/a/record")"
vm-qmp a 'device_del {"id":"hostdev0"}' >/dev/null
wait_for 20 "the guest lets go of a device" has_not a hostdev0
is "$(rows a)" "hostdev0${tab}released${tab}$pair0" "vm-info says so"
vm-doctor a >"$T/doctor" 2>&1
like "$(cat "$T/doctor")" "$pair0 .hostdev0. is in its document, but it does not have it any more.*vm-repair 'a' gives back" "and vm-doctor what is to be done"
status_is 0 vm-repair a
is "$(rows a)" "" "which does it"
status_is 0 vm-attach-hostdev a "$pair0"
ok "without a watcher" by_hand a "$pair1" byhand "pci.$bus"
status_is 0 vm-detach-hostdev a hostdev0
is "$(kept)" "$all" "it stays, too"
vm-qmp a 'device_del {"id":"byhand"}' >/dev/null
wait_for 20 "until it goes" has_not a byhand
is "$(kept)" "$all" "nobody has heard of that"
status_is 0 vm-repair a
out_like 'gave back host devices'
unchanged a "but vm-repair finds it"
vm-hostdev-unbind -q --siblings "$pair0"

# ---- a device of nobody's that a guest has open is not free ----
status_is 0 vm-attach-hostdev a "$other"
vm-hostdev-bind -q "$card"
is "$(vm-hostdev-list | grep "^$card" | cut -f5,7)" "ready${tab}-" "one that is on VFIO is free"
dev=$run/a/dev
mknod -m 600 "$dev/vfio/14" c 10 229
chown "$(sed -n 's/^uid=//p' "$run/a/record")" "$dev/vfio/14"
ok "it comes by hand" by_hand a "$card" lone "pci.$bus"
is "$(vm-hostdev-list | grep "^$card" | cut -f5,7)" "assigned${tab}a" "then it is not"
status_is 0 vm-hostdev-info "$card"
out_like "problem${tab}guest 'a' has it open, though it was not given to it; vm-info 'a' hostdevs tells as what; vm-detach-hostdev 'a' $card takes it back"
status_is 10 vm-attach-hostdev a "$card"
err_like "cannot assign $card: guest 'a' has it open, though it was not given to it"
status_is 10 vm-hostdev-unbind "$card"
is "$(driver "$card")" vfio-pci "it is not taken from VFIO"
vm-doctor hostdev >"$T/doctor" 2>&1
like "$(cat "$T/doctor")" "$card: guest 'a' has it open, though it was not given to it" "vm-doctor tells of it"
status_is 0 vm-detach-hostdev a "$card"
is "$(vm-hostdev-list | grep "^$card" | cut -f5,7)" "ready${tab}-" "taken back it is free"
rm -f "$dev/vfio/14"
status_is 0 vm-hostdev-unbind "$card"
status_is 0 vm-detach-hostdev a "$other"

# ---- a QEMU that says nothing ----
status_is 0 vm-attach-hostdev a "$card"
kill -STOP "$(vm-info --get=pid a)"
status_is 0 vm-info --timeout=2 a hostdevs
is "$(printf '%s\n' "$out" | cut -f1,2,4)" "hostdev0${tab}assigned${tab}$card" "keeps nobody from what the document says"
err_like 'only what its document says is shown: .*does not answer'
kill -CONT "$(vm-info --get=pid a)"
status_is 0 vm-detach-hostdev a "$card"
done_testing
