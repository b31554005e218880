# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests of an ordinary user below that user's own systemd; and a systemd that cannot be talked to, says nothing, or is
# talked to by a start that is killed.
# timeout: 920
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
needs vm-define vm-undefine vm-start vm-info vm-destroy vm-repair vm-cgroup vm-list
command -v socat >/dev/null || skip_all "no socat"
HOST_SYSTEMD=1
HOST_TIMEOUT=900
host_machine
host_units

unset VM_ROOT
group_of() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }
active() { systemctl --quiet is-active "$1"; }
gone() { ! active "$1"; }
guest_xml one >"$T/one.xml"
ok "define" vm-define "$T/one.xml"

# ---- a user's own manager
user=65534
home=$T/home
private=/run/user/$user
mkdir -p "$home" "$private"
chown $user:$user "$home" "$private"
chmod 700 "$private"
ok "a user's manager" systemd-run --quiet --unit=vm-test-user --uid=$user --gid=$user -p Delegate=yes \
	-E "XDG_RUNTIME_DIR=$private" -E "HOME=$home" -E "VM_TIMEOUT=$VM_TIMEOUT" -E "PATH=$PATH" /lib/systemd/systemd --user
wait_for 60 "it listens" test -S "$private/systemd/private"
as_user() {
	setpriv --reuid=$user --regid=$user --clear-groups env -i HOME="$home" XDG_RUNTIME_DIR="$private" PATH="$PATH" LC_ALL=C "$@"
}
# what the user types runs below that manager, as a session does
session() { as_user systemd-run --user --quiet --wait --pipe -E "VM_TIMEOUT=$VM_TIMEOUT" "$@"; }
guest_xml mine >"$T/mine.xml"
ok "the user defines a guest" session "$VM_BUILD/bin/vm-define" "$T/mine.xml"
ok "and starts it" session "$VM_BUILD/bin/vm-start" mine
wait_for 60 "it listens" guest_says mine '^vm-test-guest ready'
pid=$(session "$VM_BUILD/bin/vm-info" --get=pid mine)
is "$(stat -c %u "/proc/$pid")" $user "as that user"
main=/sys/fs/cgroup$(group_of "$pid" | sed 's,/qemu$,,')
like "$(group_of "$pid")" '/vm-test-user.service/.*/vm-mine.scope/qemu$' "in a scope that the user's manager has made"
is "$(as_user systemctl --user is-active vm-mine.scope)" active "which knows it"
limited() { session "$VM_BUILD/bin/vm-cgroup" --live mine cpu_shares=321 && [ "$(cat "$main/cpu.weight")" = 321 ]; }
ok "its limits are the user's to set" limited
ok "daemon-reload" as_user systemctl --user daemon-reload
is "$(cat "$main/cpu.weight")" 321 "and stay"
ok "the user ends it" session "$VM_BUILD/bin/vm-destroy" mine
wait_for 30 "its scope is gone" sh -c "! [ -e '$main' ]"
ok "the user's manager ends" systemctl stop vm-test-user.service

# ---- starts that are killed while they talk to systemd
for ms in 0 100 200 300 400 500 700 900 1200 1600; do
	vm-start one >"$T/killed" 2>&1 &
	starter=$!
	sleep "$(printf '%d.%03d' $((ms / 1000)) $((ms % 1000)))"
	kill -KILL "$starter" 2>/dev/null
	wait "$starter" 2>/dev/null
	run vm-repair one
	[ "$status" -eq 0 ] || fail "repair after $ms ms: $err"
	case $(vm-info --get=state one) in
	shutoff) state=off ;;
	running) state=on && vm-destroy -q one ;;
	*) state=$(vm-info --get=state one) ;;
	esac
	wait_for 30 "killed after $ms ms and $state, it leaves no scope" gone vm-one.scope
	not_ok "nor a group" test -e /sys/fs/cgroup/machine.slice/vm-one.scope
done

# ---- a systemd that says nothing
mv /run/systemd/private /run/systemd/private.real
socat -u UNIX-LISTEN:/run/systemd/private,fork OPEN:/dev/null &
silent=$!
wait_for 10 "somebody takes what is said to it" test -S /run/systemd/private
ok "a start goes on without" vm-start --timeout=60 one
like "$err" 'no scope of its own: ' "and says so"
is "$(vm-info --get=state one)" running "it runs"
like "$(group_of "$(vm-info --get=pid one)")" '^/machine/one.vm-qemu/qemu$' "in a group of ours"
ok "ends" vm-destroy one
not_ok "with that" test -e /sys/fs/cgroup/machine/one.vm-qemu

# ---- one that nobody hears
kill "$silent"
rm -f /run/systemd/private
systemctl stop dbus.socket dbus.service 2>/dev/null
mv /run/dbus /run/dbus.real 2>/dev/null
ok "neither systemd nor a bus" vm-start one
like "$err" 'no scope of its own: ' "is said"
ok "ends" vm-destroy one
mv /run/dbus.real /run/dbus 2>/dev/null
mv /run/systemd/private.real /run/systemd/private
ok "all is as before" systemctl daemon-reload
ok "a start has its scope again" vm-start one
ok "which is there" active vm-one.scope
vm-destroy -q one
wait_for 30 "and goes" gone vm-one.scope
vm-undefine -q one
done_testing
