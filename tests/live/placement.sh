# SPDX-License-Identifier: LGPL-2.1-or-later
# placement='auto': nodes chosen at each start, by ourselves or as numad advises.
. "$(dirname "$0")/../tap.sh"
needs vm-define vm-start vm-destroy vm-export vm-dumpxml vm-cgroup vm-pin

auto() { # NAME ATTRIBUTES-OF-VCPU NUMATUNE
	guest_xml "$1" | sed -e "s|<vcpu>1</vcpu>|<vcpu $2>2</vcpu>$3|" >"$T/$1.xml"
}
nodes() { vm-export --format=qemu-argv "$1" | sed -n 's/.*"host-nodes":\[\([0-9,]*\)\],"policy":"\([a-z]*\)".*/\1 \2/p'; }

# ---- a host of four nodes in two pairs, which is only told of ----
host=$T/host
node() { # NUMBER CPUS FREE-MIB DISTANCES
	mkdir -p "$host/sys/devices/system/node/node$1"
	echo "$2" >"$host/sys/devices/system/node/node$1/cpulist"
	echo "$4" >"$host/sys/devices/system/node/node$1/distance"
	printf 'Node %d MemTotal: 99999999 kB\nNode %d MemFree: %d kB\n' "$1" "$1" $(($3 * 1024)) >"$host/sys/devices/system/node/node$1/meminfo"
}
node 0 0-3 1000 "10 12 30 30"
node 1 4-7 3000 "12 10 30 30"
node 2 8 2500 "30 30 10 12"
node 3 9-12 2400 "30 30 12 10"
on_host() { VM_SYSROOT=$host "$@"; }
auto one "placement='auto'" ""
status_is 0 vm-define "$T/one.xml"
is "$(on_host nodes one)" "1 bind" "the node with the most free memory"
sed -i "s|<memory[^>]*>[0-9]*<|<memory unit='MiB'>3500<|" "$T/one.xml"
vm-define -q "$T/one.xml"
is "$(on_host nodes one)" "0,1 bind" "too large for one: its neighbour comes along"
auto one "placement='auto'" "<numatune><memory mode='interleave'/></numatune>"
sed -i "s|>2</vcpu>|>6</vcpu>|" "$T/one.xml"
vm-define -q "$T/one.xml"
is "$(on_host nodes one)" "0,1 interleave" "enough CPUs; another mode"
auto one "cpuset='0'" "<numatune><memory mode='preferred' placement='auto'/></numatune>"
vm-define -q "$T/one.xml"
is "$(on_host nodes one)" "1 preferred" "memory alone"
mkdir -p "$T/none/sys"
is "$(VM_SYSROOT=$T/none nodes one)" "" "a host that tells of no nodes"
auto one "placement='auto'" "<numatune><memory mode='strict' nodeset='0'/></numatune>"
vm-define -q "$T/one.xml"
is "$(on_host nodes one)" "0 bind" "nodes that are given"

# ---- this one ----
auto two "placement='auto' cpuset='4000'" ""
status_is 0 vm-define "$T/two.xml"
status_is 0 vm-start two
live=$(vm-dumpxml two)
like "$live" "<vcpu placement='auto' cpuset='[0-9,-]+'>" "the document of the running guest tells its CPUs"
like "$live" "<memory mode='strict' placement='auto' nodeset='[0-9,-]+'/>" "and its nodes"
unlike "$live" "4000" "what was beside 'auto' did not count"
is "$(vm-dumpxml --inactive two | grep -c "<vcpu placement='auto' cpuset='4000'>")" 1 "the definition says what it said"
set=$(echo "$live" | sed -n "s/.*nodeset='\([^']*\)'.*/\1/p")
case $(vm-cgroup --raw two numa_nodeset) in
'') skip 1 "no cpuset controller" ;;
*) is "$(vm-cgroup two numa_nodeset | cut -f2)" "$set" "the kernel keeps its memory there" ;;
esac
cpus=$(echo "$live" | sed -n "s/.*<vcpu[^>]*cpuset='\([^']*\)'.*/\1/p")
is "$(vm-pin two | cut -f2 | sort -u)" "$cpus" "all threads run there"
status_is 0 vm-cgroup --config two numa_nodeset=0
status_is 0 vm-destroy two
vm-cgroup -q --config two numa_mode=interleave
is "$(nodes two)" "0 interleave" "set by hand it counts"
auto two "placement='static'" "<numatune><memory placement='auto'/></numatune>"
vm-define -q "$T/two.xml"
vm-cgroup -q --config two numa_nodeset=0
like "$(vm-dumpxml --inactive two)" "<memory placement='static' nodeset='0'/>" "and 'auto' goes"

# ---- numad ----
mkdir "$T/bin"
numad() {
	printf '#!/bin/sh\necho "$*" >>%s\n%s\n' "$T/asked" "$1" >"$T/bin/numad"
	chmod 755 "$T/bin/numad"
}
auto three "placement='auto'" ""
vm-define -q "$T/three.xml"
advised() { PATH="$T/bin:$PATH" nodes three; }
numad "echo 3,5"
is "$(advised)" "3,5 bind" "what numad advises"
like "$(cat "$T/asked")" "^-w 2:[0-9]+\$" "for so many CPUs and so much memory"
for bad in "exit 1" "echo nonsense" ":" "echo 77; exit 3"; do
	numad "$bad"
	got=$(advised)
	like "$got" "^[0-9,]+ bind\$" "without the advice of one that does '$bad'"
	isnt "$got" "77 bind" "which is not followed"
done
numad "sleep 100"
run env PATH="$T/bin:$PATH" vm-start --timeout=20 three
is "$status" 0 "one that never answers does not hold a start up"
vm-destroy -q three
vm-undefine -q one two three
leftovers
done_testing
