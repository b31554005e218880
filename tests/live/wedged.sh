# SPDX-License-Identifier: LGPL-2.1-or-later
# Nothing hangs: QEMU stopped or its sockets held, commands in each other's way, a start that is interrupted.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-destroy vm-shutdown vm-suspend vm-define vm-info vm-list vm-repair
command -v socat >/dev/null || skip_all "no socat"

define() { guest_xml "$@" >"$T/$1.xml" && vm-define -q "$T/$1.xml"; }
record() { sed -n "s/^$2=//p" "$VM_ROOT/run/vm/qemu/$1/record"; }
state_is() { [ "$(vm-info --get=state "$1")" = "$2" ]; }
run_dir=$VM_ROOT/run/vm/qemu
took() { # MS COMMAND...: and at most that long
	tap_limit=$1
	shift
	tap_begin=$(date +%s%N)
	run "$@"
	tap_ms=$((($(date +%s%N) - tap_begin) / 1000000))
	if [ "$tap_ms" -le "$tap_limit" ]; then pass "$* took $tap_ms ms"; else fail "$* took $tap_ms ms"; fi
}
define g
define h

# ---- QEMU stopped ----
vm-start -q g
pid=$(record g pid)
kill -STOP "$pid"
took 2000 vm-suspend --timeout=1 g
is "$status" 12 "a stopped QEMU is a time-out"
like "$err" "^vm-suspend: g: QEMU \(pid $pid\) does not answer: it is stopped \(SIGSTOP\); kill -CONT $pid" "and told as what it is"
took 2000 vm-shutdown --timeout=1 g
is "$status" 12 "vm-shutdown likewise"
took 3000 vm-info g memory
is "$status" 12 "and nobody waits ten seconds for it unasked"
took 1000 vm-list
is "$status" 0 "vm-list is not held up"
took 1000 vm-destroy g
is "$status" 0 "vm-destroy needs nothing of it"
ok "off" state_is g shutoff

# ---- its socket held by somebody ----
vm-start -q g
socat -u "UNIX-CONNECT:$run_dir/g/qmp.sock" OPEN:"$T/held",creat &
holder=$!
wait_for 5 "somebody holds qmp.sock" grep -q QMP "$T/held"
took 6000 vm-suspend --timeout=4 g
is "$status" 0 "the spare socket serves"
socat -u "UNIX-CONNECT:$run_dir/g/spare.sock" OPEN:"$T/held2",creat &
holder2=$!
wait_for 5 "somebody holds spare.sock" grep -q QMP "$T/held2"
took 2500 vm-resume --timeout=1 g
is "$status" 12 "both held: a time-out"
like "$err" "others hold its sockets" "which says so"
took 1000 vm-destroy g
is "$status" 0 "vm-destroy needs no socket"
kill "$holder" "$holder2" 2>/dev/null
wait "$holder" "$holder2" 2>/dev/null

# ---- two commands on one guest ----
vm-start -q g
kill -STOP "$(record g pid)"
vm-suspend --timeout=8 g >/dev/null 2>&1 &
first=$!
wait_for 5 "one command is at work" grep -q vm-suspend "$run_dir/g/lock"
took 2000 vm-resume --timeout=1 g
is "$status" 12 "the other one waits, and gives up in time"
like "$err" "vm-suspend \(pid $first\)" "naming who is at work"
took 1500 vm-start -q h
is "$status" 0 "another guest is not held up"
vm-resume --timeout=10 g >"$T/second" 2>&1 &
second=$!
kill -CONT "$(record g pid)"
wait "$first"
is "$?" 0 "the first one ends well"
wait "$second"
is "$?" 0 "so does the one that waited"
ok "and they came one after the other" state_is g running
vm-destroy -q g h

# ---- a start that is interrupted ----
# An emulator that never gets ready.
cat >"$T/slow-emulator" <<END
#!/bin/sh
case "\$*" in *charmonitor*) exec sleep 100 ;; esac
exec /usr/bin/qemu-system-x86_64 "\$@"
END
chmod 755 "$T/slow-emulator"
guest_xml slow | sed "s|/usr/bin/qemu-system-x86_64|$T/slow-emulator|" >"$T/slow.xml"
vm-define -q "$T/slow.xml"
vm-start --dry-run slow >/dev/null # its abilities are cached now
took 4000 vm-start --timeout=2 slow
is "$status" 12 "a QEMU that does not get ready is a time-out"
like "$err" 'QEMU does not get ready.*--timeout' "with what to do"
leftovers "nothing is left of it"
ok "run directory" test ! -e "$run_dir/slow"
for signal in INT TERM; do
	# a shell's background command ignores SIGINT
	setsid -w sh -c 'exec env --default-signal=INT vm-start --timeout=30 slow' >"$T/out" 2>"$T/err" &
	job=$!
	wait_for 5 "the start is under way" grep -q '^phase=starting' "$run_dir/slow/record"
	starter=$(pgrep -f 'vm-start --timeout=30 slow' | tail -n 1)
	kill -"$signal" "$starter"
	wait "$job"
	isnt "$?" 0 "SIG$signal ends it"
	ok "it is undone" test ! -e "$run_dir/slow"
	leftovers "nothing is left of it"
done
vm-start --timeout=30 slow >/dev/null 2>&1 &
starter=$!
wait_for 5 "the start is under way" grep -q '^phase=starting' "$run_dir/slow/record"
qemu=$(record slow pid)
kill -9 "$starter"
wait "$starter" 2>/dev/null
wait_for 5 "kill -9: the watcher undoes it" process_ended "$qemu"
wait_for 5 "it is off" state_is slow shutoff
wait_for 5 "run directory" test ! -e "$run_dir/slow"
vm-start --no-watch --timeout=30 slow >/dev/null 2>&1 &
starter=$!
wait_for 5 "the start is under way" grep -q '^phase=starting' "$run_dir/slow/record"
qemu=$(record slow pid)
kill -9 "$starter"
wait "$starter" 2>/dev/null
status_is 0 vm-repair slow
ok "kill -9 without a watcher: vm-repair undoes it" process_ended "$qemu"
ok "run directory" test ! -e "$run_dir/slow"

# ---- a QEMU that lets go of its lock and lives on ----
if command -v python3 >/dev/null; then
	cat >"$T/liar" <<END
#!/usr/bin/python3
import fcntl, os, struct, sys
if "charmonitor" not in " ".join(sys.argv):
    os.execv("/usr/bin/qemu-system-x86_64", sys.argv)
if os.fork() == 0:
    import time
    time.sleep(2)
    fcntl.fcntl(3, 37, struct.pack("hhqqi4x", fcntl.F_UNLCK, 0, 0, 0, 0))
    time.sleep(5)
    os._exit(0)
os.execv("/usr/bin/qemu-system-x86_64", sys.argv)
END
	chmod 755 "$T/liar"
	guest_xml liar | sed "s|/usr/bin/qemu-system-x86_64|$T/liar|" >"$T/liar.xml"
	vm-define -q "$T/liar.xml"
	ok "it starts" vm-start -q liar
	old=$(record liar pid)
	wait_for 10 "its lock is free, though it lives" state_is liar stale
	not_ok "it lives" process_ended "$old"
	status_is 0 vm-start liar
	ok "the old one was ended before the new one started" process_ended "$old"
	ok "it runs once" state_is liar running
	vm-destroy -q liar
else
	skip 6 "no python3"
fi
wait_for 15 "the liar's child is gone" sh -c '! pgrep -f "$1" >/dev/null' sh "$T/[l]iar"
leftovers
done_testing
