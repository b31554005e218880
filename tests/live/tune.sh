# SPDX-License-Identifier: LGPL-2.1-or-later
# Limits and pinning of running guests, as the kernel has them; on either version of cgroups.
# timeout: 900
. "$(dirname "$0")/../tap.sh"
needs vm-cgroup vm-pin vm-define vm-start vm-destroy vm-qmp
root_needed

disk=
for name in loop0 vda sda nvme0n1; do
	[ -z "$disk" ] && [ -b "/dev/$name" ] && disk=/dev/$name
done
number=$([ -z "$disk" ] || stat -c '0x%t 0x%T' "$disk" | { read -r major minor; echo "$((major)):$((minor))"; })

# What the kernel has, read by its own path: file KEY names it, kernel KEY reads it.
file() { vm-cgroup --raw "$g" "$1" | cut -f2 | head -n 1; }
kernel() { [ -n "$(file "$1")" ] && tr '\n' ' ' <"$(file "$1")" | sed 's/ $//'; }
has() { [ -n "$(file "$1")" ]; }
shown() { vm-cgroup "$g" "$1" | cut -f2; }
tid() { grep -l "^$1" /proc/"$pid"/task/*/comm | sed 's,.*/task/\([0-9]*\)/.*,\1,' | head -n 1; }
cpus() { sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' "/proc/$1/status"; }
in_group() { grep -c "/qemu/$2\$" "/proc/$1/cgroup"; }
everything() { for key in $keys; do kernel "$key"; done; }
groups() { find /sys/fs/cgroup -type d \( -path "*/$1.*vm-qemu*" -o -path "*/vm-$1.*.scope*" \) 2>/dev/null; }
no_groups() { [ -z "$(for name; do groups "$name"; done)" ]; }

guest_xml tuned | sed -e '/<vcpu>/d' -e "s,<os>,<blkiotune>\
${disk:+<device><path>$disk</path><read_iops_sec>1000</read_iops_sec><write_bytes_sec>1048576</write_bytes_sec></device>}</blkiotune>\
<memtune><hard_limit unit='MiB'>700</hard_limit><soft_limit unit='MiB'>500</soft_limit></memtune>\
<vcpu>2</vcpu><iothreads>1</iothreads><cputune><shares>512</shares><period>100000</period><quota>60000</quota>\
<emulator_period>50000</emulator_period><emulator_quota>40000</emulator_quota><iothread_quota>90000</iothread_quota>\
<global_period>100000</global_period><global_quota>200000</global_quota>\
<vcpupin vcpu='1' cpuset='0'/><emulatorpin cpuset='1'/><iothreadpin iothread='1' cpuset='0'/>\
<vcpusched vcpus='1' scheduler='batch'/><iothreadsched iothreads='1' scheduler='idle'/></cputune>\
<numatune><memory mode='strict' nodeset='0'/></numatune><os>," >"$T/tuned.xml"
g=tuned
status_is 0 vm-define "$T/tuned.xml"
[ "$(nproc)" -ge 2 ] || skip_all "needs two CPUs"
run vm-start tuned
if [ "$status" -eq 3 ] && [ -n "$err" ]; then skip_all "this host has no cgroups for it: $err"; fi
is "$status" 0 "it starts"
diag "$err"
pid=$(vm-info --get=pid tuned)
is "$(vm-info --get=state tuned)" running "it runs"
case $(file global_quota) in */cpu.max) v2=yes ;; *) v2= ;; esac
diag "cgroup version ${v2:+2}${v2:-1}"
either() { if [ -n "$v2" ]; then echo "$2"; else echo "$1"; fi; }

# ---- at the start ----
is "$(kernel cpu_shares)" 512 "shares"
is "$(kernel vcpu_quota)" "$(either 60000 '60000 100000')" "quota of a vCPU"
is "$(vm-cgroup --raw tuned vcpu_quota | cut -f3 | sort -u | wc -l)" 1 "the same for each"
is "$(vm-cgroup --raw tuned vcpu_quota | wc -l)" 2 "and there are two"
is "$(kernel emulator_period)" "$(either 50000 '40000 50000')" "period of the emulator"
is "$(kernel emulator_quota)" "$(either 40000 '40000 50000')" "quota of the emulator"
is "$(kernel iothread_quota)" "$(either 90000 '90000 100000')" "quota of an I/O thread"
is "$(kernel global_quota)" "$(either 200000 '200000 100000')" "quota of the whole"
is "$(kernel hard_limit)" $((700 << 20)) "hard limit"
is "$(kernel soft_limit)" $((500 << 20)) "soft limit"
is "$(kernel numa_nodeset)" 0 "memory nodes"
if [ -n "$disk" ] && has "device_read_iops_sec:$disk"; then
	like "$(kernel "device_read_iops_sec:$disk")" "^$number $(either 1000 '.*riops=1000')" "operations a second"
	like "$(kernel "device_write_bytes_sec:$disk")" "^$number $(either 1048576 '.*wbps=1048576')" "bytes a second"
