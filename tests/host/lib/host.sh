# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine of its own for a test: QEMU under TCG with an IOMMU, VFIO, all cgroup v2 controllers and a KVM of its
# own, whose root is this machine's root, read-only, below a memory overlay. Sourced after tap.sh.
#
#   host_machine [QEMU ARGUMENT...]   outside: boots it, runs this same script in it, prints its TAP and ends;
#                                     inside: returns
#                                     With HOST_SYSTEMD=1 systemd is its init.
#   host_modules NAME...              inside: loads modules; status of the last failure
# Nothing that is done inside reaches this machine.

host_script=$(cd "$(dirname "$0")" && pwd)/$(basename "$0")

host_initrd() {
	host_version=$(ls "$host_kernel/lib/modules")
	host_work=$T/initrd
	mkdir -p "$host_work/bin" "$host_work/dev" "$host_work/proc" "$host_work/sys" "$host_work/lower" \
		"$host_work/memory" "$host_work/root" "$host_work/modules"
	cp "$(command -v busybox)" "$host_work/bin/busybox"
	cp "$VM_SOURCE/tests/host/lib/init" "$host_work/init"
	chmod 755 "$host_work/init"
	for host_module in virtio_pci 9pnet_virtio 9p overlay; do
		/sbin/modprobe -d "$host_kernel" -S "$host_version" --show-depends "$host_module"
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r host_file; do
		cp "$host_file" "$host_work/modules/"
		echo "/modules/${host_file##*/}"
	done >"$host_work/order"
	(cd "$host_work" && find . | cpio -o -H newc --owner=0:0 --quiet) | gzip -1 >"$T/initrd.gz"
	rm -rf "$host_work"
}

# What the script inside has to know.
host_environment() {
	for host_variable in PATH VM_SOURCE VM_BUILD VM_TEST_GUEST VM_TEST_DATA VM_TEST_CACHE VM_TEST_FULL VM_TEST_SEED; do
		eval "host_value=\${$host_variable:-}"
		printf "export %s='%s'\n" "$host_variable" "$host_value"
	done
	printf "export HOST_SYSTEMD='%s'\n" "${HOST_SYSTEMD:-}"
	printf "export VM_INSIDE_HOST=1 HOST_KERNEL='%s' HOST_SCRIPT='%s'\n" "$host_kernel" "$host_script"
}

host_machine() {
	[ -z "${VM_INSIDE_HOST:-}" ] || return 0
	command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"
	command -v busybox >/dev/null || skip_all "no busybox"
	[ "$(id -u)" = 0 ] || skip_all "needs root, to share the whole root file system"
	host_kernel=$VM_TEST_CACHE/kernel-amd64
	[ -e "$host_kernel/.complete" ] || skip_all "no kernel in $host_kernel; scripts/setup fetches it"
	host_initrd
	mkdir "$T/share"
	host_environment >"$T/share/environment"
	: >"$T/tap"
	timeout "${HOST_TIMEOUT:-280}" qemu-system-x86_64 -machine q35,accel=tcg,kernel-irqchip=split -cpu max \
		-smp "${HOST_CPUS:-2}" -m "${HOST_MEMORY:-3072}" -nodefaults -display none -no-reboot \
		-device intel-iommu,intremap=on,caching-mode=on,device-iotlb=on \
		-kernel "$host_kernel"/boot/vmlinuz-* -initrd "$T/initrd.gz" \
		-append "console=ttyS0 quiet loglevel=4 panic=-1 no_timer_check intel_iommu=on iommu=pt ${HOST_APPEND:-}" \
		-serial "file:$T/console" -serial "file:$T/tap" \
		-virtfs local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap \
		-virtfs "local,path=$T/share,mount_tag=share,security_model=none" \
		"$@" >"$T/qemu.log" 2>&1 </dev/null
	host_status=$?
	tr -d '\r' <"$T/tap"
	tap_done=1
	if ! grep -q '^# inside: status' "$T/tap"; then
		echo "Bail out! the machine ended early (QEMU's status $host_status)"
		diag "$(cat "$T/qemu.log")"
		diag "$(tr -d '\r' <"$T/console" | tail -n 30)"
		exit 1
	fi
	exit "$(tr -d '\r' <"$T/tap" | sed -n 's/^# inside: status //p' | tail -n 1)"
}

host_modules() {
	host_failed=0
	for host_module; do
		modprobe "$host_module" || host_failed=$?
	done
	return "$host_failed"
}
