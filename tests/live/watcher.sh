# SPDX-License-Identifier: LGPL-2.1-or-later
# The watcher: without one, with it killed, together with QEMU killed, and as a service.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-destroy vm-shutdown vm-reboot vm-define vm-info vm-list vm-repair
VM_TEST_SERIAL=pipe

define() { guest_xml "$@" >"$T/$1.xml" && vm-define -q "$T/$1.xml"; }
record() { sed -n "s/^$2=//p" "$VM_ROOT/run/vm/qemu/$1/record"; }
state_is() { [ "$(vm-info --get=state "$1")" = "$2" ]; }
reason() { vm-info --get=reason "$1"; }
tell() { timeout 5 sh -c 'printf "%s\n" "$2" >"$1"' sh "$T/$1.serial.in" "$2"; }
# the guest has booted, this run of it: what it said before may come late
nonce=0
answers() { tell "$1" "echo here-$nonce" && guest_says "$1" "^here-$nonce"; }
listens() { nonce=$((nonce + 1)); wait_for 10 "boots" answers "$1"; }
run_dir=$VM_ROOT/run/vm/qemu
define g

# ---- what it is ----
vm-start -q g
listens g
watcher=$(record g watcher)
is "$(ps -o args= -p "$watcher" | sed 's/ .* / ... /')" "vm-watch ... g" "ps shows whose watcher it is"
is "$(ps -o ppid= -p "$(record g pid)" | tr -d ' ')" "$watcher" "it is QEMU's parent"
is "$(ps -o sid= -p "$watcher" | tr -d ' ')" "$watcher" "it has a session of its own"
is "$(readlink /proc/"$watcher"/fd/0 /proc/"$watcher"/fd/1 /proc/"$watcher"/fd/2 | sort -u)" /dev/null \
	"and none of our files"
ok "its name stands in its lock" grep -q "^vm-watch $watcher" "$run_dir/g/watch.lock"
kill -TERM "$watcher"
kill -HUP "$watcher"
kill -INT "$watcher"
sleep 0.2
not_ok "signals do not end it" process_ended "$watcher"
# clean pages of the program are the page cache's, and count or not by whether another watcher runs
private=$(awk '/^Private_Dirty/ {n += $2} END {print n}' /proc/"$watcher"/smaps_rollup)
ok "it needs $private KB of its own" test "$private" -le "${VM_TEST_WATCHER_KB:-300}"
grep -q "RESUME" "$run_dir/g/events.jsonl"
is "$?" 0 "events.jsonl has QEMU's events"

# ---- killed ----
kill -9 "$watcher"
wait_for 5 "killed" process_ended "$watcher"
ok "the guest goes on" state_is g running
tell g ping
wait_for 5 "it answers" guest_says g '^pong'
status_is 0 vm-suspend g
ok "paused is on record without a watcher" state_is g paused
status_is 0 vm-resume g
ok "so is running" state_is g running
status_is 3 vm-reboot g
err_like 'no watcher'
status_is 0 vm-shutdown --wait=20 g
ok "off" state_is g shutoff
leftovers "the waiting command cleared up"
ok "run directory" test ! -e "$run_dir/g"

# ---- killed, and then QEMU dies: the next changing command reaps ----
vm-start -q g
watcher=$(record g watcher) pid=$(record g pid)
kill -9 "$watcher"
wait_for 5 "the watcher is gone" process_ended "$watcher"
kill -9 "$pid"
wait_for 5 "QEMU is gone" process_ended "$pid"
wait_for 5 "it is stale" state_is g stale
like "$(vm-list --all)" "^[0-9-]+	stale	g" "vm-list says so too"
status_is 0 vm-start g
ok "it runs again" state_is g running
watcher=$(record g watcher) pid=$(record g pid)
kill -9 "$watcher" "$pid"
wait_for 5 "QEMU is gone" state_is g stale
status_is 0 vm-repair g
ok "vm-repair cleared up" state_is g shutoff
ok "run directory" test ! -e "$run_dir/g"
vm-start -q g
watcher=$(record g watcher) pid=$(record g pid)
kill -9 "$watcher" "$pid"
wait_for 5 "QEMU is gone" process_ended "$pid"
status_is 0 vm-destroy g
ok "vm-destroy clears up a stale guest" test ! -e "$run_dir/g"

