# SPDX-License-Identifier: LGPL-2.1-or-later
# vm-stats where nothing runs.
. "$(dirname "$0")/../tap.sh"
needs vm-stats
root_needed

golden help vm-stats --help
golden list vm-stats --list
golden list-json vm-stats --list --json
golden none vm-stats
golden none-json vm-stats --json
golden none-prometheus vm-stats --prometheus
golden nobody vm-stats nobody
golden both vm-stats --json --prometheus
mkdir -p "$VM_ROOT/etc/vm/qemu" "$VM_ROOT/var/lib/vm/qemu"
echo "<domain type='qemu'><name>web1</name><memory>1024</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os></domain>" \
	>"$VM_ROOT/etc/vm/qemu/web1.xml"
golden off vm-stats web1
golden off-json vm-stats --json web1 nobody
golden off-prometheus vm-stats --prometheus --state --block web1
vm-stats web1 >/dev/full 2>"$T/full"
is "$? $(cat "$T/full")" "14 vm-stats: write output: No space left on device" "a full disk under stdout"
vm-stats --prometheus web1 >/dev/full 2>"$T/full"
is "$? $(cat "$T/full")" "14 vm-stats: write output: No space left on device" "a full disk under Prometheus' text"
done_testing
