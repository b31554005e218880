# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 90
# vm-qmp on a real QEMU: replies, refusals, descriptors, held sockets, a stopped QEMU.
. "$(dirname "$0")/../tap.sh"
needs vm-qmp vm-create vm-destroy
root_needed
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"

guest_xml g1 >"$T/g1.xml"
ok "a guest" vm-create "$T/g1.xml"
run=$VM_ROOT/run/vm/qemu/g1

status_is 0 vm-qmp g1 query-status
is "$(echo "$out" | sed 's/"singlestep": false, //')" '{"return":{"status": "running", "running": true}}' "QEMU's own text; older ones say more"
status_is 0 vm-qmp g1 ' {"execute": "query-status", "id": "mine"} '
is "$(echo "$out" | sed 's/"singlestep": false, //')" '{"return":{"status": "running", "running": true}}' "QEMU's own text; older ones say more"
status_is 0 vm-qmp --domain g1 --return-value query-name
out_is '{"name": "g1"}'
status_is 0 vm-qmp --json g1 query-name
out_is '{"schema":"vm-qmp/1","return":{"name": "g1"}}'
status_is 0 vm-qmp --pretty g1 query-name
out_is '{
  "return": {
    "name": "g1"
  }
}'
status_is 0 vm-qmp g1 qom-get '{"path":"/machine",' '"property":"type"}'
out_is '{"return":"pc-q35-7.2-machine"}'
status_is 0 vm-qmp --hmp g1 info status
out_is 'VM status: running'
status_is 0 vm-qmp --hmp --json g1 info status
is "$(cat "$T/.out")" '{"schema":"vm-qmp/1","text":"VM status: running\n"}' "HMP as JSON"
status_is 0 vm-qmp --hmp g1 stop
out_is ''
status_is 0 vm-qmp --dry-run g1 cont
like "$(vm-qmp g1 query-status)" '"paused"' "--dry-run does nothing"
status_is 0 vm-qmp g1 cont
status_is 0 vm-qmp g1 query-qmp-schema
like "$(wc -c <"$T/.out")" '^[0-9]{6,}$' "the whole schema"

status_is 13 vm-qmp g1 'device_del {"id":"nope"}'
err_is "vm-qmp: g1: device_del: Device 'nope' not found"
status_is 3 vm-qmp g1 frobnicate
err_is 'vm-qmp: g1: frobnicate: The command frobnicate has not been found'
status_is 3 vm-qmp --json g1 frobnicate
err_is '{"error":{"kind":"unsupported","status":3,"object":"g1","message":"frobnicate: The command frobnicate has not been found","hint":null}}'
status_is 6 vm-qmp g1 '{"execute":"query-status"'
err_is 'vm-qmp: g1: the command is no JSON object'
status_is 6 vm-qmp g1 '{"exec-oob":"query-status"}'
err_is "vm-qmp: g1: the command has an unknown member 'exec-oob'"
status_is 6 vm-qmp g1 '{"execute":"stop","arguments":[]}'
status_is 6 vm-qmp g1 'query-status now'
err_is 'vm-qmp: g1: what follows query-status is no JSON object; give its arguments as {"NAME":VALUE}, or use --hmp'
status_is 6 vm-qmp g1 ''

# A descriptor arrives, and is the one that was passed.
echo content >"$T/file"
status_is 0 vm-qmp --pass-fds=7 g1 'add-fd {"fdset-id":5,"opaque":"x"}' 7<"$T/file"
out_like '"fdset-id": 5'
qemu=$(vm-qmp --return-value g1 query-fdsets | sed 's/.*"fd": \([0-9]*\).*/\1/')
is "$(readlink "/proc/$(vm-list --id g1)/fd/$qemu")" "$T/file" "QEMU holds the file passed"
status_is 0 vm-qmp --pass-fds=7 g1 'getfd {"fdname":"f"}' 7<"$T/file"
status_is 0 vm-qmp g1 'closefd {"fdname":"f"}'

# One socket held: the spare one serves. Both held: told, within the deadline. Let go: all is well.
"$VM_BUILD/tests/hold-socket" "$run/qmp.sock" >"$T/held" &
holder=$!
wait_for 5 "qmp.sock is held" grep -q held "$T/held"
status_is 0 vm-qmp --timeout=2 g1 query-name
"$VM_BUILD/tests/hold-socket" "$run/spare.sock" >"$T/held2" &
holder2=$!
wait_for 5 "spare.sock is held too" grep -q held "$T/held2"
before=$(date +%s%N)
status_is 12 vm-qmp --timeout=1 g1 query-name
took=$((($(date +%s%N) - before) / 1000000))
err_like '^vm-qmp: g1: QEMU \(pid [0-9]+\) does not answer: '
ok "it took $took ms" test "$took" -ge 900 -a "$took" -lt 2000
kill "$holder"
wait "$holder"
status_is 0 vm-qmp --timeout=2 g1 query-name
kill "$holder2"
wait "$holder2"

# Others that talk to it at the same time only wait for their turn.
for i in 1 2 3 4 5 6 7 8; do vm-qmp g1 query-name >"$T/par$i" 2>&1 & done
wait_for 10 "eight clients at once" sh -c "cat $T/par? | grep -c '\"g1\"' | grep -qx 8"

# Stopped by a signal.
pid=$(vm-list --id g1)
kill -STOP "$pid"
status_is 12 vm-qmp --timeout=0.5 g1 query-status
err_is "vm-qmp: g1: QEMU (pid $pid) does not answer: it is stopped (SIGSTOP); kill -CONT $pid lets it go on"
kill -CONT "$pid"
status_is 0 vm-qmp g1 query-status

# It dies while it is asked.
run vm-qmp g1 quit
like "$status" '^(0|13)$' "quit is answered, or ends the connection"
wait_for 5 "the guest is off" sh -c '! vm-list --name | grep -q g1'
status_is 5 vm-qmp g1 query-status
leftovers
done_testing
