# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-cgroup and vm-pin of a running guest and its definition, interrupted or failing at any system call: what the
# kernel has, what the definition says and what the document of the running guest says are all old or all new.
# timeout: 3600
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/fault/lib/faults.sh"
root_needed
needs vm-define vm-start vm-destroy vm-cgroup vm-pin
[ "$(nproc)" -ge 2 ] || skip_all "needs two CPUs"

f_guest=ftune$$
guest_xml "$f_guest" | sed 's,<vcpu>1,<vcpu>2,' >"$T/guest.xml"
f_learn_caps
f_prepare() { vm-define -q "$T/guest.xml" && vm-start -q "$f_guest"; }
f_finish() { vm-destroy -q "$f_guest"; }

# old, new or what there is, of each place; the kernel's own files are read, not what a program says of them.
all_cpus=$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)
word() { case $1 in "$2") echo old ;; "$3") echo new ;; *) echo "'$1'" ;; esac; }
raw() { vm-cgroup --raw "$f_guest" "$1" | cut -f2 | while read -r file; do tr '\n' ' ' <"$file"; done | sed 's/ $//'; }
document() { # FILE ERE: has it such a line?
	if grep -Eq "$2" "$1"; then echo new; else echo old; fi
}
state_of_all() {
	run_dir=$VM_ROOT/run/vm/qemu/$f_guest
	qemu=$(vm-info --get=pid "$f_guest")
	threads=$(find /sys/fs/cgroup -path "*/$f_guest.*vm-qemu/qemu/*" -type d 2>/dev/null | sed 's,.*/,,' | sort -u | paste -sd ' ')
	f_places
	[ ! -e "$run_dir/change.undo" ] || echo "change.undo"
}
f_check() {
	said=$(state_of_all 2>&1 | sort -u | paste -sd ' ')
	case $said in old | new) ;; *) echo "not all alike: $said" ;; esac
}

f_places() {
	word "$(raw cpu_shares)" "$shares" 300
	word "$(raw vcpu_quota | tr -d ' ')" "" "$quota"
	word "$threads" "" "vcpu0 vcpu1"
	[ ! -e /sys/fs/cgroup/memory/memory.soft_limit_in_bytes ] || word "$(raw soft_limit)" 9223372036854771712 314572800
	for tid in $(grep -l '^CPU ' /proc/"$qemu"/task/*/comm | sed 's,.*/task/\([0-9]*\)/.*,\1,'); do
		if grep -q '/qemu/vcpu[01]$' "/proc/$qemu/task/$tid/cgroup"; then echo new; else echo old; fi
	done
	document "$run_dir/live.xml" '<shares>300</shares>'
	document "$VM_ROOT/etc/vm/qemu/$f_guest.xml" '<shares>300</shares>'
}
f_new_root
f_prepare >/dev/null || fail "a guest to try it on"
shares=$(raw cpu_shares)
case $(raw global_quota) in *' '*) quota='5000010000050000100000' ;; *) quota=5000050000 ;; esac
f_finish
f_command() { "$@" vm-cgroup -q --live --config "$f_guest" cpu_shares=300 vcpu_quota=50000 soft_limit=300M; }
f_converge() { "$@" vm-cgroup -q --live --config "$f_guest" cpu_shares=300 vcpu_quota=50000 soft_limit=300M; }
faults "vm-cgroup" tool kill fail

f_places() {
	for tid in /proc/"$qemu"/task/*; do
		case $(cat "$tid/comm") in
		'CPU 0'*) wanted=0 ;;
		'CPU 1'*) wanted= ;;
		*) wanted=1 ;;
		esac
		[ -z "$wanted" ] || word "$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$tid/status")" "$all_cpus" "$wanted"
	done
	word "$threads" "" "emulator vcpu0"
	document "$run_dir/live.xml" "<vcpupin .*cpuset='0'"
	document "$VM_ROOT/etc/vm/qemu/$f_guest.xml" "<vcpupin .*cpuset='0'"
}
f_command() { "$@" vm-pin -q --live --config "$f_guest" vcpu0=0 emulator=1; }
f_converge() { "$@" vm-pin -q --live --config "$f_guest" vcpu0=0 emulator=1; }
faults "vm-pin" tool kill fail
leftovers
done_testing
