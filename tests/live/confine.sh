# SPDX-License-Identifier: LGPL-2.1-or-later
# Walls around a guest: its own user, what it sees of the host, and what a process run exactly as it can do to others.
. "$(dirname "$0")/../tap.sh"
root_needed
needs vm-define vm-undefine vm-start vm-destroy vm-info vm-create
escape=$VM_BUILD/tests/escape
[ -x "$escape" ] || skip_all "tests/escape is not built"

disk() { echo "<disk type='file'><driver name='qemu' type='raw'/><source file='$1'/><target dev='vda' bus='virtio'/>$2</disk>"; }
define() { guest_xml "$@" >"$T/$1.xml" && vm-define -q "$T/$1.xml"; }
owner() { stat -c '%u:%g %a' "$1"; }
kill_both() {
	killed=$(vm-info --get=pid "$1")
	kill -KILL "$(awk '/^PPid/ { print $2 }' "/proc/$killed/status")" "$killed"
	wait_for 10 "$1 and its watcher are dead" process_ended "$killed"
}
user_of() { stat -c %u "/proc/$1"; }

# ---- an image of root's, in a directory that nobody may search, behind a link ----
mkdir -m 0700 "$T/closed"
ln -s closed "$T/link"
for g in a b; do
	truncate -s 1M "$T/closed/$g.img"
	chmod 600 "$T/closed/$g.img"
	define $g "$(disk "$T/link/$g.img" "")
<graphics type='vnc'><listen type='socket'/></graphics><serial type='pty'/>"
done
status_is 0 vm-start a b
a=$(vm-info --get=pid a) b=$(vm-info --get=pid b)
ua=$(user_of "$a") ub=$(user_of "$b")
ok "a runs as a user of its own ($ua)" test "$ua" -ge 2100000000
isnt "$ua" "$ub" "and b as another"
is "$(vm-info --get=user a)" "$ua" "vm-info says so"
is "$(vm-info --get=confinement a)" "seccomp,private-dev,nocaps,uid" "and what confines it"
is "$(awk '/^Groups:/ { print NF }' /proc/"$a"/status)" 1 "no supplementary groups"
is "$(awk '/^Cap/ { print $2 }' /proc/"$a"/status | sort -u)" 0000000000000000 "no capability in any set"
is "$(awk '/^NoNewPrivs/ { print $2 }' /proc/"$a"/status)" 1 "no new privileges"
is "$(owner "$T/closed/a.img")" "0:0 600" "its image still belongs to root"
ok "which it has open" sh -c "ls -l /proc/$a/fd | grep -q closed/a.img"
is "$(vm_test_mounts "$T")" "" "the host sees no mount"
ok "the socket of its display is its own" test "$(stat -c %u "$VM_ROOT/run/vm/qemu/a/own/vnc.sock")" = "$ua"
pty=$(sed -n "s/.*<source path='\(.dev.pts.[0-9]*\)'.*/\1/p" "$VM_ROOT/run/vm/qemu/a/live.xml" | head -n 1)
is "$(stat -c %u "$pty")" "$ua" "so is its terminal, $pty"
wait_for 20 "the guests boot" sh -c "grep -q ready '$T/a.console' && grep -q ready '$T/b.console'"

# ---- somebody who has taken a over tries his luck ----
# "may" and "cannot" are what escape prints; it enters a's groups and namespaces and becomes a's user as QEMU did
try() { "$escape" "$a" "$@" 2>&1; }
cannot() { is "$(try "$@")" "cannot" "as a: cannot $*"; }
can() { is "$(try "$@")" "may" "as a: may $*"; }
can read "$T/closed/a.img"
can write "$T/closed/a.img"
can read /dev/null
cannot read "$T/closed/b.img"
cannot write "$T/closed/b.img"
cannot read "/proc/$b/root$T/closed/b.img"
cannot list "/proc/$b/fd"
cannot read "/proc/$b/mem"
cannot read "/proc/$b/environ"
cannot list "/proc/1/fd"
cannot signal "$b"
cannot signal 1
cannot signal "$(vm-info --get=pid b | xargs -I{} awk '/^PPid/ { print $2 }' /proc/{}/status)"
for f in qmp.sock events.sock spare.sock own/vnc.sock; do
	cannot connect "$VM_ROOT/run/vm/qemu/b/$f"
	cannot connect "/proc/$b/root$VM_ROOT/run/vm/qemu/b/$f"
