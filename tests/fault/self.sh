# SPDX-License-Identifier: LGPL-2.1-or-later
# The harness on a model with known mistakes: it must find each of them, and nothing in the right one.
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"

VM_TEST_FULL=yes
probe=$VM_BUILD/tests/vm-probe
f_guest=probe$$
uuid=6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11
mistake=
f_prepare() { :; }
f_command() { "$@" "$probe" $mistake "$f_guest" "$uuid"; }
f_converge() { "$@" "$probe" "$f_guest" "$uuid"; }
# the model's guest has no state to ask for, and no vm-repair
f_compare() { :; }
f_converged() { f_promptly f_converge; }

# Two passes: one judged at once by what a reader sees, one after the next command.
faults "right model" tool kill tree fail

# Runs the enumeration aside; it must fail.
finds() {
	mistake=$1
	before=$tap_failed
	faults "model with $1" tool "$2" >"$T/found"
	tap_failed=$before tap_n=$((tap_n - 1))
	if grep -q '^not ok .* violations$' "$T/found"; then
		pass "finds $1"
	else
		fail "finds $1"
		diag "$(cat "$T/found")"
	fi
}

grep -q __asan_init "$f_fault" || finds --no-undo fail
# mistakes that only matter until somebody repairs
f_converge() { "$@" true; }
mistake=
finds --late-link kill
finds --in-place kill

like "$("$f_fault" count -- sleep 0 2>&1)" '^calls=[1-9][0-9]* changes=[1-9].*end=exit:0$' "counts"
run "$f_fault" fail 1 EIO --changes -- "$probe" x y
isnt "$status" 0 "a failed call fails the command"
"$f_fault" count --deadline=300 -- sleep 20 2>"$T/hung"
is "$?" 124 "a command that hangs is ended"
"$f_fault" kill 1 --tree --report="$T/r1" -- "$probe" x y
is "$?" 137 "a killed command is killed"
done_testing
