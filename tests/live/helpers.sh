# SPDX-License-Identifier: LGPL-2.1-or-later
# The programs beside QEMU: a TPM, a shared directory, a network without privileges. As whom they run, what a Linux guest
# sees of them, and that they end with QEMU, however that comes about.
# timeout: 400
. "$(dirname "$0")/../tap.sh"
root_needed
needs vm-define vm-undefine vm-start vm-destroy vm-info vm-events vm-repair vm-create
for p in swtpm passt; do command -v $p >/dev/null || skip_all "no $p; run scripts/setup"; done
[ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || skip_all "no virtiofsd; run scripts/setup"
ip route get 198.51.100.9 >/dev/null 2>&1 || skip_all "this host has no route for passt to take"
linux_needed
export VM_TEST_SERIAL=pipe VM_TEST_MEMORY=192

shared="<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking>"
tpm="<tpm model='tpm-tis'><backend type='emulator' version='2.0'/></tpm>"
share() { echo "<filesystem type='mount'><driver type='virtiofs'/><source dir='$1'/><target dir='host'/></filesystem>"; }
passt() { echo "<interface type='user'><backend type='passt'/><ip family='ipv4' address='10.7.7.2' prefix='24'/>$1<model type='virtio'/></interface>"; }
# small NAME DEVICES: the small guest, with memory that can be shared
small() { guest_xml "$1" "$2" | sed "s|<vcpu>|$shared<vcpu>|" >"$T/$1.xml"; }
linux() {
	small "$1" "$2"
	sed -i "s|<kernel>.*|<kernel>$VM_LINUX_KERNEL</kernel><initrd>$VM_LINUX_INITRD</initrd><cmdline>console=ttyS0 quiet</cmdline>|" "$T/$1.xml"
}
# asks NAME COMMAND: what it prints in the guest
asks() {
	echo >"$T/$1.console"
	guest_tell "$1" "sh $2"
	wait_for 30 "$1: $2" guest_says "$1" '^status [0-9]'
	answer=$(tr -d '\r' <"$T/$1.console" | sed -e '/^status /,$d' -e '/^$/d')
}
helpers() { vm-info "$1" processes | awk -F '\t' '$1 ~ /^(tpm|fs|net)/ { print $1 }' | sort | tr '\n' ' '; }
pid_of() { vm-info "$1" processes | awk -F '\t' -v role="$2" '$1 == role { print $2 }'; }
# a process that was killed lets go of its files before it is a zombie
gone() { case $(ps -o stat= -p "$1") in '' | Z*) ;; *) false ;; esac; }
field() { awk -v f="$2:" '$1 == f { print $2 }' "/proc/$1/status"; }

# ---- one guest with all of them; the directory is root's and nobody else's ----
mkdir -m 0700 "$T/closed" "$T/closed/share"
echo "from the host" >"$T/closed/share/file"
chmod 600 "$T/closed/share/file"
port=$((20000 + $$ % 10000))
linux a "$tpm$(share "$T/closed/share")$(passt "<portForward proto='tcp' address='127.0.0.1'><range start='$port' to='7'/></portForward>")"
status_is 0 vm-define "$T/a.xml"
status_is 0 vm-start a
is "$(helpers a)" "fs0 net0 tpm0 " "vm-info lists the programs by their devices"
qemu=$(vm-info --get=pid a)
uid=$(field "$qemu" Uid)
group=$(sed -n 's/^0:://p' "/proc/$qemu/cgroup")
for h in tpm0 fs0 net0; do
	p=$(pid_of a $h)
	is "$(field "$p" Uid)" "$uid" "$h runs as the guest's user"
	is "$(field "$p" NoNewPrivs)" 1 "$h gets no new privileges"
	isnt "$(readlink "/proc/$p/ns/mnt")" "$(readlink /proc/self/ns/mnt)" "$h does not see the host's files as the host does"
	is "$(sed -n 's/^0:://p' "/proc/$p/cgroup")" "${group%/qemu}/helpers" "$h is in helpers/"
	is "$(field "$p" PPid)" "$qemu" "$h is QEMU's child"
done
p=$(pid_of a tpm0)
is "$(awk '/^Cap/ { print $2 }' "/proc/$p/status" | sort -u)" 0000000000000000 "the TPM has no capability in any set"
isnt "$(readlink "/proc/$(pid_of a fs0)/ns/user")" "$(readlink /proc/self/ns/user)" "what virtiofsd may it may in a namespace of its own"
is "$(stat -c '%u %a' "$VM_ROOT/var/lib/vm/qemu/a/tpm")" "$uid 700" "the TPM's state is the guest's"

