# SPDX-License-Identifier: LGPL-2.1-or-later
# A machine of its own for a test: QEMU under TCG with an IOMMU, VFIO, all cgroup v2 controllers and a KVM of its
# own, whose root is this machine's root, read-only, below a memory overlay. Sourced after tap.sh.
#
#   host_machine [QEMU ARGUMENT...]   outside: boots it, runs this same script in it, prints its TAP and ends;
#                                     inside: returns
#                                     HOST_SYSTEMD=1   systemd is its init
#                                     HOST_CGROUP=v2   how cgroups are mounted: v2 (all controllers), v1 (no
#                                                      version 2 at all), hybrid (controllers in version 1, and
#                                                      the tree of version 2 beside them, with hugetlb)
#                                     HOST_TIMEOUT=280 seconds; below what "# timeout:" says
#                                     HOST_BUILT="NAME..."  modules that scripts/setup builds, which have to be there
#                                     HOST_NEWER="machine kernel guests"  what is to be of the distribution's newer
#                                                      packages: the QEMU that is the machine, its kernel, the QEMU in it
#                                     HOST_CPUS=2, HOST_MEMORY=3072 (MiB), HOST_APPEND (kernel command line)
#   host_units                        inside: installs systemd's units for the programs under test
#   host_tests SUITE/NAME...          inside: runs these scripts of tests/, their points become this script's
#   host_modules NAME...              inside: loads modules; status of the last failure
#   host_address ADDRESS              inside: a PCI device as documents write it, <address .../>
#   host_hostdev ADDRESS [EXTRA]      inside: and as a managed <hostdev>
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
	for host_module in i6300esb virtio_pci 9pnet_virtio 9p overlay; do
		/sbin/modprobe -d "$host_kernel" -S "$host_version" --show-depends "$host_module"
	done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' | while read -r host_file; do
		host_name=${host_file##*/}
		case $host_name in
		*.xz) host_name=${host_name%.xz}; xz -dc "$host_file" >"$host_work/modules/$host_name" ;;
		*) cp "$host_file" "$host_work/modules/" ;;
		esac
		echo "/modules/$host_name"
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
	printf "export HOST_SYSTEMD='%s' HOST_CGROUP='%s' HOST_QEMU='%s'\n" "${HOST_SYSTEMD:-}" "${HOST_CGROUP:-}" \
		"$(host_newer guests && echo "$VM_TEST_CACHE/newer-qemu")"
	printf "export HOST_SYSTEMD_CGROUPS='%s'\n" "$(host_systemd_cgroups)"
	# everything takes ten times as long, and these programs wait 10 s unless told otherwise
	printf "export VM_TIMEOUT='%s'\n" "${HOST_PATIENCE:-100}"
	printf "export VM_INSIDE_HOST=1 HOST_KERNEL='%s' HOST_SCRIPT='%s'\n" "$host_kernel" "$host_script"
}

# systemd mounts them itself.  Source: systemd(1), kernel command line.
host_systemd_cgroups() {
	[ -n "${HOST_SYSTEMD:-}" ] || return 0
	case ${HOST_CGROUP:-v2} in
	v1) echo systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=1 ;;
	hybrid) echo systemd.unified_cgroup_hierarchy=0 systemd.legacy_systemd_cgroup_controller=0 ;;
	*) echo systemd.unified_cgroup_hierarchy=1 ;;
	esac
}

host_newer() { # WORD of $HOST_NEWER
	case " ${HOST_NEWER:-} " in *" $1 "*) ;; *) return 1 ;; esac
}

host_machine() {
	[ -z "${VM_INSIDE_HOST:-}" ] || return 0
	command -v qemu-system-x86_64 >/dev/null || skip_all "no qemu-system-x86_64"
	command -v busybox >/dev/null || skip_all "no busybox"
	[ "$(id -u)" = 0 ] || skip_all "needs root, to share the whole root file system"
	host_kernel=$VM_TEST_CACHE/kernel-amd64 host_program=qemu-system-x86_64
	if host_newer kernel; then host_kernel=$VM_TEST_CACHE/newer-kernel; fi
	[ -e "$host_kernel/.complete" ] || skip_all "no kernel in $host_kernel; scripts/setup fetches it"
	if host_newer machine || host_newer guests; then
		host_qemu=$VM_TEST_CACHE/newer-qemu
		[ -e "$host_qemu/.complete" ] || skip_all "no newer QEMU in $host_qemu; scripts/setup fetches it"
	fi
	if host_newer machine; then
		# it was made for its own place
		QEMU_MODULE_DIR=$host_qemu/usr/lib/x86_64-linux-gnu/qemu
		export QEMU_MODULE_DIR
		host_program=$host_qemu/usr/bin/qemu-system-x86_64
	fi
	for host_module in ${HOST_BUILT:-}; do
		[ -e "$(echo "$host_kernel"/lib/modules/*/updates)/$host_module.ko" ] ||
			[ -e "$(echo "$host_kernel"/lib/modules/*/extra)/$host_module.ko" ] ||
			skip_all "no module $host_module for $host_kernel; scripts/setup builds it"
	done
	host_initrd
	mkdir "$T/share"
	host_environment >"$T/share/environment"
	host_boot "$@"
	# An emulated processor loses an interrupt now and then, and the kernel on it then says that it hangs, or says
	# nothing more: that is no finding about what is tested.
	if ! host_finished && host_hung; then
		diag "the emulated kernel hung, once more; it ended with:"
		diag "$(tr -d '\r' <"$T/tap" | tail -n 2; tr -d '\r' <"$T/console" | tail -n 5)"
		host_boot "$@"
	fi
	tr -d '\r' <"$T/tap"
	tap_done=1
	if ! host_finished; then
		echo "Bail out! the machine ended early (QEMU's status $host_status)"
		diag "$(cat "$T/qemu.log")"
		diag "$(tr -d '\r' <"$T/console" | tail -n 30)"
		exit 1
	fi
	exit "$(tr -d '\r' <"$T/tap" | sed -n 's/^# inside: status //p' | tail -n 1)"
}

