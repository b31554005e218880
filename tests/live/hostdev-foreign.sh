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
remember a
is "$(rows a)" "" "it has no host device"

# ---- given past these programs: the rule and the node of its group are there for its sibling ----
vm-hostdev-bind -q --siblings "$pair0"
status_is 0 vm-attach-hostdev a "$pair0"
bus=$(vm-info a ports | grep "${tab}free" | head -n 1 | cut -f1)
ok "a sibling comes by hand" by_hand a "$pair1" byhand "pci.$bus"
is "$(rows a)" "hostdev0${tab}assigned${tab}$pair0|byhand${tab}foreign${tab}$pair1" "vm-info tells both"
status_is 0 vm-info --json a hostdevs
out_like "\"alias\":\"byhand\",\"state\":\"foreign\",\"guest_address\":null,\"device\":\"$pair1\""
vm-doctor a >"$T/doctor" 2>&1
like "$(cat "$T/doctor")" "it has the host device $pair1 .vfio-pci byhand., which is not in its document.*vm-detach-hostdev 'a' 'byhand'" "so does vm-doctor, and what takes it back"
vm-qmp a 'device_del {"id":"byhand"}' >/dev/null
wait_for 20 "it goes" has_not a byhand
is "$(rows a)" "hostdev0${tab}assigned${tab}$pair0" "then it is told of no more"

# ---- the document was edited, or something was lost of it ----
cp "$run/a/live.xml" "$T/live.xml"
sed -i "s|<address domain='0x0001' bus='0x01' slot='0x00' function='0x0'/>|<address domain='0x0001' bus='0x01' slot='0x00' function='0x1'/>|" "$run/a/live.xml"
is "$(rows a)" "hostdev0${tab}released${tab}$pair1|hostdev0${tab}foreign${tab}$pair0" "another device of that name is another device"
vm-doctor a >"$T/doctor" 2>&1
like "$(paste -sd' ' "$T/doctor")" "$pair0 .vfio-pci hostdev0., which is not in its document.*$pair1 .hostdev0. is in its document, but it does not have it" "vm-doctor tells of both"
tr '\n' '\r' <"$T/live.xml" | sed "s|<hostdev .*</hostdev>||" | tr '\r' '\n' >"$run/a/live.xml"
is "$(rows a)" "hostdev0${tab}foreign${tab}$pair0" "what is not in the document is there all the same"
cat "$T/live.xml" >"$run/a/live.xml"

# ---- let go, and nobody heard ----
kill -9 "$(sed -n 's/^watcher=\([0-9]*\).*/\1/p' "$run/a/record")"
vm-qmp a 'device_del {"id":"hostdev0"}' >/dev/null
wait_for 20 "the guest lets go of a device" has_not a hostdev0
is "$(rows a)" "hostdev0${tab}released${tab}$pair0" "vm-info says so"
vm-doctor a >"$T/doctor" 2>&1
like "$(cat "$T/doctor")" "$pair0 .hostdev0. is in its document, but it does not have it any more.*vm-repair 'a' gives back" "and vm-doctor what is to be done"
status_is 0 vm-repair a
is "$(rows a)" "" "which does it"
vm-hostdev-unbind -q --siblings "$pair0"

# ---- a QEMU that says nothing ----
status_is 0 vm-attach-hostdev a "$card"
kill -STOP "$(vm-info --get=pid a)"
status_is 0 vm-info --timeout=2 a hostdevs
is "$(printf '%s\n' "$out" | cut -f1,2,4)" "hostdev0${tab}assigned${tab}$card" "keeps nobody from what the document says"
err_like 'only what its document says is shown: .*does not answer'
kill -CONT "$(vm-info --get=pid a)"
status_is 0 vm-detach-hostdev a "$card"
done_testing