else
	skip 2 "no block device with limits"
fi
vcpu0=$(tid 'CPU 0') vcpu1=$(tid 'CPU 1') iothread1=$(tid 'IO iothread1')
is "$(cpus "$vcpu1") $(cpus "$iothread1") $(cpus "$pid")" "0 0 1" "vCPU 1, the I/O thread and the main thread are where they are pinned"
is "$(cpus "$vcpu0")" "$(cpus self)" "vCPU 0 is not"
ok "each is in a group of its own" test "$(in_group "$vcpu0" vcpu0)" -ge 1 -a "$(in_group "$vcpu1" vcpu1)" -ge 1 -a \
	"$(in_group "$iothread1" iothread1)" -ge 1 -a "$(in_group "$pid" emulator)" -ge 1
policy() { awk '{ sub(/.*\) /, ""); print $39 }' "/proc/$pid/task/$1/stat"; }
is "$(policy "$vcpu0") $(policy "$vcpu1") $(policy "$iothread1")" "0 3 5" "schedulers batch and idle"
is "$(vm-pin tuned | tr '\t\n' ' ,')" "vcpu0 $(cpus self) all,vcpu1 0 0,emulator 1 1,iothread1 0 0," "vm-pin shows it"

# ---- while it runs ----
keys="cpu_shares vcpu_period vcpu_quota emulator_period emulator_quota iothread_period iothread_quota global_period global_quota
	hard_limit soft_limit swap_hard_limit weight ${disk:+device_weight:$disk device_read_iops_sec:$disk device_write_iops_sec:$disk
	device_read_bytes_sec:$disk device_write_bytes_sec:$disk} numa_nodeset"
try() { # KEY=VALUE V1 V2
	has "${1%=*}" || { skip 2 "no ${1%=*} here"; return; }
	status_is 0 vm-cgroup tuned "$1"
	is "$(kernel "${1%=*}")" "$(either "$2" "$3")" "$1 in $(file "${1%=*}" | sed 's,.*/,,')"
}
try cpu_shares=2048 2048 2048
try vcpu_period=200000 200000 '60000 200000'
try vcpu_quota=70000 70000 '70000 200000'
try vcpu_quota=max -1 'max 200000'
try emulator_quota=30000 30000 '30000 50000'
try iothread_quota=20000 20000 '20000 100000'
try iothread_period=40000 40000 '20000 40000'
try global_quota=300000 300000 '300000 100000'
try hard_limit=800M $((800 << 20)) $((800 << 20))
try soft_limit=max 9223372036854771712 max
try swap_hard_limit=900M $((900 << 20)) $((100 << 20))
try weight=500 500 "$(has weight && case $(file weight) in */io.weight) echo default 500 ;; *) echo default 500 ;; esac)"
if [ -n "$disk" ]; then
	try "device_read_iops_sec:$disk=2000" "$number 2000" "$number rbps=max wbps=1048576 riops=2000 wiops=max"
	try "device_write_bytes_sec:$disk=max" "" "$number rbps=max wbps=max riops=2000 wiops=max"
fi
is "$(shown cpu_shares) $(shown vcpu_quota) $(shown hard_limit) $(shown soft_limit) $(shown swap_hard_limit)" \
	"2048 max 819200KiB max 921600KiB" "vm-cgroup shows what the kernel has"
is "$(vm-cgroup tuned cpu_shares | cut -f3)" 512 "the definition says what it said"
like "$(vm-dumpxml tuned | tr -d ' \n')" '<shares>2048</shares>' "the document of the running guest says it"
# what is below follows what is above, in either direction
status_is 0 vm-cgroup tuned emulator_quota=5000 iothread_quota=4000
status_is 0 vm-cgroup tuned vcpu_quota=180000 global_quota=100000 global_period=100000 vcpu_period=200000
status_is 0 vm-cgroup tuned vcpu_quota=20000 global_quota=12000
status_is 0 vm-cgroup tuned vcpu_quota=90000 global_quota=50000
is "$(kernel global_quota) $(kernel vcpu_quota)" "$(either '50000 90000' '50000 100000 90000 200000')" "shrunk and grown together"
if has swap_hard_limit; then
	status_is 0 vm-cgroup tuned hard_limit=850M
	is "$(shown hard_limit) $(shown swap_hard_limit)" "870400KiB 921600KiB" "hard_limit alone leaves swap_hard_limit as it is"
	status_is 0 vm-cgroup tuned hard_limit=950M swap_hard_limit=1G
	status_is 0 vm-cgroup tuned hard_limit=800M swap_hard_limit=900M
	is "$(shown hard_limit) $(shown swap_hard_limit)" "819200KiB 921600KiB" "both up, both down"
