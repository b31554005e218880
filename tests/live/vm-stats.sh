# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 90
# vm-stats on real QEMUs.
. "$(dirname "$0")/../tap.sh"
needs vm-stats vm-create vm-destroy vm-qmp
root_needed
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"

get() { printf '%s\n' "$out" | awk -F '\t' -v g="$1" -v k="$2" '$1 == g && $2 == k { print $3 }'; }

truncate -s 10M "$T/d.img"
chmod 666 "$T/d.img"
guest_xml g1 "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$T/d.img'/>
<target dev='vda' bus='virtio'/></disk><interface type='user'><model type='e1000e'/></interface>
<memballoon model='virtio'/>" | sed "/memballoon model='none'/d" >"$T/g1.xml"
guest_xml g2 >"$T/g2.xml"
ok "a guest with a disk, an interface and a balloon" vm-create "$T/g1.xml"
ok "a guest with nothing" vm-create "$T/g2.xml"

status_is 0 vm-stats
is "$(printf '%s\n' "$out" | cut -f 1 | uniq | tr '\n' ' ')" "g1 g2 " "both are there"
is "$(get g1 state.state) $(get g1 state.reason)" "running booted" "state"
is "$(get g1 balloon.current_bytes) $(get g1 balloon.maximum_bytes)" "33554432 33554432" "memory"
is "$(get g2 balloon.current_bytes)" "33554432" "memory without a balloon"
like "$(get g1 balloon.rss_bytes)" '^[0-9]{8,}$' "resident memory"
like "$(get g1 vcpus.0.time_ns)" '^[1-9][0-9]*$' "a vCPU has run"
like "$(get g1 cpu.time_ns)" '^[1-9][0-9]*$' "so has the process"
is "$(get g1 interfaces.0.alias) $(get g1 interfaces.0.rx_bytes)" "net0 -" "a user interface has no counters"
is "$(get g1 blocks.0.target) $(get g1 blocks.0.path)" "vda $T/d.img" "the disk's names"
is "$(get g1 blocks.0.capacity_bytes) $(get g1 blocks.0.rd_requests)" "10485760 0" "its size, and no requests"
is "$(get g2 blocks.0.target)" "" "no disk"

# Requests are counted.
vm-qmp g1 'human-monitor-command {"command-line":"qemu-io -d virtio-disk0/virtio-backend \"write 0 64k\""}' >/dev/null
vm-qmp g1 'human-monitor-command {"command-line":"qemu-io -d virtio-disk0/virtio-backend \"read 0 4k\""}' >/dev/null
status_is 0 vm-stats --block g1
is "$(printf '%s\n' "$out" | grep -vc '^g1	blocks\.')" 0 "only what was asked for"
# (what qemu-io does is accounted to the node, not to the device: zero is right as well)
like "$(get g1 blocks.0.wr_bytes)" '^(65536|0)$' "bytes written"

status_is 0 vm-stats --json g1
if command -v python3 >/dev/null; then
	cp "$T/.out" "$T/json"
	ok "the JSON is JSON" python3 -m json.tool "$T/json"
fi
status_is 0 vm-stats --prometheus
out_like '^vm_state\{guest="g1",state="running"\} 1$'
out_like '^vm_vcpu_seconds_total\{guest="g2",number="0"\} [0-9]+\.[0-9]{9}$'
out_like '^vm_block_capacity_bytes\{guest="g1",target="vda",alias="virtio-disk0",path=".*"\} 10485760$'
is "$(printf '%s\n' "$out" | grep -c '^# TYPE vm_cpu_seconds_total counter$')" 1 "one head for both guests"
is "$(printf '%s\n' "$out" | grep -vcE '^(# (HELP|TYPE) vm_[a-z_]+ .+|vm_[a-z_]+\{[^{}]*\} [0-9.]+)$')" 0 "every line is well formed"


