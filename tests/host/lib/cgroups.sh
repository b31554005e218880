# SPDX-License-Identifier: LGPL-2.1-or-later
# Mounts cgroups in the test machine, as a host without systemd has them; sourced.

host_cgroup_controllers() { awk 'NR > 1 && $4 == 1 { print $1 }' /proc/cgroups; }

# Version 1 as Debian and others mounted it: one tree for each controller, but cpu with cpuacct, and
# net_cls with net_prio.  $1: a controller that is left out.
host_cgroup_v1() {
	mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
	for host_controller in $(host_cgroup_controllers); do
		host_tree=$host_controller
		case $host_controller in
		"$1") continue ;;
		cpu | cpuacct) host_tree=cpu,cpuacct ;;
		net_cls | net_prio) host_tree=net_cls,net_prio ;;
		esac
		[ ! -e "/sys/fs/cgroup/$host_controller" ] || continue
		mkdir -p "/sys/fs/cgroup/$host_tree"
		if ! mountpoint -q "/sys/fs/cgroup/$host_tree"; then
			mount -t cgroup -o "$host_tree" cgroup "/sys/fs/cgroup/$host_tree" ||
				{ rmdir "/sys/fs/cgroup/$host_tree"; continue; }
		fi
		case $host_tree in *,*) ln -s "$host_tree" "/sys/fs/cgroup/$host_controller" ;; esac
	done
	mkdir /sys/fs/cgroup/systemd
	mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
}

host_cgroups() {
	case $1 in
	v1) host_cgroup_v1 '' ;;
	hybrid)
		host_cgroup_v1 hugetlb
		mkdir /sys/fs/cgroup/unified
		mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified
		;;
	*)
		mount -t cgroup2 cgroup2 /sys/fs/cgroup
		for host_controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
			echo "+$host_controller" >/sys/fs/cgroup/cgroup.subtree_control
		done
		;;
	esac
}