host_hang='soft lockup\|rcu_preempt kthread starved\|rcu_sched kthread starved'
# The machine's watchdog, which its init has armed, ends QEMU with status 0, as init itself does when it cannot go on.
host_hung() { grep -q "$host_hang" "$T/console" || { [ "$host_status" -eq 0 ] && ! grep -q '^init: ' "$T/console"; }; }
host_finished() { grep -q '^# inside: status' "$T/tap"; }

host_boot() {
	: >"$T/tap"
	timeout "${HOST_TIMEOUT:-280}" "$host_program" -machine q35,accel=tcg,kernel-irqchip=split -cpu max \
		-smp "${HOST_CPUS:-2}" -m "${HOST_MEMORY:-3072}" -nodefaults -display none -no-reboot \
		-device i6300esb -action watchdog=poweroff -device intel-iommu,intremap=on,caching-mode=on,device-iotlb=on \
		-kernel "$host_kernel"/boot/vmlinuz-* -initrd "$T/initrd.gz" \
		-append "console=ttyS0 quiet loglevel=4 panic=-1 no_timer_check softlockup_panic=1 watchdog_thresh=30 \
			intel_iommu=on iommu=pt ${HOST_APPEND:-}" \
		-serial "file:$T/console" -serial "file:$T/tap" \
		-virtfs local,path=/,mount_tag=hostroot,security_model=none,readonly=on,multidevs=remap \
		-virtfs "local,path=$T/share,mount_tag=share,security_model=none" \
		"$@" >"$T/qemu.log" 2>&1 </dev/null
	host_status=$?
}

host_modules() {
	host_failed=0
	for host_module; do
		modprobe "$host_module" || host_failed=$?
	done
	return "$host_failed"
}

# Seconds that a script asks for; everything is slower in here.
host_seconds() {
	host_limit=$(sed -n 's/^# timeout: \([0-9]*\)$/\1/p' "$1" | head -n 1)
	echo $((${host_limit:-120} * 2))
}

host_tests() {
	for host_test; do
		host_file=$VM_SOURCE/tests/$host_test.sh
		if [ ! -e "$host_file" ]; then
			fail "$host_test: no such script"
			continue
		fi
		host_began=$(date +%s)
		(
			cd "$VM_SOURCE/tests" &&
				exec env -u VM_ROOT -u VM_TEST_TMP timeout -k 5 "$(host_seconds "$host_file")" sh "$host_file"
		) >"$T/.tests" 2>&1 </dev/null
		host_status=$?
		diag "$host_test: $(($(date +%s) - host_began)) s"
		host_points "$host_test" <"$T/.tests"
		[ "$host_status" -eq 0 ] || [ "$host_status" -eq 77 ] || [ -n "$host_bad" ] ||
			fail "$host_test: status $host_status"
	done
}

host_points() {
	host_bad= host_seen=
	while IFS= read -r host_line; do
		case $host_line in
		'ok '*'# SKIP '* | '1..0 # SKIP '*) skip 1 "$1: ${host_line##*# SKIP }" ;;
		'ok '*) pass "$1: ${host_line#* - }" ;;
		'not ok '*'# TODO'*) todo_fail "$1: ${host_line#* - }" ;;
		'not ok '* | 'Bail out!'*) host_bad=1; fail "$1: ${host_line#* - }" ;;
		1..[0-9]*) host_seen=1 ;;
		*) printf '%s\n' "$host_line" | sed 's/^\(# \)*/# /' ;;
		esac
		case $host_line in 1..*) host_seen=1 ;; esac
	done
	[ -n "$host_seen" ] || { host_bad=1; fail "$1: ended early"; }
}

host_units() {
	for host_unit in "$VM_SOURCE"/scripts/systemd/*; do
		host_name=${host_unit##*/}
		sed "s|@BINDIR@|$VM_BUILD/bin|" "$host_unit" >"/etc/systemd/system/${host_name%.in}"
	done
	mkdir -p /etc/systemd/system.conf.d
	printf '[Manager]\nDefaultEnvironment=VM_TIMEOUT=%s\n' "$VM_TIMEOUT" >/etc/systemd/system.conf.d/vm-test.conf
	systemctl daemon-reload
}

host_address() {
	echo "$1" | sed 's|^\(.*\):\(.*\):\(.*\)\.\(.*\)$|<address domain="0x\1" bus="0x\2" slot="0x\3" function="0x\4"/>|'
}
host_hostdev() {
	echo "<hostdev mode='subsystem' type='pci' managed='yes'><source>$(host_address "$1")</source>${2:-}</hostdev>"
}

# What a run holds and an attach changes, for a comparison: claims, records, device rules, nodes, documents.
host_run_state() { # NAME
	devices_held
	vm-cgroup "$1" devices
	find "$VM_ROOT/run/vm/qemu/$1/dev" | sort
	cat "$VM_ROOT/run/vm/qemu/$1/live.xml"
	sort "$VM_ROOT/run/vm/qemu/$1/record"
}

# Defines $T/NAME.xml, starts it and waits until the guest says that it is up.
host_guest() { # NAME
	status_is 0 vm-define "$T/$1.xml"
	status_is 0 vm-start "$1"
	wait_for 60 "the guest is up" guest_says "$1" '^pci end'
}
