# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 300
# Guests' control groups: made at the start, gone after every kind of end; nobody else's is touched.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-destroy vm-define vm-info vm-repair vm-cgroup vm-doctor
root_needed
grep -q ' - cgroup' /proc/self/mountinfo || skip_all "no control groups"
conf=$VM_ROOT/etc/vm
VM_TEST_SERIAL=pipe

# Mount points of the hierarchies in which guests get groups.
hierarchies=$(awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup2") print $5;
	else if ($(i + 1) == "cgroup" && $NF ~ /,(cpu|cpuacct|cpuset|memory|devices|freezer|blkio)(,|$)/) print $5 }' \
	/proc/self/mountinfo)
count=$(echo "$hierarchies" | wc -l)
v1devices=$(awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup" && $NF ~ /,devices(,|$)/) print $5 }' \
	/proc/self/mountinfo)
v2=$(awk '{ for (i = 7; $i != "-"; i++); if ($(i + 1) == "cgroup2") print $5 }' /proc/self/mountinfo)

define() { guest_xml "$@" >"$T/$1.xml" && vm-define -q "$T/$1.xml"; }
group() { vm-info --get=cgroup "$1"; }
groups() { vm_test_groups "$VM_ROOT" | wc -l; }
pid() { vm-info --get=pid "$1"; }
watcher() { sed -n 's/^watcher=//p' "$VM_ROOT/run/vm/qemu/$1/record"; }
# In how many hierarchies the process is in this group.
at() { grep -c ":$2\$" "/proc/$1/cgroup"; }
state_is() { [ "$(vm-info --get=state "$1")" = "$2" ]; }
gone() { ! kill -0 "$1" 2>/dev/null || grep -q '^State:.Z' "/proc/$1/status"; }
# A process of ours in a group, everywhere.  Its standard output must not keep the test's.
put_in() {
	sleep 1000 >/dev/null 2>&1 &
	put_pid=$!
	at_exit "kill -9 $put_pid 2>/dev/null"
	for mount in $hierarchies; do echo "$put_pid" >"$mount$1/cgroup.procs" || diag "cannot enter $mount$1"; done
}

# ---- a start and the ends ----
define cg
ok "start" vm-start -q cg
like "$(group cg)" '^/machine/cg\.r[0-9a-f]{8}\.vm-qemu$' "its group is told"
is "$(groups)" "$count" "it is in every hierarchy"
is "$(at "$(pid cg)" "$(group cg)/qemu")" "$count" "QEMU is in qemu/"
is "$(at "$(watcher cg)" "$(group cg)/watch")" "$count" "the watcher is in watch/"
for mount in $hierarchies; do
	[ -d "$mount$(group cg)/helpers" ] || fail "no helpers/ in $mount"
done
ok "destroy" vm-destroy -q cg
is "$(groups)" 0 "then it has none"

: >"$T/cg.console"
vm-start -q cg
wait_for 60 "another run" guest_says cg '^vm-test-guest ready'
guest_tell cg poweroff
wait_for 60 "the guest switches itself off" sh -c "[ \"\$(vm-info --get=state cg)\" = shutoff ]"
wait_for 60 "its watcher removes the groups" sh -c "[ \"\$('$VM_BUILD/tests/group-scan' '$VM_ROOT' | wc -l)\" = 0 ]"

vm-start -q cg
put_in "$(group cg)/helpers"
ok "destroy with a helper at work" vm-destroy -q cg
ok "the helper is dead" gone "$put_pid"
is "$(groups)" 0 "the groups are gone"

vm-start -q --no-watch cg
is "$(at "$(pid cg)" "$(group cg)/qemu")" "$count" "without watcher QEMU is in its group, too"
ok "destroy" vm-destroy -q cg
is "$(groups)" 0 "the groups are gone"

# ---- violent ends ----
vm-start -q cg
kill -9 "$(watcher cg)"
ok "destroy without watcher" vm-destroy -q cg
is "$(groups)" 0 "the groups are gone"

vm-start -q cg
put_in "$(group cg)/helpers"
victim=$(pid cg)
kill -9 "$(watcher cg)" "$victim"
wait_for 60 "QEMU and watcher were killed" gone "$victim"
wait_for 60 "the guest is stale" state_is cg stale
ok "the helper lives on" kill -0 "$put_pid"
ok "repair" vm-repair cg
ok "it is dead" gone "$put_pid"
is "$(groups)" 0 "the groups are gone"

vm-start -q cg
put_in "$(group cg)/qemu"
victim=$(pid cg)
kill -9 "$(watcher cg)" "$victim"
wait_for 60 "killed again, with a process beside QEMU" state_is cg stale
ok "start" vm-start -q cg
ok "the process was killed first" gone "$put_pid"
is "$(at "$(pid cg)" "$(group cg)/qemu")" "$count" "the guest runs in new groups"
vm-destroy -q cg

# ---- QEMU moved away, groups below its own ----
vm-start -q cg
for mount in $hierarchies; do
	echo "$(pid cg)" >"$mount/cgroup.procs" || diag "cannot move QEMU in $mount"
	mkdir "$mount$(group cg)/helpers/deep" "$mount$(group cg)/helpers/deep/er"
done
run vm-cgroup cg devices
like "$err" "QEMU was moved to / of " "one that somebody has moved away is told of"
run vm-doctor cg
like "$out" "^warn	cg	QEMU was moved to / of " "by vm-doctor, too"
run vm-cgroup --live cg cpu_shares=300
like "$err" "QEMU was moved to / of .*: what is set for its own group does not hold for it" "and by what would limit it"
ok "destroy a guest that was moved out of its groups" vm-destroy -q cg
is "$(groups)" 0 "the groups are gone, with those below"

# ---- other people's ----
vm-start -q cg
name=$(group cg)
vm-destroy -q cg
first=$(echo "$hierarchies" | sed -n 2p)
mkdir "${first:=$v2}$name"
sleep 1000 >/dev/null 2>&1 &
stranger=$!
at_exit "kill -9 $stranger 2>/dev/null"
echo "$stranger" >"$first$name/cgroup.procs" 2>/dev/null || diag "the stranger cannot be moved"
status_is 10 vm-start cg
err_like "^vm-start: cg: the group $name in $first exists already and is not this guest's; if nobody needs it: rmdir "
ok "the stranger lives" kill -0 "$stranger"
is "$(groups)" 1 "nothing was made beside its group"
kill "$stranger"
wait "$stranger" 2>/dev/null
wait_for 60 "its group is empty again" rmdir "$first$name"
ok "and can be the guest's" vm-start -q cg

# A group made anew under the name that is on record is not ours any more.
victim=$(pid cg)
kill -9 "$(watcher cg)" "$victim"
wait_for 60 "QEMU and watcher were killed" gone "$victim"
name=$(sed -n 's/^cgroup=//p' "$VM_ROOT/run/vm/qemu/cg/record")
wait_for 60 "the groups are removed by hand" sh -c "'$VM_BUILD/tests/group-scan' --remove '$VM_ROOT'; [ ! -d '$first$name' ]"
mkdir "$first$name"
sleep 1000 >/dev/null 2>&1 &
stranger=$!
echo "$stranger" >"$first$name/cgroup.procs" 2>/dev/null || diag "the stranger cannot be moved"
ok "repair" vm-repair cg
ok "the stranger lives" kill -0 "$stranger"
ok "its group is there" [ -d "$first$name" ]
kill "$stranger"
wait "$stranger" 2>/dev/null
wait_for 60 "its group is empty again" rmdir "$first$name"

# ---- partitions ----
part=vmt$$
define p
sed "s|<os>|<resource><partition>/$part</partition></resource><os>|" "$T/p.xml" >"$T/p2.xml"
vm-define -q "$T/p2.xml"
status_is 5 vm-start p
err_like "^vm-start: p: partition /$part.partition/? in .*: No such file or directory; only /machine is made by itself"
for mount in $hierarchies; do
	mkdir "$mount/$part.partition"
	for file in cpuset.cpus cpuset.mems; do
		[ ! -e "$mount/$file" ] || case $mount in
		"$v2") ;;
		*) cat "$mount/$file" >"$mount/$part.partition/$file" ;;
		esac
	done