fi

status_is 0 vm-pin tuned vcpu0=1 vcpu1=0-1 emulator=0-1 iothreads=1
is "$(cpus "$vcpu0") $(cpus "$vcpu1") $(cpus "$pid") $(cpus "$iothread1")" "1 0-1 0-1 1" "pinned anew"
is "$(vm-pin tuned vcpu0)" "vcpu0	1	all" "vm-pin shows it"
status_is 0 vm-pin tuned --live --config vcpus=0
is "$(vm-pin tuned vcpu0 vcpu1 | cut -f2,3 | sort -u)" "0	0" "live and config"
status_is 0 vm-pin tuned vcpu0=all
is "$(cpus "$vcpu0")" "$(cpus self)" "anywhere again"

# ---- live and definition together ----
status_is 0 vm-cgroup tuned --live --config cpu_shares=777
is "$(kernel cpu_shares) $(vm-cgroup tuned cpu_shares)" "777 cpu_shares	777	777" "both"
before=$(everything)
definition=$(cat "$VM_ROOT/etc/vm/qemu/tuned.xml")
live=$(cat "$VM_ROOT/run/vm/qemu/tuned/live.xml")
unchanged() {
	is "$(everything)" "$before" "$1: the kernel has what it had"
	is "$(cat "$VM_ROOT/etc/vm/qemu/tuned.xml")" "$definition" "$1: the definition says what it said"
	is "$(cat "$VM_ROOT/run/vm/qemu/tuned/live.xml")" "$live" "$1: so does that of the running guest"
	ok "$1: no journal is left" test ! -e "$VM_ROOT/run/vm/qemu/tuned/change.undo"
}
status_is 13 vm-cgroup tuned --live --config cpu_shares=3000 soft_limit=100M numa_nodeset=63
err_like "^vm-cgroup: tuned: .*/cpuset.mems: the kernel refuses '.*63': .*; the group above has "
unchanged "the third of three is refused"
status_is 13 vm-pin tuned --live --config emulator=1 vcpu1=1 iothread1=1000
err_like "^vm-pin: tuned: iothread1: .*/cpuset.cpus: the kernel refuses '1000'"
unchanged "the third of three pins is refused"
is "$(cpus "$pid") $(cpus "$vcpu1")" "0-1 0" "the other threads run where they ran"
if [ -z "$v2" ]; then
	status_is 13 vm-cgroup tuned cpu_shares=3000 vcpu_quota=1000 ${disk:+"device_write_iops_sec:$disk=5"} global_quota=20000 hard_limit=8M
	err_like "memory.limit_in_bytes: the kernel refuses '8388608': Device or resource busy; the guest uses [0-9]+ KiB now"
	unchanged "the last of all is refused"
	status_is 13 vm-cgroup tuned vcpu_quota=2000000
	err_like "no larger part of its period than the group above, here 50000 of 100000"
	unchanged "more than the whole"
	status_is 13 vm-cgroup tuned global_quota=1000
	err_like "no smaller part of its period than any group below it"
	unchanged "less than a part"
else
	status_is 6 vm-cgroup tuned soft_limit=300M cpu_shares=20000
	err_like "/cpu.weight: 20000 is out of range: 1 to 10000; --convert-shares"
	unchanged "a weight out of range"
	status_is 0 vm-cgroup tuned cpu_shares=262144 --convert-shares
	is "$(kernel cpu_shares) $(shown cpu_shares) $(vm-cgroup --convert-shares tuned cpu_shares | cut -f2)" "10000 10000 262144" "shares converted"
	status_is 0 vm-cgroup tuned cpu_shares=777
	live=$(cat "$VM_ROOT/run/vm/qemu/tuned/live.xml")
fi
status_is 6 vm-cgroup tuned cpu_shares=262145
unchanged "out of range"
status_is 6 vm-cgroup tuned cpu_shares=99 swap_hard_limit=1M
unchanged "against each other"
if [ -n "$disk" ]; then
	status_is 6 vm-cgroup tuned cpu_shares=99 device_read_iops_sec:/dev/null=5
	err_like "/dev/null is no block device"
	unchanged "no block device"
fi
status_is 3 vm-cgroup tuned cpu_shares=99 numa_mode=preferred
unchanged "numa_mode while it runs"
status_is 0 vm-cgroup --dry-run --live --config tuned cpu_shares=99 vcpu_quota=5000 hard_limit=500M
unchanged "--dry-run"
status_is 0 vm-pin --dry-run tuned vcpu0=1
unchanged "--dry-run of vm-pin"

