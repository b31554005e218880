# SPDX-License-Identifier: LGPL-2.1-or-later
# Finding and ending what a test left behind under a directory. For sourcing.

# The processes whose environment, arguments, working directory or open files lie under $1: "PID NAME" a line.
vm_test_processes() {
	if [ -x "${VM_BUILD:-/none}/tests/proc-scan" ]; then
		"$VM_BUILD/tests/proc-scan" "$1"
		return
	fi
	for vm_test_dir in /proc/[0-9]*; do
		vm_test_pid=${vm_test_dir#/proc/}
		[ "$vm_test_pid" = $$ ] && continue
		if tr '\0' '\n' <"$vm_test_dir/cmdline" 2>/dev/null | grep -qF -e "$1"; then
			echo "$vm_test_pid $(cat "$vm_test_dir/comm" 2>/dev/null)"
		fi
	done
}

# Mount points under $1, deepest last.
vm_test_mounts() {
	awk -v root="$1/" 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo
}

# Control groups of the guests of a $VM_ROOT: $1 itself or $1/r.
vm_test_groups() {
	[ -x "${VM_BUILD:-/none}/tests/group-scan" ] || return 0
	"$VM_BUILD/tests/group-scan" "$1"
	"$VM_BUILD/tests/group-scan" "$1/r"
}

# Ends those processes, by pid, takes those mounts off and removes those groups.
vm_test_reap() {
	for vm_test_round in 1 2 3; do
		vm_test_list=$(vm_test_processes "$1" || :)
		[ -n "$vm_test_list" ] || break
		vm_test_pids=$(printf '%s\n' "$vm_test_list" | cut -d' ' -f1)
		kill -KILL $vm_test_pids 2>/dev/null
		sleep 0.1
	done
	vm_test_mounts "$1" | sort -r | while read -r vm_test_mount; do
		umount -l "$vm_test_mount"
	done
	if [ -x "${VM_BUILD:-/none}/tests/group-scan" ]; then
		"$VM_BUILD/tests/group-scan" --remove "$1"
		"$VM_BUILD/tests/group-scan" --remove "$1/r"
	fi
}
