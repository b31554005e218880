# SPDX-License-Identifier: LGPL-2.1-or-later
# Enumerates the system calls of a command and lets it die, or fail, at each. Sourced after tap.sh.
#
# A scenario defines   f_guest    the guest's name
#                      f_prepare  brings $VM_ROOT into the state before the command
#                      f_command  runs the command behind "$@", e.g.  "$@" vm-start "$f_guest"
#                      f_converge runs the next changing command behind "$@"; it must finish or undo
#                                 what was interrupted (vm-repair is tried in turn)
#                      f_during   optional: runs while what the command left is traced
#                      f_check    optional: prints what else is wrong, $1 says when
#                      f_finish   optional: ends a guest that may be running, before the next round
# and then calls       faults NAME WHO MODE...   WHO: tool watch all; MODE: kill tree fail
#
# In an ordinary run a sample is tried, drawn with $VM_TEST_SEED; with VM_TEST_FULL all points are.
# VM_FAULT_AT="N..." tries those points only, VM_FAULT_MODE=MODE that mode only, VM_FAULT_NAME=PATTERN those scenarios only.

f_fault=$VM_BUILD/tests/fault
f_invariants=$VM_BUILD/tests/invariants
f_sample=${VM_FAULT_SAMPLE:-12}
f_linger=3000
# "FROM:TO": only calls from a little before the first FROM to a little behind the first TO after it are tried
f_window=
# "no": the command removes things; one that failed halfway is finished by the next
f_whole=
f_seed=${VM_TEST_SEED:-$(date +%s)}
[ -x "$f_fault" ] || skip_all "the fault harness is not built for this processor"

# a sanitizer cannot look for leaks in a process that is traced
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"

f_during() { :; }
f_check() { :; }
f_finish() { :; }

# A new, empty host tree. The earlier one goes, with whatever it still holds.
f_new_root() {
	if [ -n "${f_root:-}" ]; then
		vm_test_reap "$f_root"
		rm -rf --one-file-system "$f_root"
	fi
	f_round=$((${f_round:-0} + 1))
	f_root=$T/f$f_round
	mkdir "$f_root"
	VM_ROOT=$f_root
	# the emulator's abilities are known already, as they are on a host in use
	if [ -d "$T/caps" ]; then
		mkdir -p "$VM_ROOT/var/lib/vm"
		cp -rp "$T/caps" "$VM_ROOT/var/lib/vm/"
	fi
}

# What it finds is told; what it says otherwise is not.
f_end_round() {
	f_finish >"$T/finished" 2>&1
	grep '^# ' "$T/finished"
	:
}
f_problem() {
	f_problems=$((f_problems + 1))
	diag "$f_name $f_mode $f_n: $*"
	[ ! -s "$T/report" ] || diag "  $(cat "$T/report")"
	[ ! -s "$T/said" ] || diag "  stderr: $(head -n 3 "$T/said")"
	[ ! -s "$T/said.next" ] || diag "  then: $(head -n 3 "$T/said.next")"
}

# Milliseconds since boot.
f_now() {
	read -r f_up f_rest </proc/uptime
	echo "${f_up%.*}${f_up#*.}0"
}

f_within_deadline() {
	if [ "$1" = f_converge ]; then f_converge timeout -k 1 5; else timeout -k 1 5 "$@"; fi
}

# Milliseconds since boot in which somebody on this machine waited for a processor.
f_crowded() {
	f_us=$(sed -n 's/^some .*total=//p' /proc/pressure/cpu 2>/dev/null)
	echo $((${f_us:-0} / 1000))
}

# Runs a command that must answer within a second; what it may have waited for others' work is not its own.
f_promptly() {
	f_from=$(f_now) f_waited=$(f_crowded)
	f_within_deadline "$@" >"$T/said.out" 2>"$T/said.next"
	f_status=$?
	f_took=$(($(f_now) - f_from))
	f_waited=$(($(f_crowded) - f_waited))
	if [ $((f_took - f_waited)) -gt 1000 ] || [ "$f_took" -gt 4000 ]; then
		f_problem "'$*' took $f_took ms, $f_waited of them on a crowded machine"
	fi
	return 0
}

