# SPDX-License-Identifier: LGPL-2.1-or-later
# CPUs that are set apart for guests: a partition of version 2's cpuset, into which documents put guests.
# timeout: 300
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
host_machine

root=/sys/fs/cgroup apart=/sys/fs/cgroup/apart.partition
cpus() { sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "$1"; }
all() { # PID: the CPUs of all threads of a process, each list once
	for task in "/proc/$1/task"/*/status; do cpus "$task"; done | sort -u
}
guest() { # NAME PARTITION
	guest_xml "$1" | sed "s|<features>|<resource><partition>$2</partition></resource><features>|" >"$T/$1.xml"
	vm-define -q "$T/$1.xml" || fail "define $1"
}
echo +cpuset >$root/cgroup.subtree_control
guest apart /apart
guest other /machine

status_is 5 vm-start apart
err_like "/apart"
mkdir $apart
echo 1 >$apart/cpuset.cpus
echo root >$apart/cpuset.cpus.partition
is "$(cat $apart/cpuset.cpus.partition)" root "CPU 1 is set apart"
status_is 0 vm-start apart
diag "$err"
status_is 0 vm-start other
is "$(all "$(vm-list --id apart)")" 1 "all threads of a guest in the partition have its CPU"
is "$(all "$(vm-list --id other)")" 0 "those of another guest do not"
is "$(cat $apart/cpuset.cpus.partition)" root "the partition is as it was"
status_is 0 vm-pin apart vcpu0=1
status_is 13 vm-pin apart vcpu0=0
err_like "refuses the CPUs .0.: none of them is there for it"
is "$(all "$(vm-list --id apart)")" 1 "nothing has changed"
status_is 0 vm-pin other vcpu0=0
status_is 0 vm-destroy apart other
is "$(find $apart -mindepth 1 -type d)" "" "no group is left in it"
is "$(cat $apart/cpuset.cpus.partition)" root "the partition outlives its guests"
done_testing
