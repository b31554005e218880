# SPDX-License-Identifier: LGPL-2.1-or-later
# timeout: 90
# vm-wait on a real QEMU, with and without a watcher.
. "$(dirname "$0")/../tap.sh"
needs vm-wait vm-qmp vm-create vm-destroy vm-suspend vm-resume
root_needed
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"

# later SECONDS CMD...   runs it in a while
later() {
	(
		sleep "$1"
		shift
		"$@" >/dev/null 2>&1
	) &
}
# in_time MS CMD...      succeeds, and has not waited for its deadline
in_time() {
	limit=$1
	shift
	before=$(date +%s%N)
	status_is 0 "$@"
	took=$((($(date +%s%N) - before) / 1000000))
	[ "$took" -lt "$limit" ] || fail "$* took $took ms"
}

status_is 5 vm-wait --off g1
guest_xml g1 "<controller type='pci' index='0' model='pcie-root'/><controller type='pci' index='1' model='pcie-root-port'/>" >"$T/g1.xml"
for how in --quiet --no-watch; do
	diag "vm-create $how"
	vm-create $how "$T/g1.xml" >/dev/null || fail "vm-create"
	in_time 1000 vm-wait --state=running g1
	in_time 1000 vm-wait --json --state=paused,running g1
	out_is '{"schema":"vm-wait/1","guest":"g1","state":"running","event":null,"address":null}'
	status_is 12 vm-wait --state=paused --timeout=0.3 g1
	err_is 'vm-wait: g1: is running'
	status_is 12 vm-wait --off --timeout=0.3 g1
	err_is 'vm-wait: g1: is not off: it is running'
	status_is 12 vm-wait --event=RESET --timeout=0.3 g1
	err_is 'vm-wait: g1: no such event came'

	later 0.3 vm-suspend g1
	in_time 2000 vm-wait --state=paused g1
	later 0.3 vm-resume g1
	in_time 2000 vm-wait --state=running --event=resume g1
	later 0.3 vm-qmp g1 system_reset
	in_time 2000 vm-wait --json --event=reboot,SHUTDOWN g1
	out_is '{"schema":"vm-wait/1","guest":"g1","state":"running","event":"RESET","address":null}'

	# A device that the guest lets go of, and one that was never there.
	in_time 2000 vm-wait --device-gone=nothing g1
	wait_for 10 "the guest is up" guest_says g1 '^vm-test-guest ready'
	bus=$(vm-qmp g1 'qom-list {"path":"/machine/peripheral"}' | grep -o '"pci\.[0-9]*"' | head -n 1)
	status_is 0 vm-qmp g1 "device_add {\"driver\":\"virtio-rng-pci\",\"id\":\"rng7\",\"bus\":$bus}"
	status_is 12 vm-wait --device-gone=rng7 --timeout=0.5 g1
	err_is 'vm-wait: g1: it has not released rng7 yet'
	later 0.3 vm-qmp g1 'device_del {"id":"rng7"}'
	status_is 0 vm-wait --device-gone=rng7 g1

	# No channel for an agent: it can never be.
	status_is 3 vm-wait --agent g1
	err_like '^vm-wait: g1: the guest has no channel for an agent'
	status_is 3 vm-wait --ssh g1

	# It ends while it is waited for.
	later 0.3 vm-destroy g1
	in_time 3000 vm-wait --off g1
	wait
	status_is 5 vm-wait --agent g1
	leftovers
done

# A stopped QEMU, and one that was killed.
vm-create "$T/g1.xml" >/dev/null
pid=$(vm-list --id g1)
later 0.3 kill -STOP "$pid"
wait
status_is 12 vm-wait --device-gone=x --timeout=0.7 g1
kill -CONT "$pid"
later 0.3 kill -KILL "$pid"
in_time 3000 vm-wait --off g1
wait
leftovers
done_testing