# As virsh prints it.
guest_xml g3 "<disk type='file' device='disk'><driver name='qemu' type='raw' iothread='1'/><source file='$T/d3.img'/>
<target dev='vda' bus='virtio'/></disk><interface type='ethernet'><model type='virtio'/></interface>
<memballoon model='virtio'/>" | sed -e "/memballoon model='none'/d" -e "s|<vcpu>1</vcpu>|<vcpu current='1'>2</vcpu><iothreads>1</iothreads>|" >"$T/g3.xml"
truncate -s 1M "$T/d3.img"
chmod 666 "$T/d3.img"
ok "a guest with a tap and an I/O thread" vm-create -q "$T/g3.xml"
status_is 0 vm-stats --virsh g3
virsh=$out
missing=
for key in state.state=1 state.reason=1 cpu.time cpu.user cpu.system balloon.current=32768 balloon.maximum=32768 balloon.rss \
	vcpu.current=1 vcpu.maximum=2 vcpu.0.state=1 vcpu.0.time vcpu.0.delay net.count=1 net.0.name net.0.rx.bytes net.0.rx.pkts \
	net.0.rx.errs net.0.rx.drop net.0.tx.bytes net.0.tx.pkts net.0.tx.errs net.0.tx.drop block.count=1 block.0.name=vda \
	block.0.path="$T/d3.img" block.0.rd.reqs=0 block.0.rd.bytes=0 block.0.rd.times=0 block.0.wr.reqs=0 block.0.wr.bytes=0 \
	block.0.wr.times=0 block.0.fl.reqs=0 block.0.fl.times=0 block.0.allocation=0 block.0.capacity=1048576 block.0.physical=1048576 \
	iothread.count=1 iothread.1.poll-max-ns=32768 iothread.1.poll-grow=0 iothread.1.poll-shrink=0 dirtyrate.calc_status=0 dirtyrate.calc_start_time=0 dirtyrate.calc_period=0 \
	dirtyrate.calc_mode=page-sampling; do
	printf '%s\n' "$virsh" | grep -qE "^  $key(=[0-9a-z]+)?\$" || missing="$missing $key"
done
is "$missing" "" "every key is there"
is "$(printf '%s\n' "$virsh" | head -n 1)" "Domain: 'g3'" "under the guest's name"
is "$(printf '%s\n' "$virsh" | grep -c megabytes)" 0 "what was not measured is not made up"
status_is 0 vm-qmp g3 'calc-dirty-rate {"calc-time":1}'
wait_for 20 "the rate of dirty memory is told" sh -c 'vm virsh domstats --dirtyrate g3 | grep -qE "^  dirtyrate.megabytes_per_second=[0-9]+$"'
status_is 0 vm-stats --dirtyrate g3
out_like '^g3	dirty_rate.state	measured$'
status_is 0 vm virsh domstats --vcpu g3
out_like '^  vcpu.current=1$'
unlike "$out" balloon "only what was asked for"
status_is 2 vm-stats --virsh --json
vm-suspend -q g3
status_is 0 vm-stats --virsh --state g3
out_is "Domain: 'g3'
  state.state=3
  state.reason=1"
vm-destroy -q g3

# One that is stopped does not cost the others anything; what the kernel knows of it is printed.
pid=$(vm-list --id g1)
kill -STOP "$pid"
await 10 grep -q "^State:.T" "/proc/$pid/status"
before=$(date +%s%N)
status_is 12 vm-stats
took=$((($(date +%s%N) - before) / 1000000))
is "$err" "vm-stats: g1: QEMU (pid $pid) does not answer: it is stopped (SIGSTOP); kill -CONT $pid lets it go on" "it is named"
is "$(get g1 state.state) $(get g2 state.state)" "unresponsive running" "both states"
like "$(get g1 cpu.time_ns)" '^[1-9][0-9]*$' "its CPU time"
like "$(get g2 vcpus.0.time_ns)" '^[1-9][0-9]*$' "the other's vCPU"
[ "$took" -lt 1500 ] && pass "within $took ms" || fail "it took $took ms"
status_is 12 vm-stats --json --state --block g1
out_like '"problem":"QEMU \(pid [0-9]+\) does not answer'
kill -CONT "$pid"

# A spare socket that somebody holds: told within the deadline.
"$VM_BUILD/tests/hold-socket" "$VM_ROOT/run/vm/qemu/g2/spare.sock" >"$T/held" &
holder=$!
wait_for 5 "spare.sock is held" grep -q held "$T/held"
status_is 12 vm-stats --timeout=0.5 --vcpu g2
err_like '^vm-stats: g2: QEMU \(pid [0-9]+\) does not answer'
kill "$holder"
wait "$holder"
status_is 0 vm-stats --vcpu g2
vm-destroy g1 g2 >/dev/null
leftovers
done_testing
