# SPDX-License-Identifier: LGPL-2.1-or-later
# What this QEMU lacks is said before anything is changed.
. "$(dirname "$0")/../tap.sh"

needs vm-create
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"

document() {
	printf "<domain type='qemu'>\n<name>lacks</name><memory>65536</memory>\n%s\n</domain>\n" "$1" >"$T/lacks.xml"
}

document "<os><type machine='pc-q35-99.0'>hvm</type></os>"
status_is 3 vm-create "$T/lacks.xml"
err_like "lacks: .*has no machine pc-q35-99.0"
document "<os><type machine='q35'>hvm</type></os><cpu><model>NoSuchCpu</model></cpu>"
status_is 3 vm-create "$T/lacks.xml"
err_like "lacks: .*has no CPU model 'NoSuchCpu'"
document "<vcpu>20000</vcpu><os><type machine='q35'>hvm</type></os><features><ioapic driver='qemu'/></features>
<devices><iommu model='intel'><driver intremap='on' eim='on'/></iommu></devices>"
status_is 3 vm-create "$T/lacks.xml"
err_like "lacks: machine 'pc-q35-[0-9.]+' takes [0-9]+ vCPUs at most"

# A definition is the admin's own text: the place is said too.
needs vm-define vm-start
document "<os><type machine='q35'>hvm</type></os><cpu><model>NoSuchCpu</model></cpu>"
status_is 0 vm-define "$T/lacks.xml"
status_is 3 vm-start lacks
err_like "lacks: .*/lacks.xml:[0-9]+:[0-9]+: .*has no CPU model 'NoSuchCpu'"
leftovers
done_testing