done
cannot connect "$VM_ROOT/run/vm/qemu/a/qmp.sock"
cannot list "$VM_ROOT/run/vm/claims"
cannot list "$VM_ROOT/var/lib/vm/uids"
cannot list "$VM_ROOT/var/lib/vm/qemu"
cannot list "$T/closed/../closed/none"
for n in $(ls /dev | grep -E '^(vd|sd|nvme|dm-|loop|mem$|kmsg$|port$|console$|tty0$)' | head -n 12); do
	cannot read "/dev/$n"
	cannot read "$VM_ROOT/run/vm/qemu/a/dev/$n"
done
cannot mknod /dev/x
cannot mknod "$VM_ROOT/run/vm/qemu/a/own/x"
cannot mount /tmp
cannot become 0
cannot become "$ub"
cannot setuid "$T/closed/a.img"
cannot create-setuid "$VM_ROOT/run/vm/qemu/a/own/s"
cannot openat2 "$VM_ROOT/run/vm/qemu/a/own/s"
can create "$VM_ROOT/run/vm/qemu/a/own/s"
is "$(owner "$T/closed/a.img")" "0:0 600" "its image is not set-user-ID root"
# The lock that says that it lives is its own, and it may let go of it. Presumed dead, it is killed before anything is given
# back or started: neither its image nor its name are ever had twice.
cannot write "$VM_ROOT/run/vm/qemu/a/alive"
cannot write "$VM_ROOT/run/vm/qemu/b/alive"
can unlock "$VM_ROOT/run/vm/qemu/a/alive"
is "$(vm-info --get=state a)" stale "a has let go of its lock, and is seen to be neither running nor shut off"
is "$(vm-info --get=state b)" running "b is as before"
status_is 0 vm-start a
ok "what claimed to be dead is" sh -c "! [ -e /proc/$a/exe ]"
is "$("$VM_BUILD/tests/proc-scan" "$VM_ROOT/run/vm/qemu/a" | grep -c qemu-system)" 1 "one QEMU has a's run"
is "$(vm-info --get=state a)" running "it is another one"

vm-destroy -q a b
leftovers "nothing is left of both"
is "$(owner "$T/closed/a.img")" "0:0 600" "the image is as it was"
is "$(find "$VM_ROOT/var/lib/vm/owners" -type f ! -name .lock 2>/dev/null)" "" "no owner was changed"

# ---- two guests, one image ----
chmod 600 "$T/closed/a.img"
define r1 "$(disk "$T/closed/a.img" "<readonly/>")"
define r2 "$(disk "$T/closed/a.img" "<readonly/>")"
status_is 0 vm-start r1 r2
vm-destroy -q r1
wait_for 20 "the other boots" guest_says r2 '^vm-test-guest ready'
is "$(vm-info --get=state r2)" running "and goes on when the first has ended"
r=$(vm-info --get=pid r2)
is "$("$escape" "$r" write "$T/closed/a.img")" cannot "what it only reads it may not write"
vm-destroy -q r2

# ---- an image in what is mounted below /dev ----
shm=$(mktemp -d /dev/shm/vmt.XXXXXX)
at_exit "rm -rf '$shm'"
truncate -s 1M "$shm/e.img"
define e "$(disk "$shm/e.img" "")"
status_is 0 vm-start e
is "$("$escape" "$(vm-info --get=pid e)" write "$shm/e.img")" may "an image in /dev/shm, behind a directory of root's"
is "$(owner "$shm/e.img")" "0:0 644" "which stays root's"
vm-destroy -q e
vm-undefine -q e