# Learns them. Before the first scenario.
f_learn_caps() {
	guest_xml "$f_guest" >"$T/caps.xml"
	vm-define -q "$T/caps.xml" && vm-start -q "$f_guest" && vm-destroy -q "$f_guest"
	vm-undefine -q "$f_guest"
	cp -rp "$VM_ROOT/var/lib/vm/caps" "$T/caps"
}

f_report_field() { sed -n "s/.*$1=\([^ ]*\).*/\1/p" "$T/report"; }

# What must hold now; $1 says when.
f_judge() {
	f_tries=30
	# a watcher that lost its guest, or its starter, is about to clear up; a busy machine takes longer
	until "$f_invariants" --guest="$f_guest" "$VM_ROOT" >"$T/judged" || [ "$f_tries" -eq 0 ]; do
		f_tries=$((f_tries - 1))
		sleep 0.1
	done
	if [ "$f_tries" -eq 0 ]; then
		f_problem "$1: $(grep '^bad' "$T/judged" | head -n 5)"
	fi
	f_compare "$1"
	f_wrong=$(f_check "$1")
	[ -z "$f_wrong" ] || f_problem "$1: $f_wrong"
}

# What vm-info says is what the host shows; both may be changing just now.
f_compare() {
	[ -x "$VM_BUILD/bin/vm-info" ] || return 0
	f_tries=10
	until f_agree "$1"; do
		f_tries=$((f_tries - 1))
		if [ "$f_tries" -eq 0 ]; then
			f_problem "$1: vm-info says '$f_says' (status $f_status), the host says ${f_true:-nothing}"
			return
		fi
		sleep 0.2
		"$f_invariants" --guest="$f_guest" "$VM_ROOT" >"$T/judged"
	done
}

f_agree() {
	f_true=$(sed -n "s/^state $f_guest \([a-z]*\).*/\1/p" "$T/judged")
	[ -n "$f_true" ] || return 0
	f_promptly vm-info --get=state "$f_guest"
	f_says=$(cat "$T/said.out")
	case $f_says:$f_true in
	running:running | shutoff:shutoff) return 0 ;;
	# a destroy that failed halfway has asked it to end
	shutting-down:running) [ "$1" = "after the failure" ] ;;
	*) [ "$f_status" -eq 5 ] && grep -q "^state $f_guest .*undefined" "$T/judged" ;;
	esac
}

f_converged() {
	if [ $((f_n % 2)) -eq 0 ] && [ -x "$VM_BUILD/bin/vm-repair" ]; then
		f_promptly vm-repair --all
		[ "$f_status" -eq 0 ] || f_problem "vm-repair: status $f_status"
	else
		f_promptly f_converge
	fi
}

f_once() {
	f_new_root
	f_prepare >"$T/prepared" 2>&1 || f_problem "preparing failed: $(tail -n 3 "$T/prepared")"
	rm -f "$T/report"
	: >"$T/said"
	: >"$T/said.next"
	case $f_mode in
	kill) set -- kill "$f_n" --changes ;;
	tree) set -- kill "$f_n" --changes --tree ;;
	fail) set -- fail "$f_n" auto --failing --pick="$((f_seed + f_n))" ;;
	esac
	if [ "$f_who" = tool ]; then
		f_command "$f_fault" "$@" --who=tool --report="$T/report" -- >/dev/null 2>"$T/said"
		f_got=$?
	else
		f_command "$f_fault" "$@" --who="$f_who" --linger="$f_linger" --report="$T/report" -- >/dev/null 2>"$T/said" &
		f_traced=$!
		f_during
		wait "$f_traced"
		f_got=$?
	fi
	f_hit=$(f_report_field hit)
	[ "$f_got" -ne 124 ] || f_problem "the command hung"
	if [ "$f_mode" = fail ] && [ "$f_hit" = yes ] && [ "$f_who" = tool ]; then
		[ "$f_got" -lt 15 ] && [ "$f_got" -ne 1 ] || f_problem "exit status $f_got"
		[ "$f_got" -eq 0 ] || [ -s "$T/said" ] || f_problem "status $f_got and no message"
		# what could not be removed, or not for certain, is there until the next command
		case $f_whole$(f_report_field at) in
		no* | *:unlink*:* | *:rmdir:* | *:umount2:* | *:fsync:*) ;;
		*) f_judge "after the failure" ;;
		esac
	fi
	if [ -x "$VM_BUILD/bin/vm-list" ]; then
		f_promptly vm-list --all
		[ "$f_status" -eq 0 ] || f_problem "vm-list: status $f_status"
	fi
	f_converged
	f_judge "after the next command"
	f_end_round
}