wait_for 90 "a boots" guest_says a '^pci end'
asks a "cat /sys/class/tpm/tpm0/tpm_version_major"
is "$answer" 2 "the guest has a TPM of version 2"
asks a "mkdir /m && mount -t virtiofs host /m && cat /m/file"
is "$answer" "from the host" "the guest reads a file of the shared directory"
asks a "echo from the guest >/m/new; mkdir /m/d && mv /m/new /m/d/new; chmod 644 /m/d/new"
is "$(cat "$T/closed/share/d/new")" "from the guest" "and writes one"
is "$(stat -c %u:%g "$T/closed/share/d/new" "$T/closed/share/file")" "$(printf '0:0\n0:0')" "both are on disk as the directory is"
asks a "chmod 4755 /m/d/new; mknod /m/n b 7 0; cp -p /bin/busybox /m/d/su; chmod u+s /m/d/su; ls /m/d"
is "$(find "$T/closed/share" -perm /6000 -o -type b)" "" "it can make neither set-user-ID files nor nodes there"
asks a "ifconfig eth0 10.7.7.2 netmask 255.255.255.0 up && ip route add default dev eth0 && { echo 'read l; echo heard \$l' >/tmp/s; nc -ll -p 7 -e sh /tmp/s & }"
heard() { [ "$(printf 'a word\n' | timeout 5 socat -t 4 - TCP:127.0.0.1:"$port")" = "heard a word" ]; }
wait_for 30 "a connection to the host's port is answered by the guest" heard

# ---- one that ends is told of, the guest goes on ----
p=$(pid_of a net0)
kill -KILL "$p"
told() { vm-events --since=start a 2>/dev/null | grep -q 'helper-ended.*net0' || grep -q '"helper-ended".*net0' "$VM_ROOT/run/vm/qemu/a/events.jsonl"; }
wait_for 10 "an event tells which" told
like "$(vm-info a processes)" '^net0	[0-9]+	-$' "vm-info shows that it has ended"
ok "so does the guest's log" grep -q 'the program behind net0 has ended' "$VM_ROOT/var/log/vm/qemu/a.log"
is "$(vm-info --get=state a)" running "the guest runs"

# ---- they end with QEMU ----
tpm_pid=$(pid_of a tpm0) fs=$(pid_of a fs0)
status_is 0 vm-destroy a
ok "the TPM has ended" gone "$tpm_pid"
ok "virtiofsd has ended" gone "$fs"
leftovers "nothing is left"
ok "the TPM's state is" test -s "$VM_ROOT/var/lib/vm/qemu/a/tpm/tpm2-00.permall"
small k "$tpm$(share "$T/closed/share")$(passt "")"
status_is 0 vm-define "$T/k.xml"
for how in "" --no-watch; do
	status_is 0 vm-start $how k
	qemu=$(vm-info --get=pid k) watcher=$(vm-info k processes | awk -F '\t' '$1 == "watcher" { print $2 }')
	all="$(pid_of k tpm0) $(pid_of k fs0) $(pid_of k net0)"
	# stopped, they cannot end by themselves; the watcher and QEMU have no time for anything
	kill -STOP $all
	kill -KILL $watcher "$qemu"
	for p in "$qemu" $all; do wait_for 10 "$p of QEMU and those beside it has ended, nobody else being there" gone "$p"; done
	status_is 0 vm-repair k
	leftovers "nothing is left after kill -9 of everything"
done

# ---- failures are told before or instead of a guest ----
small m "$(share "$T/none")"
status_is 0 vm-define "$T/m.xml"
status_is 5 vm-start m
err_like "^vm-start: m: fs0: $T/none: No such file"
small n "$(passt "<portForward proto='tcp'><range start='80'/></portForward>")"
sed -i "s|<backend type='passt'/>|<backend type='passt'/><source dev='no-such-dev'/>|" "$T/n.xml"
status_is 0 vm-define "$T/n.xml"
status_is 13 vm-start n
err_like "^vm-start: n: net0: the program behind it has ended: .*no-such-dev"
leftovers "nothing is left of a start whose program fails"
small x "<filesystem type='mount'><driver type='virtiofs'/><binary path='$T/no-program'/><source dir='$T'/><target dir='t'/></filesystem>"
status_is 0 vm-define "$T/x.xml"
status_is 5 vm-start x
err_like "^vm-start: x: fs0: $T/no-program: No such file"

# ---- what is given goes, unless it is to be kept ----
vm-undefine -q --keep-tpm k
ok "kept" test -d "$VM_ROOT/var/lib/vm/qemu/k/tpm"
vm-undefine -q a
ok "gone" sh -c "! [ -e '$VM_ROOT/var/lib/vm/qemu/a' ]"
small t "$tpm"
status_is 0 vm-create "$T/t.xml"
vm-destroy -q t
ok "a transient guest's goes with it" sh -c "! [ -e '$VM_ROOT/var/lib/vm/qemu/t' ]"
vm-undefine -q m n x
done_testing
