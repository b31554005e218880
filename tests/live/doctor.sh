# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-doctor of single guests, and of what is left of guests.
. "$(dirname "$0")/../tap.sh"
root_needed
needs vm-doctor vm-define vm-undefine vm-start vm-destroy vm-info vm-repair

disk() { echo "<disk type='file'><driver name='qemu' type='raw'/><source file='$1'/><target dev='vda' bus='virtio'/></disk>"; }
define() { guest_xml "$@" >"$T/$1.xml" && vm-define -q "$T/$1.xml"; }

truncate -s 1M "$T/a.img"
define a "$(disk "$T/a.img")"
status_is 0 vm-doctor a
out_is "ok	a	it can be started"
ok "nothing was made" sh -c "! [ -e '$VM_ROOT/run/vm/qemu/a/record' ]"
define gone "$(disk "$T/gone.img")"
status_is 1 vm-doctor gone
out_like "^fail	gone	.*$T/gone.img: No such file"
define b "$(disk "$T/a.img")"
vm-start -q a
status_is 0 vm-doctor a
out_is "ok	a	it runs as it should"
status_is 0 vm-doctor b
out_like "^warn	b	$T/a.img is in use by guest a; end that one"
watcher=$(vm-info a processes | awk -F '\t' '$1 == "watcher" { print $2 }')
kill -KILL "$watcher"
wait_for 10 "a watcher that has ended is told of" sh -c "vm-doctor a | grep -q '^warn	a	its watcher has ended'"
status_is 0 vm-doctor leftovers
out_is "ok	leftovers	nothing is left of guests that do not run"
status_is 2 vm-doctor nobody
err_like "neither a guest nor a check 'nobody'"

# as after a crash of the host
kill -KILL "$(vm-info --get=pid a)"
wait_for 10 "it is gone" sh -c "vm-info --get=state a | grep -q stale"
status_is 0 vm-doctor a
out_like "^warn	a	its process is gone, what it used is not given back yet; vm-repair 'a'"
vm-repair -q a
mkdir -p "$VM_ROOT/var/lib/vm/owners" "$VM_ROOT/run/vm/claims"
truncate -s 1M "$T/o.img"
chown 2100000001 "$T/o.img"
printf 'vm-owner 1\npath=%s\nwas=12:34:640\nuser=qemu/b\n' "$T/o.img" >"$VM_ROOT/var/lib/vm/owners/$(stat -c '%d' "$T/o.img" | xargs printf %x)-$(stat -c %i "$T/o.img")"
status_is 0 vm-doctor leftovers
out_like '^warn	leftovers	b: what a repair would do: gave back a file.s owner; vm-repair --all$'
is "$(stat -c %u "$T/o.img")" 2100000001 "which was not done"
status_is 0 vm-repair --all
is "$(stat -c '%u:%g %a' "$T/o.img")" "12:34 640" "now it was"
status_is 0 vm-doctor leftovers
out_is "ok	leftovers	nothing is left of guests that do not run"
vm-undefine -q a b gone
leftovers
done_testing
