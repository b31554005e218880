# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 180
# vm-events follows real guests through their lives: none of their beginnings and ends is missed or told twice.
. "$(dirname "$0")/../tap.sh"
needs vm-events vm-create vm-destroy vm-qmp vm-wait vm-info vm-repair
root_needed
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"

count() { cut -f 2 "$T/ev" | grep -cx "$1"; }

guest_xml g1 >"$T/g1.xml"
vm-events --follow >"$T/ev" 2>"$T/ev.err" &
follower=$!
wait_for 20 "it follows" sh -c "grep -q '^inotify wd' /proc/$follower/fdinfo/*"
# what a follower has not seen begin it cannot see end
begins=0
begin() { # OPTION...
	begins=$((begins + 1))
	vm-create "$@" "$T/g1.xml" >/dev/null || fail "vm-create"
	tap_until=$(($(date +%s) + 30))
	while [ "$(count started)" -lt $begins ] && [ "$(date +%s)" -lt $tap_until ]; do sleep 0.02; done
}
for how in destroy quit destroy quit destroy quit; do
	begin
	if [ $how = quit ]; then
		vm-qmp g1 quit >/dev/null
		vm-wait --off g1 2>/dev/null
	else
		vm-destroy g1 >/dev/null
	fi
done
wait_for 20 "every end was told" sh -c "[ \$(cut -f 2 '$T/ev' | grep -cx ended) -eq 6 ]"
is "$(count started) $(count RESUME) $(count SHUTDOWN)" "6 6 3" "so was everything else"

# Without a watcher QEMU itself tells, and its end whoever clears up.
for i in 1 2 3; do
	begin --no-watch
	vm-destroy g1 >/dev/null
done
wait_for 20 "every end was noticed" sh -c "[ \$(cut -f 2 '$T/ev' | grep -cx ended) -eq 9 ]"
is "$(tail -n 1 "$T/ev" | cut -f 3)" '{"reason":"destroyed","status":null}' "and its reason"
begin --no-watch
wait_for 20 "it has the events socket" sh -c "ls -l /proc/$follower/fd | grep -q 'socket:'"
vm-qmp g1 stop >/dev/null
vm-qmp g1 cont >/dev/null
wait_for 20 "its events are seen" sh -c "tail -n 2 '$T/ev' | cut -f 2 | tr '\n' ' ' | grep -qx 'STOP RESUME '"
vm-destroy g1 >/dev/null
wait_for 20 "and its end" sh -c "tail -n 1 '$T/ev' | grep -q '	ended	'"
sleep 0.3
is "$(count ended)" 10 "once"
# nobody clears up after this one before the next command
begin --no-watch
vm-qmp g1 quit >/dev/null
wait_for 20 "QEMU's last words" sh -c "tail -n 1 '$T/ev' | grep -q '	SHUTDOWN	'"
wait_for 20 "it has ended" sh -c '[ "$(vm-info --get=state g1)" = stale ]'
vm-repair -q --all
wait_for 20 "the end of a guest that ended by itself" sh -c "tail -n 1 '$T/ev' | grep -q '	ended	'"
is "$(count ended)" 11 "once"
# What a guest said before it was ended comes before its end, whoever writes that.
for i in 1 2 3; do
	begin
	vm-destroy --graceful g1 >/dev/null
done
wait_for 20 "the ends of guests that were told to terminate" sh -c "[ \$(cut -f 2 '$T/ev' | grep -cx ended) -eq 14 ]"
is "$(tail -n 2 "$T/ev" | cut -f 2 | tr '\n' ' ')" "SHUTDOWN ended " "after the cause"
is "$(grep -c '"reason":"destroyed","status":[0-9]' "$T/ev")" 9 "ended tells the status where a watcher saw it"
# Lives that pass while the follower cannot look.
kill -STOP $follower
vm-create -q "$T/g1.xml"
vm-destroy -q g1
guest_xml g2 >"$T/g2.xml"
vm-create -q --no-watch "$T/g2.xml"
vm-destroy -q g2
kill -CONT $follower
wait_for 20 "both ends were told" sh -c "[ \$(cut -f 2 '$T/ev' | grep -cx ended) -eq 16 ]"
is "$(tail -n 4 "$T/ev" | cut -f 1,2 | tr '\t\n' ' ')" "g1 started g1 ended g2 started g2 ended " "and both beginnings"
kill $follower
wait $follower 2>/dev/null
is "$(cat "$T/ev.err")" "" "without a complaint"
leftovers
done_testing
