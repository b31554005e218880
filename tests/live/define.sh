# SPDX-License-Identifier: LGPL-2.1-or-later
# Defining and undefining guests that run.
. "$(dirname "$0")/../tap.sh"
needs vm-create vm-start vm-destroy vm-info vm-list vm-define vm-undefine

xml() { guest_xml "$1" "<interface type='user'><model type='virtio'/></interface>"; }
get() { vm-info --get="$2" "$1"; }
etc=$VM_ROOT/etc/vm/qemu
g=ldef$$

# ---- a transient guest gets a definition that is like it ----
xml $g >"$T/g.xml"
status_is 0 vm-create "$T/g.xml"
uuid=$(get $g uuid)
mac=$(sed -n "s/.*<mac address='\([^']*\)'.*/\1/p" "$VM_ROOT/run/vm/qemu/$g/live.xml")
is "$(get $g persistent)" no "transient at first"
status_is 0 vm-define "$T/g.xml"
is "$(get $g persistent)" yes "persistent with a definition"
is "$(sed -n 's,.*<uuid>\(.*\)</uuid>.*,\1,p' "$etc/$g.xml")" "$uuid" "the UUID is the running guest's"
is "$(sed -n "s/.*<mac address='\([^']*\)'.*/\1/p" "$etc/$g.xml")" "$mac" "so is the MAC"
is "$(readlink "$etc/by-uuid/$uuid")" "../$g.xml" "found by UUID"
run vm-define "$T/g.xml"
out_is "$g: unchanged"
sed "s,</name>,</name><uuid>5a3e7b6e-9a6b-4e5c-8f5e-1c2d3e4f5a6b</uuid>," "$T/g.xml" >"$T/other.xml"
status_is 10 vm-define "$T/other.xml"
err_like "is defined already with UUID $uuid"

# ---- a running guest is not disturbed ----
pid=$(get $g pid)
sed -i 's/<vcpu>1</<vcpu>2</' "$T/g.xml"
status_is 0 vm-define "$T/g.xml"
is "$(get $g state) $(get $g pid)" "running $pid" "runs on"

# ---- undefined, it is transient, and gone when it ends ----
status_is 10 vm-undefine --remove-all-storage $g
err_like "is running: its storage"
status_is 0 vm-undefine $g
is "$(get $g persistent) $(get $g pid)" "no $pid" "transient, and the same process"
status_is 5 vm-undefine $g
status_is 10 vm-define "$T/other.xml"
err_like "is running already with UUID $uuid"
status_is 0 vm-destroy $g
is "$(vm-list --all --name)" "" "nothing is listed"
is "$(find "$VM_ROOT/etc" "$VM_ROOT/run" "$VM_ROOT/var/lib" -name "*$g*")" "" "and nothing is left"
status_is 0 vm-define "$T/other.xml"
status_is 0 vm-start $g
status_is 0 vm-undefine $g
status_is 0 vm-destroy $g
leftovers
done_testing
