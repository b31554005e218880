# SPDX-License-Identifier: LGPL-2.1-or-later
# What vm-doctor says of hosts that are made of files here.
. "$(dirname "$0")/../tap.sh"
needs vm-doctor
host=$T/h

put() {
	mkdir -p "$host/$(dirname "$1")"
	cat >"$host/$1"
}
put_line() { printf '%s\n' "$2" | put "$1"; }

# A host on which all is well: Intel, v2, systemd.
good() {
	rm -rf "$host"
	mkdir -p "$host/dev/net" "$host/sys/kernel/iommu_groups/0" "$host/sys/kernel/iommu_groups/1" \
		"$host/sys/module/vfio_pci" "$host/sys/module/tun" "$host/run/systemd/system" "$host/var/lib/vm/uids"
	put_line dev/kvm ''
	put_line etc/vm/conf.d/00-test.conf 'uid_first = 1900000000'
	chmod 755 "$host/etc/vm"
	put_line dev/net/tun ''
	put proc/cpuinfo <<'END'
vendor_id	: GenuineIntel
flags		: fpu vme vmx ssse3
END
	put_line proc/sys/kernel/osrelease 6.1.0-test
	put lib/modules/6.1.0-test/modules.dep <<'END'
kernel/drivers/vhost/vhost_net.ko: kernel/drivers/vhost/vhost.ko
kernel/drivers/vhost/vhost_vsock.ko:
kernel/drivers/net/macvtap.ko.xz: kernel/drivers/net/tap.ko.xz
END
	put_line lib/modules/6.1.0-test/modules.builtin kernel/net/bridge/bridge.ko
	put proc/self/mountinfo <<'END'
22 27 0:20 / /sys rw,nosuid,nodev,noexec shared:6 - sysfs sysfs rw
25 27 0:23 / /run rw,nosuid,nodev,noexec shared:5 - tmpfs tmpfs rw,size=1k
28 22 0:24 / /sys/fs/cgroup rw,nosuid shared:8 - cgroup2 cgroup2 rw
END
	put_line proc/self/cgroup 0::/user.slice
	put proc/cgroups <<'END'
#subsys_name	hierarchy	num_cgroups	enabled
cpu	0	80	1
memory	0	80	1
END
	put_line sys/fs/cgroup/cgroup.controllers 'cpuset cpu io memory pids'
	put_line proc/self/uid_map '0 0 4294967295'
	put proc/self/limits <<'END'
Limit                     Soft Limit           Hard Limit           Units
Max open files            1024                 524288               files
Max locked memory         65536                65536                bytes
END
	put_line proc/sys/fs/inotify/max_user_instances 8192
	put_line proc/sys/fs/aio-max-nr 1048576
	put_line etc/passwd 'root:x:0:0::/root:/bin/sh'
	printf 'root:x:0:\nvm:x:998:admin\n' | put etc/group
	put_line etc/subuid 'admin:100000:65536'
	put_line usr/lib/systemd/system/vm-guests.service ''
	put_line sys/module/apparmor/parameters/enabled Y
	for program in qemu-img swtpm passt; do put_line usr/bin/$program ''; done
	put_line usr/libexec/virtiofsd ''
}
doctor() { golden "$1" vm-doctor --sysroot="$host" --connect=qemu:///system ${2:-}; }
golden_filter() { sed "s|$host|@HOST@|g"; }

golden help vm-doctor --help
good
doctor good
doctor good-json --json
doctor good-quiet --quiet
doctor good-problems --problems

# ---- a host on which nothing is well
rm "$host/dev/kvm" "$host/usr/bin/swtpm" "$host/lib/modules/6.1.0-test/modules.dep"
rm -r "$host/sys/kernel/iommu_groups" "$host/run/systemd" "$host/sys/module/apparmor"
put_line sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts Y
put_line etc/passwd 'squatter:x:1900000007:100::/:/bin/sh'
printf 'admin:100000:65536\nbig:1899999999:2\n' | put etc/subuid
put_line etc/group 'root:x:0:'
put_line proc/self/uid_map '0 100000 65536'
put_line proc/sys/fs/inotify/max_user_instances 16
put_line proc/sys/fs/aio-max-nr 1024
sed -i 's/524288/1024  /' "$host/proc/self/limits"
sed -i 's/nodev,noexec shared:5/noexec shared:5/' "$host/proc/self/mountinfo"
put_line sys/fs/cgroup/cgroup.controllers 'cpu pids'
put_line sys/fs/selinux/enforce 1
doctor bad
golden bad-quiet vm-doctor --sysroot="$host" --connect=qemu:///system --quiet ids

# ---- nearly no ids left
put_line etc/vm/conf.d/01-test.conf 'uid_count = 20'
: >"$host/etc/passwd"
: >"$host/etc/subuid"
put_line proc/self/uid_map '0 0 4294967295'
for id in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do put_line var/lib/vm/uids/19000000$id one; done
golden few-ids vm-doctor --sysroot="$host" --connect=qemu:///system ids
rm "$host/etc/vm/conf.d/01-test.conf"

# ---- processors
: >"$host/proc/cpuinfo"
golden no-flags vm-doctor --sysroot="$host" --connect=qemu:///system kvm iommu
printf 'vendor_id : AuthenticAMD\nflags : svm\n' | put proc/cpuinfo
golden amd vm-doctor --sysroot="$host" --connect=qemu:///system kvm iommu
: >"$host/proc/self/mountinfo"
golden no-groups vm-doctor --sysroot="$host" --connect=qemu:///system cgroup run
rm "$host/proc/self/mountinfo"
golden no-mounts vm-doctor --sysroot="$host" --connect=qemu:///system run

# ---- a configuration with a fault, and where values come from
mkdir -p "$host/etc/vm/conf.d"
chmod 755 "$host/etc/vm"
put_line etc/vm/vm.conf 'stop_timeout = 300'
printf '# ours\ngroup = admins\n' | put etc/vm/conf.d/10-site.conf
# a line for each key, but which there are is vm.conf(5)'s
some() { vm-doctor --sysroot="$host" --connect=qemu:///system "$@" config; }
is "$(some | grep -E '^(group|stop_timeout|emulator|log_bytes)	' | tr '\t' ' ')" "group admins conf.d/10-site.conf:2
stop_timeout 300 vm.conf:1
log_bytes 2097152 default
emulator - default" "values and where they come from"
like "$(some --json)" '^\{"schema":"vm-doctor/1","config":\[\{"key":"uid_first","value":1900000000,"from":"conf.d/00-test.conf:1"\},' "the same as JSON"
missing=
for key in $(mandoc -Tascii "$VM_SOURCE/man/vm.conf.5" | col -b | sed -n 's/^ *\([a-z_]*\) = .*/\1/p'); do
	some | grep -q "^$key	" || missing="$missing $key"
done
is "$missing" "" "every key of vm.conf(5) is there"
put_line etc/vm/vm.conf 'stop_time = 300'
golden config-bad vm-doctor --sysroot="$host" --connect=qemu:///system config
golden vm-conf vm-doctor --sysroot="$host" --connect=qemu:///system vm.conf
rm "$host/etc/vm/vm.conf"

# ---- guests
mkdir -p "$host/etc/vm/qemu"
printf '<domain' >"$host/etc/vm/qemu/torn.xml"
golden guests vm-doctor --sysroot="$host" --connect=qemu:///system guests

# ---- nothing of a recorded host leads out of it
rm -r "$host/proc/sys/fs/inotify"
mkdir "$host/proc/sys/fs/inotify"
printf '1\n' >"$T/outside"
ln -s "$T/outside" "$host/proc/sys/fs/inotify/max_user_instances"
run vm-doctor --sysroot="$host" --connect=qemu:///system limits
unlike "$out" max_user_instances "a link does not lead out"

golden unknown vm-doctor kvm teeth
golden config-and vm-doctor config kvm
golden no-sysroot vm-doctor --sysroot="$T/none"
done_testing