# ---- threads without groups ----
guest_xml plain | sed "s,<vcpu>1,<vcpu>2," >"$T/plain.xml"
status_is 0 vm-define "$T/plain.xml"
status_is 0 vm-start plain
g=plain pid=$(vm-info --get=pid plain)
is "$(groups plain | grep -c '/qemu/.')" 0 "where nothing asks for them there are no groups of threads"
is "$(shown vcpu_quota) $(shown vcpu_period)" "max 100000" "and no limits"
status_is 13 vm-cgroup plain vcpu_quota=50000 numa_nodeset=63
is "$(groups plain | grep -c '/qemu/.')" 0 "a change that failed leaves none"
is "$(in_group "$(tid 'CPU 0')" vcpu0)" 0 "nor a thread in one"
status_is 0 vm-cgroup plain vcpu_quota=50000
is "$(kernel vcpu_quota)" "$(either 50000 '50000 100000')" "made when they are needed"
ok "with their threads" test "$(in_group "$(tid 'CPU 0')" vcpu0)" -ge 1 -a "$(in_group "$(tid 'CPU 1')" vcpu1)" -ge 1
is "$(in_group "$pid" emulator)" 0 "and nobody else"
status_is 0 vm-pin plain emulator=0
is "$(cat /proc/"$pid"/task/*/status | sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' | sort | uniq -c | tr -s ' ' | paste -sd,)" \
	" $(($(ls /proc/"$pid"/task | wc -l) - 2)) 0, 2 $(cpus self)" "the emulator is all threads but the vCPUs"

# ---- one that needs too much ----
status_is 0 vm-cgroup plain hard_limit=200M
others=$(vm-info --get=pid tuned)
run vm-qmp --timeout=30 plain '{"execute":"object-add","arguments":{"qom-type":"memory-backend-ram","id":"hog","size":536870912,"prealloc":true}}'
isnt "$status" 0 "memory beyond the limit"
wait_for 30 "the kernel ends the one that wants it" sh -c '[ "$(vm-info --get=state plain)" = shutoff ]'
is "$(vm-info --get=state,pid tuned)" "running
$others" "and nobody else"
guest_xml hog | sed -e "s,>32<,>512<," -e "s,<vcpu>,<memtune><hard_limit unit='MiB'>100</hard_limit></memtune>\
<memoryBacking><allocation mode='immediate'/></memoryBacking><vcpu>," >"$T/hog.xml"
status_is 0 vm-define "$T/hog.xml"
status_is 13 vm-start --timeout=60 hog
err_like "QEMU ended while starting .signal 9."
is "$(vm-info --get=state tuned)" running "the other one runs on"

# ---- a guest with NUMA nodes ----
guest_xml numa | sed -e "s,<vcpu>1</vcpu>,<numatune><memory mode='restrictive' nodeset='0'/>\
<memnode cellid='1' mode='restrictive' nodeset='0'/></numatune><vcpu>2</vcpu>," -e "s,<features>,<cpu><numa>\
<cell cpus='0' memory='16384' memAccess='shared'><distances><sibling id='1' value='21'/></distances></cell>\
<cell cpus='1' memory='32768'/></numa></cpu><features>," >"$T/numa.xml"
status_is 0 vm-define "$T/numa.xml"
status_is 0 vm-start numa
is "$(vm-info --get=state,memory_bytes numa | paste -sd ' ')" "running $((48 << 20))" "its cells' memory is its memory"
g=numa pid=$(vm-info --get=pid numa)
ok "a vCPU of a cell with nodes of its own is in a group" test "$(in_group "$(tid 'CPU 1')" vcpu1)" -ge 1
is "$(in_group "$(tid 'CPU 0')" vcpu0)" 0 "the other is not"
status_is 0 vm-destroy numa

# ---- refused at the start ----
for case in "6 <cputune><shares>200000</shares></cputune>;out of range: 1 to 10000;v2" \
	"13 <numatune><memory mode='strict' nodeset='63'/></numatune>;cpuset.mems: the kernel refuses '63';" \
	"13 <cputune><emulatorpin cpuset='1000'/></cputune>;emulator: .*/cpuset.cpus: the kernel refuses '1000';" \
	"3 <resource><fibrechannel appid='a'/></resource>;appid;" \
	"5 <blkiotune><device><path>/dev/no-such</path><read_iops_sec>5</read_iops_sec></device></blkiotune>;/dev/no-such;"; do
	[ "${case##*;}" != v2 ] || [ -n "$v2" ] || continue
	what=${case#* } want=${case%% *}
	guest_xml bad | sed "s,<os>,${what%%;*}<os>," >"$T/bad.xml"
	status_is 0 vm-define "$T/bad.xml"
	what=${what#*;}
	status_is "$want" vm-start bad
	err_like "${what%%;*}"
	wait_for 30 "no group is left of it" no_groups bad
	status_is 0 vm-undefine bad
done

status_is 0 vm-destroy tuned
wait_for 30 "no group is left" no_groups tuned plain hog
leftovers
done_testing