f_points() {
	if [ -n "${VM_FAULT_AT:-}" ]; then
		echo "$VM_FAULT_AT"
	elif [ -n "${VM_TEST_FULL:-}" ] || [ $((f_last - f_first + 1)) -le "$f_sample" ]; then
		seq "$f_first" "$f_last"
	else
		awk -v n="$f_sample" -v first="$f_first" -v total="$((f_last - f_first + 1))" -v seed="$f_seed" 'BEGIN {
			srand(seed)
			while (got < n) {
				p = first + int(rand() * total)
				if (!(p in seen)) { seen[p] = 1; got++; print p }
			}
		}' | sort -n
	fi
}

# The points of this mode that are within f_window.
f_find_window() {
	f_new_root
	f_prepare >"$T/prepared" 2>&1
	f_command "$f_fault" count --list -- >/dev/null 2>"$T/listed"
	f_end_round
	set -- $(awk -v mode="$f_mode" -v from="${f_window%%:*}" -v to="${f_window#*:}" '$1 ~ /^[0-9]+$/ && NF == 5 {
		name[++n] = $3
		count[n] = count[n - 1] + (mode == "fail" ? $5 == "fails" : $4 == "changes")
		if (!a && $3 == from) a = n > 8 ? n - 8 : 1
		if (a && !b && $3 == to && n > a + 8) b = n + 8
	}
	END { if (a && b) print count[a - 1] + 1, count[b <= n ? b : n] }' "$T/listed")
	if [ $# -eq 2 ] && [ "$1" -le "$2" ]; then
		f_first=$1 f_last=$2
	else
		f_problem "$f_window is not among the calls"
	fi
}

f_count() {
	f_new_root
	f_prepare >"$T/prepared" 2>&1 || return 1
	if [ "$f_who" = tool ]; then
		f_command "$f_fault" count --report="$T/report" -- >/dev/null 2>"$T/said"
	else
		f_command "$f_fault" count --who="$f_who" --linger="$f_linger" --report="$T/report" -- >/dev/null 2>"$T/said" &
		f_traced=$!
		f_during
		wait "$f_traced"
	fi
	f_calls=$(f_report_field calls) f_failing=$(f_report_field failing) f_changes=$(f_report_field changes) f_end=$(f_report_field end)
	f_end_round
	diag "$f_name ($f_who): ${f_calls:-0} system calls, ${f_changes:-0} change something, ${f_failing:-0} can fail; seed $f_seed"
	[ "$f_end" = exit:0 ]
}

faults() {
	f_name=$1 f_who=$2
	shift 2
	# shellcheck disable=SC2254 # a pattern
	case $f_name in ${VM_FAULT_NAME:-*}) ;; *) return 0 ;; esac
	if ! f_count; then
		fail "$f_name ($f_who): succeeds when nothing goes wrong"
		diag "$(cat "$T/prepared" "$T/said" "$T/report" 2>/dev/null)"
		return
	fi
	for f_mode; do
		[ "${VM_FAULT_MODE:-$f_mode}" = "$f_mode" ] || continue
		# a sanitizer's run-time library cannot stand failing calls of its own
		if [ "$f_mode" = fail ] && grep -q __asan_init "$f_fault"; then
			skip 1 "$f_name ($f_who): fail, in a build with sanitizers"
			continue
		fi
		f_problems=0 f_tried=0 f_missed=0
		case $f_mode in
		fail) f_total=$f_failing ;;
		*) f_total=$f_changes ;;
		esac
		f_first=1 f_last=$f_total
		[ -z "$f_window" ] || f_find_window
		for f_n in $(f_points); do
			f_once
			f_tried=$((f_tried + 1))
			[ "$f_hit" = yes ] || f_missed=$((f_missed + 1))
		done
		if [ "$f_problems" -eq 0 ]; then
			pass "$f_name ($f_who): $f_mode at $f_tried of $((f_last - f_first + 1)) system calls ($f_missed not reached)"
		else
			fail "$f_name ($f_who): $f_mode at $f_tried of $f_total system calls: $f_problems violations"
		fi
	done
	f_new_root
}
