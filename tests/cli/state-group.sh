# SPDX-License-Identifier: LGPL-2.1-or-later
# Who may look: members of the group that vm.conf names see the guests of the system, others do not, neither may
# change anything. In a mount namespace of its own, with the real places.
. "$(dirname "$0")/../tap.sh"
root_needed
needs vm-list vm-autostart
fake=$VM_BUILD/tests/fake-guest
command -v setpriv >/dev/null && command -v unshare >/dev/null || skip_all "no setpriv or unshare"
unshare -m true 2>/dev/null || skip_all "no mount namespaces here"

cat >"$T/inside" <<'END'
set -e
mkdir "$T/up"
mount -t tmpfs vmt "$T/up"
mkdir "$T/up/u" "$T/up/w"
mount -t overlay -o lowerdir=/etc,upperdir="$T/up/u",workdir="$T/up/w" overlay /etc 2>/dev/null || exit 77
rm -rf /etc/vm
for place in /run /var/lib /var/log; do mount -t tmpfs vmt "$place"; done
grep -q '^vm:' /etc/group || echo 'vm:x:64999:' >>/etc/group
gid=$(sed -n 's/^vm:[^:]*:\([0-9]*\):.*/\1/p' /etc/group)
member() { setpriv --reuid=64998 --regid="$gid" --clear-groups -- "$@"; }
stranger() { setpriv --reuid=64998 --regid=64998 --clear-groups -- "$@"; }
unset VM_ROOT
export HOME=/nonexistent
pid=$("$fake" web1 running booted 1)
mkdir -p /etc/vm/qemu
echo "<domain><name>off</name></domain>" >/etc/vm/qemu/off.xml
chmod 600 /etc/vm/qemu/off.xml
echo "dirs: $(stat -c '%a %G' /run/vm /run/vm/qemu /run/vm/qemu/web1 /run/vm/claims /etc/vm/qemu | paste -sd, -)"
echo "alive: $(stat -c '%a' /run/vm/qemu/web1/alive)"
echo "member: $(member vm-list -c qemu:///system 2>&1 | sed "s/$pid/PID/")"
echo "member all: $(member vm-list -c qemu:///system --all 2>&1 | sed "s/$pid/PID/" | paste -sd, -)"
s=0; out=$(stranger vm-list -c qemu:///system 2>&1) || s=$?
echo "stranger: $s $out"
s=0; out=$(member vm-autostart -c qemu:///system off 2>&1) || s=$?
echo "member changes: $s"
kill -9 "$pid"; sleep 0.2
echo "dead: $(member vm-list -c qemu:///system 2>&1 | sed "s/$pid/PID/")"
END
run unshare -m --propagation private env T="$T" fake="$fake" PATH="$PATH" sh "$T/inside"
[ "$status" -ne 77 ] || skip_all "no overlay over /etc"
is "$status $err" "0 " "it ran"
tab=$(printf '\t')
is "$out" "dirs: 750 vm,750 vm,750 vm,750 vm,750 vm
alive: 600
member: PID${tab}running${tab}web1
member all: PID${tab}running${tab}web1,-${tab}shutoff${tab}off
stranger: 4 vm-list: open directory /etc/vm/qemu: Permission denied; only root and the group 'vm' may look there
member changes: 4
dead: PID${tab}stale${tab}web1" "who sees what"
done_testing
