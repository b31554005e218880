# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 300
# Device rules by this machine's own kernel, tried by a process that has them.
. "$(dirname "$0")/../tap.sh"
root_needed
[ -x "$VM_BUILD/tests/acl-live" ] || skip_all "acl-live is not built"
mkdir "$T/nodes"
mknod "$T/nodes/try" c 1 3 && : 2>/dev/null <"$T/nodes/try" || skip_all "no device can be opened in $T"
rm "$T/nodes/try"
grep -q ' - cgroup' /proc/self/mountinfo || skip_all "no control groups"

"$VM_BUILD/tests/acl-live" "$T/nodes" >"$T/points" 2>&1
status=$?
while read -r line; do
	case $line in
	"ok "*" # SKIP "*) skip 1 "${line#*# SKIP }" ;;
	"ok "*) pass "${line#* - }" ;;
	"not ok "*) fail "${line#* - }" ;;
	"# "*) diag "${line#\# }" ;;
	esac
done <"$T/points"
is "$status" 0 "the probe came to its end"
leftovers "nothing is left"
done_testing
