# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-cgroup and vm-pin on a guest that does not run: what they say, what they write, what they refuse.
. "$(dirname "$0")/../tap.sh"
needs vm-cgroup vm-pin vm-define vm-dumpxml

golden cgroup-help vm-cgroup --help
golden pin-help vm-pin --help

cat >"$T/web1.xml" <<'END'
<domain type='qemu'>
  <name>web1</name> <!-- the admin's -->
  <uuid>6f1c0f0e-8f0a-4a39-9d0e-0d2f5b1c7a11</uuid>
  <memory unit='MiB'>64</memory>
  <vcpu>2</vcpu>
  <iothreads>2</iothreads>
  <iothreadids><iothread id='7'/></iothreadids>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
</domain>
END
status_is 0 vm-define "$T/web1.xml"
definition() { sed '/<devices>/,$d' "$VM_ROOT/etc/vm/qemu/web1.xml"; }
definition >"$T/before"

golden cgroup-none vm-cgroup web1
golden cgroup-json vm-cgroup --json web1 hard_limit cpu-shares
golden set vm-cgroup web1 cpu-shares=512 hard_limit=2G swap_hard_limit=3145728 vcpu_quota=50000 \
	device_read_iops_sec:/dev/no-such=100 device_weight=/dev/no-such,200,/dev/other,0 numa_nodeset=0 numa_mode=1
golden cgroup-set vm-cgroup web1
golden definition definition
golden again vm-cgroup web1 cpu_shares=512
golden set-json vm-cgroup --json web1 cpu_shares=513
golden dry-run vm-cgroup --dry-run web1 cpu_shares=600
is "$(vm-cgroup web1 cpu_shares)" "cpu_shares	-	513" "--dry-run changes nothing"

# All back: the text is what it was.
status_is 0 vm-edit web1 --remove cputune/shares --remove numatune
status_is 0 vm-cgroup web1 hard_limit=max swap_hard_limit=-1 vcpu_quota=max \
	device_read_iops_sec:/dev/no-such=0 device_weight:/dev/no-such=max
is "$(definition | grep -vE '<(/)?cputune>')" "$(cat "$T/before")" "what is removed leaves nothing behind"

golden pin-none vm-pin web1
golden pin-set vm-pin web1 vcpus=0-3,^2 iothread7=1 emulator=0
golden pin-shown vm-pin web1
golden pin-json vm-pin --json web1 vcpu1
golden pin-definition definition
golden pin-virsh vm-pin web1 --vcpu 1 --cpulist r
golden pin-virsh-shown vm-pin web1 --vcpu=1
golden pin-all vm-pin web1 vcpu0=all emulator=all iothreads=all
golden pin-all-shown vm-pin web1

refused() { # STATUS MESSAGE COMMAND...
	want=$1 message=$2
	shift 2
	definition >"$T/now"
	run "$@"
	is "$status" "$want" "status of $*"
	like "$err" "$message" "$* says so"
	is "$(definition)" "$(cat "$T/now")" "$* changes nothing"
}
refused 6 "cpu_shares: 1 is out of range: 2 to 262144" vm-cgroup web1 cpu_shares=1
refused 6 "vcpu_quota: 999 is out of range: 1000 to 17592186044415; \"max\" is no limit" vm-cgroup web1 vcpu_quota=999
refused 6 "device_read_iops_sec: 4294967296 is out of range: 0 to 4294967295" vm-cgroup web1 device_read_iops_sec:/dev/x=4294967296
refused 6 "web1.xml:[0-9:]+ .*together, 1024 KiB, is less than an unlimited hard_limit" vm-cgroup web1 swap_hard_limit=1024
# good ones beside it are not taken either
refused 6 "web1.xml:[0-9:]+ .*less than that of memory alone" vm-cgroup web1 cpu_shares=99 hard_limit=2048 swap_hard_limit=1024
refused 6 "needs a nodeset" vm-cgroup web1 numa_mode=strict
refused 2 "no key is called 'cpu_share'; vm-cgroup GUEST lists the keys" vm-cgroup web1 cpu_share=5
refused 2 "cpu_shares: 'x' is no number" vm-cgroup web1 cpu_shares=x
refused 2 "hard_limit: '1Q' is no size" vm-cgroup web1 hard_limit=1Q
refused 2 "weight is not of a device" vm-cgroup web1 weight:/dev/sda=100
refused 2 "device_weight is of a device: device_weight:PATH" vm-cgroup web1 device_weight
refused 2 "'sda' is no path of a device" vm-cgroup web1 device_weight:sda=5
refused 2 "cpu_shares is given twice" vm-cgroup web1 cpu_shares=5 cpu-shares=6
refused 2 "either show keys or set them" vm-cgroup web1 cpu_shares=5 weight
refused 2 "either show keys or set them" vm-cgroup --raw web1 cpu_shares=5
refused 2 "exclude each other" vm-cgroup --current --live web1 cpu_shares=5
refused 7 "web1: is not running; --config changes its definition" vm-cgroup --live web1 cpu_shares=5
refused 7 "web1: is not running" vm-cgroup --raw web1
refused 7 "web1" vm-cgroup web1 devices
refused 5 "no-such" vm-cgroup no-such
refused 5 "no-such" vm-cgroup no-such cpu_shares=5
refused 5 "the definition has no vCPU 2: there are 2" vm-pin web1 vcpu2=0
refused 5 "the definition has no I/O thread 2" vm-pin web1 iothread2=0
refused 5 "has no such thread" vm-pin web1 vcpu9
refused 2 "no thread is called 'cpu0'" vm-pin web1 cpu0=1
refused 2 "no thread is called 'vcpu-1'" vm-pin web1 vcpu-1=1
refused 2 "no thread is called 'vcpu'" vm-pin web1 vcpu=1
refused 2 "'a' is no set of CPUs such as 0-3,\^2" vm-pin web1 vcpu0=a
refused 2 "'0,\^0' is no set of CPUs" vm-pin web1 vcpu0=0,^0
refused 2 "either show threads or set them" vm-pin web1 vcpu0 vcpu1=0
refused 2 "exclude each other" vm-pin web1 --vcpu=0 --emulator
refused 2 "--cpulist is of what" vm-pin web1 --cpulist=0
refused 2 "threads are named by options or by operands" vm-pin web1 --vcpu=0 vcpu1
refused 7 "web1: is not running" vm-pin --live web1 vcpu0=0

# ---- virsh's commands ----
status_is 0 vm virsh memtune web1 --hard-limit 1048576 --soft-limit 524288
status_is 0 vm virsh schedinfo web1 --set cpu_shares=100
is "$(vm virsh memtune web1 | grep limit; vm-cgroup web1 cpu_shares)" "hard_limit	-	1048576KiB
soft_limit	-	524288KiB
swap_hard_limit	-	max
cpu_shares	-	100" "vm virsh memtune, schedinfo"
status_is 0 vm virsh vcpupin web1 0 1
status_is 0 vm virsh emulatorpin web1 0-1
status_is 0 vm virsh iothreadpin web1 7 0
golden virsh vm virsh vcpupin web1

vm-cgroup web1 >/dev/full 2>"$T/full"
is "$? $(cat "$T/full")" "14 vm-cgroup: write output: No space left on device" "a full disk under stdout"
vm-pin web1 >/dev/full 2>"$T/full"
is "$? $(cat "$T/full")" "14 vm-pin: write output: No space left on device" "a full disk under stdout"
done_testing
