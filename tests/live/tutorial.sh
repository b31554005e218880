#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 120
# Runs every step of vm-tutorial(7) as a reader would and compares what it prints. In the page's literal displays
# "# CMD" is typed, "> MORE" continues it, and the lines up to the next command are its output, in which
# "*" stands for anything and a line "..." for any lines.
. "$(dirname "$0")/../tap.sh"
needs vm-define vm-start vm-list vm-info vm-shutdown vm-undefine
root_needed
page=$VM_SOURCE/man/vm-tutorial.7
[ -e "$page" ] || skip_all "no tutorial"

mkdir "$T/tutorial" "$T/steps" && cd "$T/tutorial" || exit 1

# Steps as files: N.cmd and N.out.
awk -v dir="$T/steps" '
	/^\.Bd -literal/ { on = 1; next }
	/^\.Ed/ { on = 0; next }
	!on { next }
	{ gsub(/\\e/, "\\"); gsub(/\\&/, ""); gsub(/\\-/, "-"); gsub(/\\\(aq/, "\047") }
	/^# / { n++; cmd = sprintf("%s/%03d.cmd", dir, n); out = sprintf("%s/%03d.out", dir, n)
		printf "" > out; print substr($0, 3) > cmd; next }
	/^> / { print substr($0, 3) > cmd; next }
	n { print > out }
' "$page"

# Does the text of file $1 match the pattern lines of file $2?
matches() {
	awk -v patterns="$2" '
		function glob(text, pattern) {
			gsub(/[][\\.^$+?(){}|]/, "\\\\&", pattern)
			gsub(/\*/, ".*", pattern)
			return text ~ ("^" pattern "$")
		}
		{ text[NR] = $0 }
		END {
			while ((getline line < patterns) > 0) want[++w] = line
			t = 1
			for (p = 1; p <= w; p++) {
				if (want[p] == "...") {
					if (p == w) exit 0
					while (t <= NR && !glob(text[t], want[p + 1])) t++
					continue
				}
				if (t > NR || !glob(text[t], want[p])) exit 1
				t++
			}
			exit t <= NR
		}' "$1"
}

for step in "$T"/steps/*.cmd; do
	want=${step%.cmd}.out
	sed "s|/usr/share/vm-utils/tiny-guest|$VM_TEST_GUEST|g" "$step" >"$step.run"
	sh "$step.run" >"$step.got" 2>&1 </dev/null
	if matches "$step.got" "$want"; then
		pass "$(head -n 1 "$step")"
	else
		fail "$(head -n 1 "$step")"
		diag "printed: $(cat "$step.got")"
		diag "the page says: $(cat "$want")"
	fi
done
leftovers "nothing is left at the end of the tutorial"
done_testing
