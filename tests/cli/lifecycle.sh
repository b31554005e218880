# SPDX-License-Identifier: LGPL-2.1-or-later
# What the programs that start and stop guests say and refuse without any hypervisor.
. "$(dirname "$0")/../tap.sh"
needs vm-start vm-create vm-shutdown vm-destroy vm-suspend vm-resume vm-reboot vm-reset vm-console

all="vm-start vm-shutdown vm-destroy vm-suspend vm-resume vm-reboot vm-reset vm-console"
for program in $all vm-create; do
	golden "$program-help" "$program" --help
done
for program in $all; do
	status_is 5 "$program" nobody
	err_is "$program: nobody: no such guest; vm-list --all shows those there are"
	out_is ""
	status_is 5 "$program" --json nobody
	err_is '{"error":{"kind":"not-found","status":5,"object":"nobody","message":"no such guest","hint":"vm-list --all shows those there are"}}'
	out_is ""
	status_is 2 "$program"
	status_is 2 "$program" --timeout=0 nobody
done
golden two-failures vm-start nobody nothing

# ---- options that need or exclude each other ----
golden foreground-two vm-start --foreground a b
golden foreground-no-watch vm-start --foreground --no-watch a
golden foreground-console vm-start --foreground --console a
golden autodestroy vm-start --autodestroy a
golden stop-timeout vm-start --stop-timeout=5 a
golden parallel-0 vm-start --parallel=0 a
golden pass-fds vm-start --pass-fds=3,4 a
golden shutdown-none vm-shutdown
golden shutdown-all-and-one vm-shutdown --all a
golden shutdown-mode vm-shutdown --mode=acpi,telepathy a
golden shutdown-then vm-shutdown --then=destroy a
golden shutdown-then-word vm-shutdown --wait --then=pray a
golden shutdown-then-save vm-shutdown --wait --then=save a
golden console-escape vm-console --escape=abc a

# ---- guests that are off, documents that are wrong ----
cat >"$T/off.xml" <<END
<domain type='qemu'>
  <name>off</name>
  <memory unit='MiB'>16</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type><kernel>$T/kernel</kernel></os>
  <devices><emulator>/usr/bin/qemu-none</emulator></devices>
</domain>
END
mkdir -p "$VM_ROOT/etc/vm/qemu"
cp "$T/off.xml" "$VM_ROOT/etc/vm/qemu/off.xml"
for program in vm-shutdown vm-destroy vm-suspend vm-resume vm-reboot vm-reset vm-console; do
	golden "$program-off" "$program" off
done
status_is 0 vm-shutdown --all
out_is ""
status_is 0 vm-shutdown --all --json
out_is '{"schema":"vm-shutdown/1","changed":false,"guests":[]}'
status_is 0 vm-destroy --if-needed off
out_is "off: destroyed already"
golden start-no-emulator vm-start off
printf '<domain><name>x</domain>' >"$T/broken.xml"
golden create-broken vm-create "$T/broken.xml"
golden create-none vm-create "$T/none.xml"
golden create-defined vm-create "$T/off.xml"
printf '<domain' >"$VM_ROOT/etc/vm/qemu/bad.xml"
golden start-broken vm-start bad
ok "none of this left a run directory" sh -c '! ls "$1"/run/vm/qemu/* 2>/dev/null' sh "$VM_ROOT"

# ---- the full device ----
if [ -w /dev/full ]; then
	vm-destroy --if-needed off >/dev/full 2>"$T/full"
	is "$?" 14 "what cannot be printed is a failure"
	like "$(cat "$T/full")" 'No space left' "and told"
fi
done_testing
