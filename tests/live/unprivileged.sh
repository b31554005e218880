# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests of those who have few rights: an ordinary user, and root of a user namespace as in a container. They start with
# what the kernel allows, and what it does not is said once.
# timeout: 200
. "$(dirname "$0")/../tap.sh"
needs vm-define vm-start vm-info vm-shutdown vm-destroy vm-doctor
root_needed # to become somebody else
command -v setpriv >/dev/null && command -v unshare >/dev/null || skip_all "no setpriv or unshare"

home=$T/home
mkdir -p "$home/run" "$home/root"
chown -R 65534:65534 "$home"
chmod 755 "$T"
setpriv --reuid=65534 test -x "$VM_BUILD/bin/vm-start" || skip_all "an ordinary user cannot reach the programs"

# ---- an ordinary user
user() {
	setpriv --reuid=65534 --regid=65534 --clear-groups env -u VM_ROOT HOME="$home" XDG_RUNTIME_DIR="$home/run" \
		XDG_CONFIG_HOME= XDG_DATA_HOME= XDG_STATE_HOME= "$@"
}
guest_xml usr >"$T/usr.xml"
ok "define" user vm-define "$T/usr.xml"
run user vm-start usr
is "$status" 0 "start"
is "$err" "" "an ordinary user is not told what goes without saying"
is "$(user vm-info --get=acl usr)" none "no device rules"
is "$(user vm-info --get=cgroup usr)" - "no group"
pid=$(user vm-info --get=pid usr)
is "$(stat -c %u "/proc/$pid")" 65534 "QEMU is the user's"
wait_for 60 "it is up" guest_says usr '^vm-test-guest ready'
ok "shut down" user vm-shutdown --wait=60 usr
is "$(user vm-info --get=state usr)" shutoff "off"
ok "nothing is left in the runtime directory" sh -c "! ls '$home'/run/vm/qemu/usr/* 2>/dev/null"
# programs beside QEMU: they need no rights that a user does not have
if command -v swtpm >/dev/null && command -v passt >/dev/null && ip route get 198.51.100.9 >/dev/null 2>&1 &&
	{ [ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ]; }; then
	mkdir "$home/share"
	chown 65534:65534 "$home/share"
	guest_xml ush "<tpm model='tpm-crb'><backend type='emulator' version='2.0'/></tpm>
<filesystem type='mount'><driver type='virtiofs'/><source dir='$home/share'/><target dir='host'/></filesystem>
<interface type='user'><backend type='passt'/><model type='virtio'/></interface>" |
		sed "s|<vcpu>|<memoryBacking><source type='memfd'/><access mode='shared'/></memoryBacking><vcpu>|" >"$T/ush.xml"
	ok "define one with a TPM, a directory and passt" user vm-define "$T/ush.xml"
	ok "start it" user vm-start ush
	is "$(user vm-info ush processes | cut -f1,3 | grep -v '^qemu\|^watcher' | sort | tr '\t\n' '= ' | sed 's/passt[^ ]*/passt/')" \
		"fs0=virtiofsd net0=passt tpm0=swtpm " "all of them run"
	qemu=$(user vm-info --get=pid ush)
	is "$(ps -o uid= --ppid "$qemu" | sort -u | tr -d ' ')" 65534 "as the user"
	ok "destroy it" user vm-destroy ush
	is "$(ps -o stat=,args= -U 65534 | grep -v '^Z' | grep -c 'swtpm\|virtiofsd\|passt')" 0 "they end with it"
	ok "undefine it" user vm-undefine ush
else
	skip 7 "no swtpm, passt or virtiofsd"
fi
run user vm-doctor --quiet
like "$status" '^[01]$' "vm-doctor has an opinion"

# ---- root of a user namespace
if ! unshare --user --map-root-user --mount --pid --fork --mount-proc true 2>/dev/null; then
	skip 9 "no user namespaces here"
	done_testing
fi
mkdir "$T/c"
chown 65534:65534 "$T/c"
inside() { setpriv --reuid=65534 --regid=65534 --clear-groups unshare --user --map-root-user --mount --pid --fork --mount-proc "$@"; }
guest_xml con >"$T/con.xml"
cat >"$T/container" <<END
export VM_ROOT=$T/c HOME=$T/c
vm-define $T/con.xml || exit 9
vm-start con 2>$T/c/said || { cat $T/c/said; exit 9; }
vm-info --get=state,acl,cgroup con | tr '\n' ' ' >$T/c/info
vm-info con confinement >$T/c/walls
until grep -q '^vm-test-guest ready' $T/con.console; do sleep 0.1; done
vm-doctor >$T/c/doctor
vm-shutdown --wait=60 con || exit 8
vm-info --get=state con >$T/c/end
END
ok "a guest's life in a container" inside sh "$T/container"
diag "$(cat "$T/c/said" "$T/c/info" "$T/c/walls")"
like "$(cat "$T/c/said")" 'no right to make a control group' "what the kernel does not allow is said"
is "$(grep -c . "$T/c/said")" "$(sort -u "$T/c/said" | grep -c .)" "once"
is "$(cat "$T/c/info")" "running none - " "vm-info shows it"
is "$(cat "$T/c/end")" shutoff "off"
like "$(cat "$T/c/doctor")" '^warn	cgroup	groups cannot be made' "vm-doctor: groups"
like "$(cat "$T/c/doctor")" '^warn	acl	no device rules' "vm-doctor: device rules"
like "$(cat "$T/c/doctor")" '^warn	ids	this user namespace has no ids' "vm-doctor: ids"
leftovers
done_testing
