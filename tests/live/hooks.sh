# SPDX-License-Identifier: LGPL-2.1-or-later
# Hooks: when they run, with what, and what their refusal does.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-destroy vm-shutdown vm-define vm-info vm-repair

define() { guest_xml "$@" >"$T/$1.xml" && vm-define -q "$T/$1.xml"; }
hooks=$VM_ROOT/etc/vm/hooks
log=$T/hooks.log
hook() { # FILE BODY
	mkdir -p "$(dirname "$1")"
	cat >"$1" <<END
#!/bin/sh
$2
END
	chmod 755 "$1"
}
said() { cat "$log" 2>/dev/null; : >"$log"; }
define g
record='name=$(sed -n "s|.*<name>\(.*\)</name>.*|\1|p"); echo "$0 $* $name" | sed "s|.*/hooks/||" >>'"$log"

# ---- libvirt's arguments, in its order ----
hook "$hooks/qemu" "$record"
hook "$hooks/qemu.d/10-second" "$record"
hook "$hooks/qemu.d/05-first" "$record"
hook "$hooks/qemu.d/.hidden" "echo hidden >>$log"
printf 'not executable' >"$hooks/qemu.d/20-not"
status_is 0 vm-start g
is "$(said)" "qemu g prepare begin - g
qemu.d/05-first g prepare begin - g
qemu.d/10-second g prepare begin - g
qemu g start begin - g
qemu.d/05-first g start begin - g
qemu.d/10-second g start begin - g
qemu g started begin - g
qemu.d/05-first g started begin - g
qemu.d/10-second g started begin - g" "a start"
rm -r "$hooks/qemu.d"
vm-destroy -q g
is "$(said)" "qemu g stopped end - g
qemu g release end - g" "a destroy"
vm-start -q g
: >"$log"
kill -9 "$(vm-info --get=pid g)"
wait_for 5 "the watcher runs them" grep -q release "$log"
wait_for 5 "off" sh -c '[ "$(vm-info --get=state g)" = shutoff ]'
is "$(said)" "qemu g stopped end - g
qemu g release end - g" "by the watcher"
vm-start -q --no-watch g
: >"$log"
kill -9 "$(vm-info --get=pid g)"
wait_for 5 "it is gone" sh -c '[ "$(vm-info --get=state g)" = stale ]'
is "$(said)" "" "without a watcher nobody does"
vm-repair -q g
is "$(said)" "qemu g stopped end - g
qemu g release end - g" "until vm-repair"

# ---- refusing ----
for op in prepare start started; do
	hook "$hooks/qemu" "$record; [ \"\$2\" != $op ] || { echo first >&2; echo 'not today' >&2; exit 3; }"
	status_is 4 vm-start g
	err_like "^vm-start: g: hook $hooks/qemu refuses '$op' \(status 3\): not today"
	like "$(said | tail -n 1)" "^qemu g release end -" "released after a refused $op"
	ok "it is off" sh -c '[ "$(vm-info --get=state g)" = shutoff ]'
	ok "nothing is left of it" test ! -e "$VM_ROOT/run/vm/qemu/g"
done
hook "$hooks/qemu" "[ \$2 = prepare ] || [ \$2 = start ] || [ \$2 = started ]"
status_is 0 vm-start g
status_is 0 vm-destroy g
err_like "refuses 'stopped'" # is a warning: the end cannot be refused

# ---- one that hangs, one that anybody could change ----
echo "hook_timeout = 1" >"$VM_ROOT/etc/vm/vm.conf"
hook "$hooks/qemu" "[ \$2 != prepare ] || sleep 30"
status_is 12 vm-start g
err_like "hook $hooks/qemu prepare"
hook "$hooks/qemu" "exit 0"
chmod 777 "$hooks/qemu"
status_is 4 vm-start g
err_like 'can be changed by others'
hook "$hooks/qemu" "sleep 0.5"
chmod 755 "$hooks/qemu"
: >"$VM_ROOT/etc/vm/vm.conf"
status_is 0 vm-start --timeout=1 g
rm "$hooks/qemu"
status_is 0 vm-destroy g

# ---- at "start" the interfaces are there, under the names in the document ----
rm -rf "$hooks"
hook "$hooks/qemu" '[ "$2" = start ] || exit 0
tap=$(sed -n "s/.*<target dev=.\(vnet[0-9]*\).*/\1/p")
ip -o link show dev "$tap" | cut -d: -f 2 >>'"$log"
: >"$log"
guest_xml n "<interface type='ethernet'><model type='virtio'/></interface>" >"$T/n.xml"
status_is 0 vm-create -q "$T/n.xml"
like "$(said)" '^ vnet[0-9]+$' "the hook finds the tap"
vm-destroy -q n
sed "s|<interface type='ethernet'>|&<script path='/etc/up'/>|" "$T/n.xml" >"$T/script.xml"
status_is 3 vm-create "$T/script.xml"
err_like "<script> is not run; a hook can do at 'start' what it does"
leftovers
done_testing