# ---- a watcher that was stopped holds nobody up ----
vm-start -q g
watcher=$(record g watcher)
kill -STOP "$watcher"
status_is 0 vm-suspend g
ok "paused is on record" state_is g paused
status_is 0 vm-destroy g
kill -CONT "$watcher"
wait_for 5 "it ends" process_ended "$watcher"
ok "run directory" test ! -e "$run_dir/g"

# ---- --no-watch ----
status_is 0 vm-start --no-watch g
is "$(record g watcher)" "" "no watcher on record"
unlike "$(vm_test_processes "$VM_ROOT")" vm-watch "no watcher beside QEMU"
ok "it runs" state_is g running
listens g
status_is 0 vm-suspend g
ok "paused" state_is g paused
status_is 0 vm-resume g
status_is 0 vm-shutdown --wait=20 g
ok "off" state_is g shutoff
leftovers "nothing is left"
vm-start -q --no-watch g
status_is 0 vm-destroy g
is "$(reason g)" destroyed "its reason"
vm-start -q --no-watch g
pid=$(record g pid)
listens g
tell g poweroff
wait_for 10 "it powers off by itself" process_ended "$pid"
wait_for 5 "it is stale until somebody clears up" state_is g stale
status_is 0 vm-start --no-watch g
vm-destroy -q g

# ---- --foreground ----
serve() { # OPTION...: in the background; $service
	: >"$T/notify"
	socat -u UNIX-RECV:"$T/notify.sock" OPEN:"$T/notify",append &
	socat=$!
	while [ ! -S "$T/notify.sock" ]; do sleep 0.01; done
	NOTIFY_SOCKET=$T/notify.sock vm-start --foreground "$@" g >"$T/service.out" 2>"$T/service.err" &
	service=$!
}
served() { # STATUS DESC
	wait "$service"
	is "$?" "$1" "$2: status $1"
	kill "$socat"
	wait "$socat" 2>/dev/null
	rm -f "$T/notify.sock"
	ok "run directory is gone" test ! -e "$run_dir/g"
}
if command -v socat >/dev/null; then
	: >"$T/g.console"
	serve
	wait_for 10 "READY=1" grep -q 'READY=1' "$T/notify"
	ok "the guest runs" state_is g running
	is "$(cat "$T/service.out")" "g: started" "it says so"
	ok "MAINPID is the service" grep -q "^MAINPID=$service" "$T/notify"
	is "$(ps -o ppid= -p "$(record g pid)" | tr -d ' ')" "$service" "it is QEMU's parent"
	is "$(ps -o comm= -p "$service")" vm-watch "and small"
	listens g
	kill -TERM "$service"
	served 0 "SIGTERM: shut down"
	ok "the guest powered off" guest_says g '^power off'
	ok "STOPPING=1" grep -q 'STOPPING=1' "$T/notify"
	is "$(reason g)" shutdown "its reason"

	serve --stop-timeout=1
	listens g
	tell g "ignore-button on"
	tell g "echo deaf"
	wait_for 10 "it ignores the button" guest_says g '^deaf'
	kill -TERM "$service"
	served 12 "a guest that does not obey is killed"
	serve
	wait_for 10 "READY=1" grep -q 'READY=1' "$T/notify"
	vm-destroy -q g
	served 0 "destroyed"
	serve
	wait_for 10 "READY=1" grep -q 'READY=1' "$T/notify"
	kill -SEGV "$(record g pid)"
	served 13 "QEMU crashed"
	is "$(reason g)" crashed-signal-11 "its reason"

	serve --autodestroy
	wait_for 10 "READY=1" grep -q 'READY=1' "$T/notify"
	pid=$(record g pid)
	kill -9 "$service"
	wait_for 5 "--autodestroy: QEMU ends with its service" process_ended "$pid"
	wait "$service" 2>/dev/null
	vm-repair -q g
	kill "$socat"
	wait "$socat" 2>/dev/null
	rm -f "$T/notify.sock"
else
	skip 23 "no socat"
fi
status_is 2 vm-start --foreground --no-watch g
status_is 2 vm-start --autodestroy g
leftovers
done_testing
