# SPDX-License-Identifier: LGPL-2.1-or-later
# What a definition says and no command line can: passwords, intervals, CPUs to run on.
. "$(dirname "$0")/../tap.sh"
needs vm-define vm-start vm-destroy vm-info vm-qmp

port=$((20000 + $$ % 10000))
guest_xml set "<interface type='user'><model type='virtio'/><link state='down'/></interface>
	<graphics type='vnc' autoport='no' port='$port' passwd='geheim' passwdValidTo='2099-01-01T00:00:00'>
	<listen type='address' address='127.0.0.1'/></graphics>" |
	sed -e "s,<memballoon model='none'/>,<memballoon model='virtio'><stats period='7'/></memballoon>," \
		-e "s,<vcpu>1</vcpu>,<vcpu cpuset='0'>1</vcpu>," >"$T/set.xml"
chmod 600 "$T/set.xml"
status_is 0 vm-define "$T/set.xml"
status_is 0 vm-start set
pid=$(vm-info --get=pid set)
is "$(cat /proc/"$pid"/task/*/status | sed -n 's/^Cpus_allowed_list:[ \t]*//p' | sort -u)" 0 "all threads on the CPU that was named"
run vm-qmp set '{"execute":"query-vnc"}'
out_like '"auth": *"vnc"' "a password is asked for"
run vm-qmp set '{"execute":"qom-get","arguments":{"path":"/machine/peripheral/balloon0","property":"guest-stats-polling-interval"}}'
out_like '\b7\b' "the balloon's interval"
unlike "$(tr '\0' ' ' </proc/"$pid"/cmdline)$(cat "$VM_ROOT/run/vm/qemu/set/live.xml" "$VM_ROOT/var/log/vm/qemu/set.log")" geheim \
	"the password is in no place where it can be read"

status_is 0 vm-destroy set

sed "s/cpuset='0'/cpuset='4095'/" "$T/set.xml" >"$T/cpu.xml"
status_is 0 vm-define "$T/cpu.xml"
status_is 13 vm-start set
err_like "cannot run on the CPUs of <vcpu cpuset>"
leftovers
done_testing
