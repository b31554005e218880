# SPDX-License-Identifier: LGPL-2.1-or-later
# Many processes run random commands on one guest; nothing hangs, nothing is left, every status is one that
# such a race allows. 10 s; with VM_TEST_FULL two minutes.
# timeout: 400
# serial
. "$(dirname "$0")/../tap.sh"
root_needed
needs vm-define vm-start vm-destroy vm-list vm-info

processes=${VM_SOAK_PROCESSES:-64}
seconds=10
[ -z "${VM_TEST_FULL:-}" ] || seconds=120
seed=${VM_TEST_SEED:-$(date +%s)}
guest=soak$$
guest_xml "$guest" >"$T/guest.xml"
diag "$processes processes, $seconds s, seed $seed"
vm-define -q "$T/guest.xml"
mkdir "$T/logs"

# One command; 124 and 137 are timeout's own, for a command that hung.
one() {
	case $1 in
	0 | 1) set -- vm-start -q --if-needed "$guest" ;;
	2) set -- vm-destroy -q "$guest" ;;
	3) set -- vm-info "$guest" ;;
	4) set -- vm-list --all ;;
	5) set -- vm-define -q "$T/guest.xml" ;;
	6) set -- vm-suspend -q "$guest" ;;
	7) set -- vm-resume -q "$guest" ;;
	8) set -- vm-shutdown -q "$guest" ;;
	9) set -- vm-repair -q "$guest" ;;
	10) set -- vm-reset -q "$guest" ;;
	11) set -- vm-undefine -q "$guest" ;;
	esac
	[ -x "$VM_BUILD/bin/$1" ] || return 0
	timeout -k 2 40 "$@" >/dev/null 2>"$T/logs/$n.err"
	one_status=$?
	echo "$one_status $*" >>"$T/logs/$n"
	case $one_status in
	0 | 1 | 5 | 7 | 10 | 11 | 12) ;;
	# QEMU that is killed while a command talks to it
	13) ;;
	*) echo "status $one_status: $*: $(head -n 2 "$T/logs/$n.err")" >>"$T/logs/bad" ;;
	esac
}

worker() {
	end=$(($(date +%s) + seconds))
	set -- $(awk -v seed="$((seed + n))" 'BEGIN { srand(seed); for (i = 0; i < 4000; i++) print int(rand() * 12) }')
	for choice; do
		[ "$(date +%s)" -lt "$end" ] || break
		one "$choice"
	done
}

n=0
while [ "$n" -lt "$processes" ]; do
	n=$((n + 1))
	worker &
done
wait
cat "$T/logs"/[0-9]*[0-9] | awk '{ n[$1 " " $2]++; total++ } END { for (k in n) print n[k], k; print total, "in all" }' |
	sort -k2 | sed 's/^/# /'
is "$(cat "$T/logs/bad" 2>/dev/null | sort | uniq -c | sort -rn | head -n 20)" "" "every status is allowed"
timed_out=$(cat "$T/logs"/[0-9]*[0-9] | grep -c '^12 ' || :)
diag "$timed_out commands gave up waiting (status 12)"

vm-destroy -q --if-needed "$guest" 2>/dev/null
ok "the guest can be defined" vm-define -q "$T/guest.xml"
ok "it can be started" vm-start -q "$guest"
is "$(vm-info --get=state "$guest")" running "it runs"
ok "it can be destroyed" vm-destroy -q "$guest"
run "$VM_BUILD/tests/invariants" --guest="$guest" "$VM_ROOT"
is "$(printf '%s\n' "$out" | grep '^bad')" "" "the host is as it should be"
leftovers
done_testing
