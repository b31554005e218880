# SPDX-License-Identifier: LGPL-2.1-or-later
# QEMU's own guest agent inside a Linux guest: what is asked of it, and what happens when it does not answer.
# timeout: 400
. "$(dirname "$0")/../tap.sh"
needs vm-create vm-destroy vm-shutdown vm-reboot vm-info vm-wait vm-stats
root_needed
linux_needed
[ -e "$VM_TEST_CACHE/guest-agent/.complete" ] || skip_all "no guest agent; run scripts/setup"
VM_TEST_SERIAL=pipe VM_TEST_MEMORY=192

channel="<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
# linux NAME DEVICES: a document for the Linux guest
linux() {
	guest_xml "$1" "$2" | sed "s|<kernel>.*|<kernel>$VM_LINUX_KERNEL</kernel><initrd>$VM_LINUX_INITRD</initrd><cmdline>console=ttyS0 quiet</cmdline>|" >"$T/$1.xml"
}
boots() { grep -c '^vm-test-guest ready' "$T/$1.console"; }
booted() { [ "$(boots "$1")" -ge "$2" ]; }
state_is() { [ "$(vm-info --get=state "$1")" = "$2" ]; }
lines() { grep -c -e "$2" "$T/$1.console"; }
create() {
	: >"$T/$1.console"
	ok "$1: starts" vm-create -q "$T/$1.xml"
	wait_for 60 "$1: boots" booted "$1" 1
}
# Each of these leaves the agent as it is, or ends it.
deaf() { guest_tell "$1" 'sh killall -STOP qemu-ga'; wait_for 20 "the agent is stopped" guest_says "$1" '^status 0'; }

# ---- it answers ----
linux a "$channel<interface type='ethernet'><mac address='52:54:00:6b:3c:58'/><model type='virtio'/></interface>"
create a
status_is 0 vm-wait --agent --timeout=60 a
status_is 0 vm-info a agent
out_like '^hostname	test-guest$'
out_like '^kernel	[0-9]+\.[0-9]+.*cloud-amd64$'
out_like '^architecture	x86_64$'
out_like '^agent_version	[0-9]+\.'
status_is 0 vm-info --json a agent
out_like '"key":"hostname","value":"test-guest"'
# An address, and a server at it, over a tap of this machine.
status_is 12 vm-wait --address --timeout=2 a
err_is 'vm-wait: a: it has no address yet'
tap=$(sed -n "s|.*<target dev='\([^']*\)'.*|\1|p" "$VM_ROOT/run/vm/qemu/a/live.xml" | head -n 1)
ip address add 198.51.100.1/30 dev "$tap" && ip link set "$tap" up
guest_tell a 'sh ip address add 198.51.100.2/30 dev eth0 && ip link set eth0 up'
status_is 0 vm-wait --address --timeout=60 a
out_is 198.51.100.2
status_is 12 vm-wait --ssh --timeout=2 a
err_is 'vm-wait: a: no ssh server answers at 198.51.100.2 port 22'
guest_tell a "sh { echo 'echo SSH-2.0-test; sleep 1' >/tmp/ssh && nc -ll -p 22 -e sh /tmp/ssh & }"
status_is 0 vm-wait --ssh --timeout=60 a

# ---- by default the agent reboots and shuts down ----
status_is 0 vm-reboot a
wait_for 60 "the agent has rebooted it" booted a 2
is "$(lines a '^agent .*-r')" 1 "by itself"
is "$(lines a '^power button')" 0 "and without the button"
status_is 0 vm-wait --agent --timeout=60 a
ok "it runs" state_is a running
status_is 0 vm-shutdown --mode=agent --wait=60 a
is "$(lines a '^agent .*-P')" 1 "the agent has shut it down"
is "$(lines a '^power button')" 0 "without the button"

# ---- the order of the modes is the caller's ----
linux o "$channel"
sed -i "s|<memballoon model='none'/>|<memballoon model='virtio'><stats period='1'/></memballoon>|" "$T/o.xml"
create o
status_is 0 vm-wait --agent --timeout=60 o
tells() { vm-stats --balloon o | grep -Eq "^o	balloon.$1	[1-9][0-9]*\$"; }
wait_for 60 "its balloon tells what memory it has" tells available_bytes
ok "and what is free" tells unused_bytes
status_is 3 vm-shutdown --mode=initctl o
err_is 'vm-shutdown: o: mode initctl: QEMU'"'"'s guests know the modes acpi and agent'
status_is 3 vm-reboot --mode=agent,signal o
ok "nothing was asked of it" state_is o running
vm-suspend -q o
status_is 10 vm-shutdown --mode=agent o
err_like '^vm-shutdown: o: is not running and hears nothing \(QEMU says paused\)'
vm-resume -q o
status_is 0 vm-shutdown --mode=acpi,agent --wait=60 o
is "$(lines o '^power button')" 1 "the button came first"
is "$(lines o '^agent ')" 0 "and the agent was not asked"

# ---- it does not answer ----
linux d "$channel"
create d
status_is 0 vm-wait --agent --timeout=60 d
deaf d
status_is 12 vm-shutdown --mode=agent --timeout=2 d
err_like '^vm-shutdown: d: the guest agent does not answer'
status_is 12 vm-info --timeout=1 d agent
# Others work on the guest while one waits for its agent.
vm-shutdown -q --mode=agent --timeout=8 d 2>/dev/null &
waiting=$!
await 10 grep -q vm-shutdown "$VM_ROOT/run/vm/qemu/d/lock"
ok "its lock is free meanwhile" vm-suspend -q --timeout=3 d
vm-resume -q d
wait "$waiting"
status_is 0 vm-shutdown --mode=agent,acpi --timeout=4 --wait=60 d
is "$(lines d '^power button')" 1 "after half of the time the button is pressed"

# ---- nothing listens: no time is lost; a reboot that was ignored is forgotten ----
linux n "$channel"
create n
status_is 0 vm-wait --agent --timeout=60 n
guest_tell n 'sh killall qemu-ga; while killall -0 qemu-ga; do sleep 1; done'
wait_for 20 "the agent has ended" guest_says n '^status 0'
guest_tell n 'ignore-button on'
wait_for 10 "the button is ignored" guest_says n '^ok'
status_is 0 vm-reboot -v n
err_like 'agent: no agent listens inside the guest$'
wait_for 20 "the button it is" guest_says n '^power button'
guest_tell n 'sh agent'
status_is 0 vm-wait --agent --timeout=60 n
status_is 0 vm-shutdown --mode=agent --wait=60 n
status_is 5 vm-info n
is "$(boots n)" 1 "and did not boot again"
leftovers
done_testing