# ---- a filesystem that cannot map owners: they are changed, and changed back ----
mkdir -p "$T/o/l" "$T/o/u" "$T/o/w" "$T/m"
if mount -t overlay -o "lowerdir=$T/o/l,upperdir=$T/o/u,workdir=$T/o/w" none "$T/m" 2>/dev/null; then
	at_exit "umount -l '$T/m'"
	truncate -s 1M "$T/m/c.img"
	chmod 640 "$T/m/c.img"
	chown 12:34 "$T/m/c.img"
	define c "$(disk "$T/m/c.img" "")"
	define d "$(disk "$T/m/c.img" "<readonly/>")"
	status_is 0 vm-start c
	uc=$(user_of "$(vm-info --get=pid c)")
	is "$(owner "$T/m/c.img")" "$uc:$uc 640" "it is the guest's while that runs"
	vm-destroy -q c
	is "$(owner "$T/m/c.img")" "12:34 640" "and its owner's afterwards"
	vm-start -q c
	kill_both c
	status_is 0 vm-repair c
	is "$(owner "$T/m/c.img")" "12:34 640" "also when watcher and guest were killed"
	no_groups() {
		for group in $(find /sys/fs/cgroup -type d -name "c.r$("$VM_BUILD/tests/group-scan" --tag "$VM_ROOT" | sed 's/^r//').vm-qemu" 2>/dev/null); do
			rmdir "$group"/* "$group" 2>/dev/null
		done
	}
	# two guests of one user share such a file: the last one's end gives it back
	for g in s1 s2; do
		guest_xml $g "$(disk "$T/m/c.img" "<readonly/>")" | sed "s|</domain>|<seclabel type='static' model='dac' relabel='yes'><label>+65533:+65533</label></seclabel></domain>|" >"$T/$g.xml"
		vm-define -q "$T/$g.xml"
	done
	status_is 0 vm-start s1 s2
	status_is 10 vm-start d
	err_like "c.img belongs to guest 's[12]' while that runs, and its filesystem cannot map owners"
	vm-destroy -q s1
	is "$(owner "$T/m/c.img")" "65533:65533 640" "with two users it stays theirs when one ends"
	is "$("$escape" "$(vm-info --get=pid s2)" read "$T/m/c.img")" may "and the other may read it"
	vm-destroy -q s2
	is "$(owner "$T/m/c.img")" "12:34 640" "the last one's end gives it back"
	vm-undefine -q s1 s2
	# as after a crash of the host: nothing of the run is there
	vm-start -q c
	kill_both c
	rm -rf "$VM_ROOT/run/vm/qemu/c"
	status_is 0 vm-repair --all
	is "$(owner "$T/m/c.img")" "12:34 640" "also when the host has crashed"
	no_groups
	# as after one with which the number of the filesystem's device has become another
	records=$VM_ROOT/var/lib/vm/owners
	reboot_of() {
		vm-start -q c
		kill_both c
		rm -rf "$VM_ROOT/run/vm/qemu/c"
		no_groups
		record=$(find "$records" -type f ! -name .lock)
		sed "s/^boot=.*/boot=00000000-0000-4000-8000-000000000000/" "$record" >"$records/fff-${record##*-}"
		rm "$record"
	}
	reboot_of
	status_is 0 vm-repair --all
	is "$(owner "$T/m/c.img")" "12:34 640" "also when its device has another number since"
	reboot_of
	mv "$T/m/c.img" "$T/m/away"
	status_is 0 vm-repair --all
	ok "while the file cannot be seen it is not forgotten" test -e "$(find "$records" -name 'fff-*')"
	mv "$T/m/away" "$T/m/c.img"
	status_is 0 vm-start c
	vm-destroy -q c
	is "$(owner "$T/m/c.img")" "12:34 640" "and the next run's end gives it to who had it first"
	is "$(find "$records" -type f ! -name .lock)" "" "no record is left"
else
	skip 21 "no overlay can be mounted"
fi

# ---- a user of the admin's choice; files stay as they are ----
guest_xml s "$(disk "$T/s.img" "")" | sed "s|</domain>|<seclabel type='static' model='dac' relabel='no'><label>+65533:+65533</label></seclabel></domain>|" >"$T/s.xml"
truncate -s 1M "$T/s.img"
chmod 600 "$T/s.img"
vm-define -q "$T/s.xml"
status_is 4 vm-start s
err_like "^vm-start: s: disk vda: $T/s.img: user 65533 may not open it, and relabel='no' keeps it so"
chown 65533 "$T/s.img"
status_is 0 vm-start s
is "$(user_of "$(vm-info --get=pid s)")" 65533 "it runs as the user of its <seclabel>"
vm-destroy -q s
if [ ! -e /sys/kernel/security/apparmor ]; then
	sed "s|model='dac' relabel='no'><label>.*</label>|model='apparmor'><label>x</label>|" "$T/s.xml" >"$T/s2.xml"
	vm-define -q "$T/s2.xml"
	status_is 3 vm-start s
	err_is "vm-start: s: <seclabel>: this host does not use apparmor"
else
	skip 2 "this host uses AppArmor"
fi
chmod 000 "$T/s.img"
define n "$(disk "$T/s.img" "")"
status_is 4 vm-start n
err_like "^vm-start: n: disk vda: $T/s.img: its mode 0000 lets not even its owner write it; chmod u\+rw"

# ---- a /dev whose terminals nobody may make: ptmx leads to the one of /dev/pts, and that has no mode ----
cat >"$T/other-dev" <<END
rm -rf $T/dev; mkdir $T/dev && mount -t tmpfs none $T/dev && mkdir $T/dev/pts &&
	mount -t devpts -o newinstance,ptmxmode=000 none $T/dev/pts || exit 77
for n in null zero full random urandom tty; do cp -a /dev/\$n $T/dev/ || exit 77; done
ln -s pts/ptmx $T/dev/ptmx
mount --rbind $T/dev /dev || exit 77
exec "\$@"
END
cat >"$T/life" <<END
rm -f $T/p.*
vm-start p || exit 1
until grep -q ready $T/p.console; do sleep 0.1; done
stat -c %u /dev/pts/0 >$T/p.terminal 2>/dev/null
stat -c %a /dev/pts/ptmx >$T/p.ptmx
$escape \$(vm-info --get=pid p) write /dev/ptmx >$T/p.may
vm-destroy p
END
define p "<serial type='pty'/>"
run unshare -m sh "$T/other-dev" sh "$T/life"
if [ "$status" -eq 77 ]; then
	skip 6 "no other /dev can be made"
else
	is "$status" 0 "a guest with a terminal starts"
	diag "$err"
	like "$(cat "$T/p.terminal")" "^2100[0-9]*\$" "the terminal is its own"
	is "$(cat "$T/p.ptmx")" 0 "the host's stays closed"
	is "$(cat "$T/p.may")" may "it has one that it may open"
	# in the host's /dev there is none
	vm-undefine -q p
	define p
	mkdir -p "$VM_ROOT/etc/vm"
	echo "private_dev = no" >"$VM_ROOT/etc/vm/vm.conf"
	run unshare -m sh "$T/other-dev" sh "$T/life"
	is "$status $(cat "$T/p.may")" "0 cannot" "with private_dev=no a guest without terminals starts, and makes none"
	like "$(unshare -m sh "$T/other-dev" vm-doctor modules)" \
		"warn	modules	/dev/ptmx has mode 0000: guests with a terminal .pty. do not start; mount -o remount" "which vm-doctor tells"
	rm "$VM_ROOT/etc/vm/vm.conf"
fi
vm-undefine -q p

# ---- ids are given back ----
vm-undefine -q a b c d r1 r2 s n
is "$(ls "$VM_ROOT/var/lib/vm/uids")" "" "no id is left"
guest_xml t >"$T/t.xml"
status_is 0 vm-create "$T/t.xml"
is "$(ls "$VM_ROOT/var/lib/vm/uids" | wc -l)" 1 "a transient guest has one"
vm-destroy -q t
is "$(ls "$VM_ROOT/var/lib/vm/uids")" "" "while it runs"
leftovers
done_testing
