# SPDX-License-Identifier: LGPL-2.1-or-later
# mode='host-model': the same processor in the running guest's document, on its command line, and inside.
. "$(dirname "$0")/../tap.sh"
needs vm-define vm-start vm-destroy vm-dumpxml vm-qmp
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"

guest_xml h | sed "s|<features>|<cpu mode='host-model'><!-- ours --><topology sockets='1' cores='1' threads='1'/><feature policy='disable' name='aes'/></cpu>&|" >"$T/h.xml"
vm-define -q "$T/h.xml"
cpu() { grep -o '<cpu .*</cpu>'; }
status_is 0 vm-dumpxml --update-cpu h
updated=$(printf '%s\n' "$out" | cpu)
like "$updated" "<cpu mode='custom' match='exact' check='partial'>" "written out it is a model with a name"
like "$updated" "<model fallback='forbid'>[A-Z][A-Za-z0-9_-]+</model>" "which is this"
like "$updated" "<feature policy='require' name='[a-z0-9.-]+'/>" "with features"
like "$updated" "<!-- ours -->.*" "what was written stays"
is "$(printf '%s\n' "$updated" | grep -c "name='aes'")" 1 "a feature that the document names is its own affair"
is "$(vm-dumpxml h | grep -c host-model)" 1 "the definition is as it was written"
caps=$VM_ROOT/var/lib/vm/caps
before=$(cat "$caps"/*.cpu-tcg)
status_is 0 vm-dumpxml -v --update-cpu h
unlike "$err" "ask" "QEMU is asked once"
printf 'damaged' >"$(ls "$caps"/*.cpu-tcg)"
is "$(vm-dumpxml --update-cpu h | cpu)" "$updated" "a damaged cache is asked for anew"
is "$(cat "$caps"/*.cpu-tcg)" "$before" "and mended"

ok "it starts" vm-start -q h
is "$(vm-dumpxml h | cpu)" "$updated" "the running guest has it"
is "$(vm-dumpxml --inactive h | grep -c host-model)" 1 "its definition has not"
pid=$(vm-info --get=pid h)
argv=$(tr '\0' '\n' </proc/"$pid"/cmdline | grep -A 1 '^-cpu$' | tail -n 1)
is "$(vm-start --print h | grep '^-cpu' | sed 's/^-cpu //; s/ \\$//')" "$argv" "the command line that is printed is the one that runs"
unlike "$(cat "$VM_ROOT/var/log/vm/qemu/h.log")" "support requested feature|warning" "QEMU provides all of it"
# What the guest has is what QEMU can give at most, but for what the document forbids.
expand() {
	vm-qmp --return-value h "query-cpu-model-expansion {\"type\":\"static\",\"model\":{\"name\":\"$1\"$2}}" | tr ',{}' '\n\n\n' | grep '": *true' | tr -d ' ' | sort
}
props=$(printf '%s\n' "$argv" | tr ',' '\n' | sed -n -e 's/^\(.*\)=on$/"\1":true/p' -e 's/^\(.*\)=off$/"\1":false/p' | paste -sd, -)
is "$(expand "${argv%%,*}" ",\"props\":{$props}")" "$(expand max "" | grep -v '^"aes":')" "feature by feature"
vm-destroy -q h

if [ ! -e /dev/kvm ]; then
	sed -e "s|<name>h<|<name>k<|" -e "s|type='qemu'|type='kvm'|" "$T/h.xml" >"$T/k.xml"
	vm-define -q "$T/k.xml"
	run vm-start k
	err_like "^vm-start: k: .*(/dev/kvm|KVM)" "without KVM nobody knows what it could give"
	unlike "$err" "ended with status" "which is told before QEMU is run"
fi
leftovers
done_testing
