# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 90
# vm-events follows real guests through their lives: none of their beginnings and ends is missed or told twice.
. "$(dirname "$0")/../tap.sh"
needs vm-events vm-create vm-destroy vm-qmp vm-wait
root_needed
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"

count() { cut -f 2 "$T/ev" | grep -cx "$1"; }

guest_xml g1 >"$T/g1.xml"
vm-events --follow >"$T/ev" 2>"$T/ev.err" &
follower=$!
sleep 0.2
for how in destroy quit destroy quit destroy quit; do
	vm-create "$T/g1.xml" >/dev/null || fail "vm-create"
	if [ $how = quit ]; then
		vm-qmp g1 quit >/dev/null
		vm-wait --off g1 2>/dev/null
	else
		vm-destroy g1 >/dev/null
	fi
done
wait_for 5 "every end was told" sh -c "[ \$(cut -f 2 '$T/ev' | grep -cx ended) -eq 6 ]"
is "$(count started) $(count RESUME) $(count SHUTDOWN)" "6 6 3" "so was everything else"

# Without a watcher QEMU itself tells; its end is missed when vm-destroy has cleared everything away first.
skip 4 "the end of a guest without watcher is not told reliably"
kill $follower
wait $follower 2>/dev/null
is "$(cat "$T/ev.err")" "" "without a complaint"
leftovers
done_testing
