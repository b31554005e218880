# SPDX-License-Identifier: LGPL-2.1-or-later
# Many guests started at once, listed, and destroyed at once. 20 guests; with VM_TEST_FULL 200.
# timeout: 900
# serial
. "$(dirname "$0")/../tap.sh"
root_needed
needs vm-define vm-start vm-destroy vm-list

guests=20
[ -z "${VM_TEST_FULL:-}" ] || guests=200
VM_TEST_MEMORY=16

# each N COMMAND...: runs COMMAND with "storm1" ... "stormN" added, all at once; prints the failures
each() {
	count=$1
	shift
	i=0
	while [ "$i" -lt "$count" ]; do
		i=$((i + 1))
		{ timeout -k 2 300 "$@" "storm$i" 2>"$T/storm$i.err" || echo "storm$i: status $?: $(cat "$T/storm$i.err")"; } &
	done
	wait
}

i=0
while [ "$i" -lt "$guests" ]; do
	i=$((i + 1))
	guest_xml "storm$i" >"$T/storm.xml"
	vm-define -q "$T/storm.xml" || fail "define storm$i"
done
began=$(date +%s%N)
failures=$(each "$guests" vm-start -q --timeout=200)
diag "$guests starts: $((($(date +%s%N) - began) / 1000000)) ms"
is "$failures" "" "$guests guests start at once"
is "$(vm-list --name | wc -l)" "$guests" "all are listed"
is "$(vm-list | cut -f2 | sort -u)" running "all run"
is "$(vm-list --id | sort -u | wc -l)" "$guests" "each has its own id"
began=$(date +%s%N)
failures=$(each "$guests" vm-destroy -q --timeout=200)
diag "$guests ends: $((($(date +%s%N) - began) / 1000000)) ms"
is "$failures" "" "all are destroyed at once"
is "$(vm-list --name)" "" "none runs"
run "$VM_BUILD/tests/invariants" "$VM_ROOT"
is "$(printf '%s\n' "$out" | grep '^bad')" "" "the host is as it should be"
leftovers
done_testing