done
at_exit "for mount in $(echo $hierarchies); do rmdir \$mount/$part.partition; done"
ok "start in a partition" vm-start -q p
like "$(group p)" "^/$part\.partition/p\.r[0-9a-f]{8}\.vm-qemu\$" "the group is in it"
ok "destroy" vm-destroy -q p

# ---- device rules ----
rules() { cat "$v1devices$(group cg)/qemu/devices.list"; }
mkdir -p "$conf"
if [ -n "$v1devices" ]; then
	vm-start -q cg
	is "$(vm-info --get=acl cg)" v1 "v1 is chosen where its controller is"
	like "$(rules | tr '\n' ' ')" '^c 1:3 rw c 1:5 rw c 1:7 rw c 1:8 rw c 1:9 rw c 5:2 rw .*c 136:\* rw $' "the rules are in force"
	vm-destroy -q cg
	echo "cgroup_device_acl = /dev/null" >"$conf/vm.conf"
	vm-start -q cg
	is "$(rules | tr '\n' ' ')" "c 1:3 rw c 136:* rw " "vm.conf has its own list"
	vm-destroy -q cg
fi
for backend in ${v1devices:+v1} ${v2:+v2} ${v1devices:+${v2:+both}} none; do
	echo "acl_backend = $backend" >"$conf/vm.conf"
	ok "acl_backend=$backend: start" vm-start -q cg
	is "$(vm-info --get=acl cg)" "$backend" "that is what it has"
	[ "$backend" != none ] || [ -z "$v1devices" ] || is "$(rules)" "a *:* rwm" "none are none"
	vm-destroy -q cg
done
rm "$conf/vm.conf"

is "$(groups)" 0 "no group is left at the end"
leftovers "nothing is left"
done_testing
