# SPDX-License-Identifier: LGPL-2.1-or-later
# What this QEMU lacks is said before anything is changed, at the place in the document that asks for it.
. "$(dirname "$0")/../tap.sh"

needs vm-create
command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"

document() {
	printf "<domain type='qemu'>\n<name>lacks</name><memory>65536</memory>\n%s\n</domain>\n" "$1" >"$T/lacks.xml"
}

document "<os><type machine='pc-q35-99.0'>hvm</type></os>"
status_is 3 vm-create "$T/lacks.xml"
err_like "lacks.xml:3:11: .*has no machine pc-q35-99.0"
document "<os><type machine='q35'>hvm</type></os><cpu><model>NoSuchCpu</model></cpu>"
status_is 3 vm-create "$T/lacks.xml"
err_like "lacks.xml:3:[0-9]+: .*has no CPU model 'NoSuchCpu'"
document "<vcpu>20000</vcpu><os><type machine='q35'>hvm</type></os>"
status_is 3 vm-create "$T/lacks.xml"
err_like "lacks.xml:3:[0-9]+: machine 'pc-q35-[0-9.]+' takes [0-9]+ vCPUs at most"
leftovers
done_testing
