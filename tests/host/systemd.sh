# SPDX-License-Identifier: LGPL-2.1-or-later
# Guests on a host that systemd runs: scopes that outlive a login, a service of a guest's own, and the end of the host.
# timeout: 920
. "$(dirname "$0")/../tap.sh"
. "$VM_SOURCE/tests/host/lib/host.sh"
[ -x /lib/systemd/systemd ] || skip_all "no systemd here"
needs vm-define vm-start vm-cgroup vm-list vm-info vm-shutdown vm-destroy vm-repair
HOST_SYSTEMD=1
HOST_TIMEOUT=900
host_machine
host_units

# The machine is thrown away: this is about the ordinary places.
unset VM_ROOT
scope=/sys/fs/cgroup/machine.slice/vm-one.scope
property() { systemctl show -p "$2" --value "$1"; }
group_of() { sed -n 's/^0:://p' "/proc/$1/cgroup"; }
# may a process of the guest's group open this for reading?
opens() { (echo 0 >"$scope/qemu/cgroup.procs" && exec dd if="$1" of=/dev/null bs=1 count=0 status=none) 2>/dev/null; }
pid_of() { vm-info --get=pid "$1"; }
gone() { ! systemctl --quiet is-active "$1"; }

guest_xml one >"$T/one.xml"
guest_xml two >"$T/two.xml"
ok "define" vm-define "$T/one.xml" "$T/two.xml"

# ---- a login that ends
systemd-run --quiet --scope --unit=session-7.scope --slice=user.slice sh -c 'vm-start one; exec sleep 1000' >"$T/login" 2>&1 &
wait_for 100 "a start from a login" guest_says one '^vm-test-guest ready'
diag "$(cat "$T/login")"
is "$(group_of "$(pid_of one)")" /machine.slice/vm-one.scope/qemu "QEMU is in a scope of its own"
is "$(group_of "$(pgrep -f '^[^ ]*vm-watch')")" /machine.slice/vm-one.scope/watch "its watcher too"
is "$(property vm-one.scope Delegate)" yes "which is delegated"
is "$(property vm-one.scope Slice)" machine.slice "in the slice of machines"
like " $(property vm-one.scope Before) " ' vm-guests.target ' "ordered before the target"
is "$(property vm-guests.service ActiveState)" active "what shuts guests down is there"
is "$(vm-info --get=cgroup one)" /machine.slice/vm-one.scope "vm-info tells the group"
is "$(cat "$scope/cgroup.procs")" "" "nothing is left in the scope itself"
like "$(cat "$scope/qemu/cgroup.controllers")" 'cpu.*memory' "controllers reach QEMU's group"
ok "end of the login" systemctl stop session-7.scope
is "$(vm-info --get=state one)" running "the guest does not care"

# ---- device rules
ok "an allowed node" opens /dev/null
not_ok "one that is not" opens /dev/kmsg
ok "daemon-reload" systemctl daemon-reload
not_ok "still not after a reload" opens /dev/kmsg
ok "nor is the other one lost" opens /dev/null
is "$(vm-info --get=state one)" running "the guest runs on"
ok "limits of the whole" vm-cgroup one cpu_shares=321 global_quota=150000
ok "daemon-reload" systemctl daemon-reload
ok "another limit, by systemd" systemctl set-property --runtime vm-one.scope TasksMax=500
is "$(cat "$scope/cpu.weight" "$scope/cpu.max" | paste -sd ' ')" "321 150000 100000" "systemd leaves ours as they are"
is "$(property vm-one.scope CPUWeight)" 321 "it knows them"
ok "daemon-reexec" systemctl daemon-reexec
not_ok "still not after a new systemd" opens /dev/kmsg

# ---- the end of a guest, and the next start at once
for round in 1 2 3; do
	ok "destroy" vm-destroy one
	ok "start again at once" vm-start one
done
wait_for 60 "it listens" guest_says one '^vm-test-guest ready'
ok "shut down" vm-shutdown --wait=100 one
wait_for 30 "the scope is gone" gone vm-one.scope
not_ok "with its group" test -e "$scope"

# ---- a start that is killed as soon as the scope is there
vm-start one >"$T/killed" 2>&1 &
starter=$!
wait_for 60 "the scope of another start" systemctl --quiet is-active vm-one.scope
kill -KILL "$starter"
ok "repair" vm-repair one
is "$(vm-info --get=state one)" shutoff "it is off"
wait_for 30 "its scope is gone too" gone vm-one.scope

# ---- a guest that is a service
ok "start of a service" systemctl start vm@two.service
is "$(property vm@two.service ActiveState)" active "it is up"
is "$(vm-info --get=state two)" running "so is the guest"
service=$(property vm@two.service ControlGroup)
is "$(group_of "$(pid_of two)")" "$service/qemu" "QEMU is below the service's group"
is "$(group_of "$(property vm@two.service MainPID)")" "$service/watch" "the main process beside it"
wait_for 60 "the guest listens" guest_says two '^vm-test-guest ready'
ok "limits of a service" vm-cgroup --live two cpu_shares=222
ok "daemon-reload" systemctl daemon-reload
is "$(cat "/sys/fs/cgroup$service/cpu.weight")" 222 "stay"
first=$(pid_of two)
ok "restart" systemctl restart vm@two.service
is "$(cat "/sys/fs/cgroup$service/cpu.weight")" 100 "until it is restarted"
isnt "$(pid_of two)" "$first" "another QEMU"
not_ok "a service that runs is not started beside" vm-start two
wait_for 60 "the guest listens again" guest_says two '^vm-test-guest ready'
ok "stop" systemctl stop vm@two.service
ok "the power button again" guest_says two '^power button'
is "$(property vm@two.service Result)" success "an orderly end"
is "$(vm-info --get=state two)" shutoff "off"
ok "a destroyed guest ends its service" sh -c 'systemctl start vm@two.service && vm-destroy two'
wait_for 30 "the service has ended" gone vm@two.service
is "$(property vm@two.service Result)" success "in order"

# ---- the end of the host
ok "one more start" vm-start one
ok "and of a service" systemctl start vm@two.service
wait_for 60 "it is ready" guest_says one '^vm-test-guest ready'
wait_for 60 "so is the other" guest_says two '^vm-test-guest ready'
last_words() {
	ok "the guest saw its power button before the host went" guest_says one '^power button'
	ok "and took its time to go" guest_says one '^power off'
	ok "so did the service's" guest_says two '^power button'
	is "$(vm-list --name)" "" "nothing runs any more"
	done_testing
}
# This test is a service that is to be stopped after all guests.
trap last_words TERM
diag "power off at $(cut -d' ' -f1 /proc/uptime)"
systemctl --no-block poweroff
sleep 200 &
wait
fail "the host never ends"
done_testing
