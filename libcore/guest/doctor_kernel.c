/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the kernel and the hardware offer. */
#include "doctor.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "host/kvm.h"

#define KVM_MS 3000u

/* ---- processor ---- */
enum cpu { CPU_OTHER, CPU_INTEL, CPU_AMD };

static bool has_flag(const char *cpuinfo, const char *flag)
{
	size_t len = strlen(flag);

	for (const char *p = cpuinfo; (p = strstr(p, flag)) != NULL; p += len)
		if (p > cpuinfo && (p[-1] == ' ' || p[-1] == '\t') && (p[len] == ' ' || p[len] == '\n'))
			return true;
	return false;
}

static enum cpu cpu_vendor(const char *cpuinfo)
{
	if (strstr(cpuinfo, "GenuineIntel") != NULL)
		return CPU_INTEL;
	return strstr(cpuinfo, "AuthenticAMD") != NULL || strstr(cpuinfo, "HygonGenuine") != NULL ? CPU_AMD
												     : CPU_OTHER;
}

static void no_kvm_node(struct vm_doctor *d, const char *cpuinfo)
{
	bool vmx = has_flag(cpuinfo, "vmx"), svm = has_flag(cpuinfo, "svm");

	if (vmx || svm)
		vm_doctor_say(d, VM_HEALTH_FAIL,
			      vmx ? "load its module: modprobe kvm_intel; if that is refused, enable VT-x in the "
				    "firmware"
				  : "load its module: modprobe kvm_amd; if that is refused, enable SVM in the "
				    "firmware",
			      "the processor can virtualize, but there is no /dev/kvm");
	else
		vm_doctor_say(d, VM_HEALTH_WARN,
			      "enable it in the firmware; on a virtual machine allow nested virtualization; "
			      "guests of type qemu run without it, slowly",
			      "the processor shows no hardware virtualization, and there is no /dev/kvm");
}

void vm_doctor_kvm(struct vm_doctor *d)
{
	VM_AUTO_FREE char *cpuinfo = vm_tree_text(&d->tree, "proc/cpuinfo");
	struct vm_err err = VM_ERR_INIT;

	if (!vm_tree_has(&d->tree, "dev/kvm")) {
		no_kvm_node(d, cpuinfo != NULL ? cpuinfo : "");
		return;
	}
	if (d->tree.recorded) {
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "/dev/kvm is there");
	} else if (vm_kvm_try(vm_deadline_min(d->deadline, vm_deadline_in(KVM_MS)), &err) == 0) {
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "KVM runs a virtual CPU");
	} else {
		if (err.kind == VM_DENIED)
			vm_err_hint(&err, "add the user to the group of /dev/kvm: usermod -aG kvm USER");
		else
			vm_err_hint(&err, "look into the kernel's log: dmesg | grep -i kvm");
		vm_doctor_say_err(d, VM_HEALTH_FAIL, &err);
	}
}

/* ---- devices for guests ---- */
void vm_doctor_iommu(struct vm_doctor *d)
{
	static const char *const remedies[] = {
		[CPU_OTHER] = "enable the IOMMU in the firmware and on the kernel's command line",
		[CPU_INTEL] = "enable VT-d in the firmware and boot with intel_iommu=on",
		[CPU_AMD] = "enable AMD-Vi (IOMMU) in the firmware; boot without amd_iommu=off",
	};
	VM_AUTO_FREE char *cpuinfo = vm_tree_text(&d->tree, "proc/cpuinfo");
	VM_AUTO_FREE char *unsafe =
		vm_tree_line(&d->tree, "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	size_t groups = vm_tree_count(&d->tree, "sys/kernel/iommu_groups");

	if (groups == 0)
		vm_doctor_say(d, VM_HEALTH_WARN, remedies[cpu_vendor(cpuinfo != NULL ? cpuinfo : "")],
			      "there are no IOMMU groups: PCI devices cannot be given to guests");
	else
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "%zu IOMMU groups", groups);
	if (unsafe != NULL && *unsafe == 'Y')
		vm_doctor_say(d, VM_HEALTH_WARN,
			      "boot with interrupt remapping and take allow_unsafe_interrupts away",
			      "VFIO allows unsafe interrupts: a guest with a device can disturb the host");
}

static const struct module {
	const char *name, *node, *use;
	bool needs_iommu;
} modules[] = {
	{ "vfio_pci", "dev/vfio/vfio", "giving PCI devices to guests", true },
	{ "tun", "dev/net/tun", "network interfaces of guests", false },
	{ "vhost_net", "dev/vhost-net", "fast network interfaces", false },
	{ "vhost_vsock", "dev/vhost-vsock", "vsock devices", false },
	{ "macvtap", NULL, "interfaces of type direct", false },
	{ "bridge", NULL, "interfaces on a bridge", false },
};

/* Names in the kernel's lists have '-' or '_' as their file has. */
static bool lists_module(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *line = text; line != NULL && *line != 0;) {
		const char *next = strchr(line, '\n'), *end, *at;

		end = line + strcspn(line, ":\n");
		for (at = end; at > line && at[-1] != '/'; at--)
			;
		for (size_t i = 0;; i++) {
			if (i == len && strncmp(at + i, ".ko", 3) == 0)
				return true;
			if (i == len || at + i == end || (at[i] == '-' ? '_' : at[i]) != name[i])
				break;
		}
		line = next != NULL ? next + 1 : NULL;
	}
	return false;
}

static char *module_list(struct vm_doctor *d, const char *file)
{
	VM_AUTO_FREE char *release = vm_tree_line(&d->tree, "proc/sys/kernel/osrelease");
	VM_AUTO_FREE char *path =
		vm_xasprintf("lib/modules/%s/%s", release != NULL ? release : "", file);

	return vm_tree_text(&d->tree, path);
}

/* With a /dev of its own a guest has a ptmx of its own. */
static void check_terminals(struct vm_doctor *d)
{
	VM_AUTO_FD int fd = -1;
	struct stat st;

	if (d->conf->private_dev && !d->session)
		return;
	fd = vm_tree_fd(&d->tree, "dev/ptmx", O_PATH);
	if (fd >= 0 && fstat(fd, &st) == 0 && (st.st_mode & 6) != 6)
		vm_doctor_say(d, VM_HEALTH_WARN,
			      d->session ? "mount -o remount,ptmxmode=0666 /dev/pts"
					 : "mount -o remount,ptmxmode=0666 /dev/pts, or private_dev = yes in vm.conf",
			      "/dev/ptmx has mode %04o: guests with a terminal (pty) do not start",
			      (unsigned)st.st_mode & 07777);
}

void vm_doctor_modules(struct vm_doctor *d)
{
	VM_AUTO_FREE char *loadable = module_list(d, "modules.dep");
	VM_AUTO_FREE char *builtin = module_list(d, "modules.builtin");
	bool iommu = vm_tree_count(&d->tree, "sys/kernel/iommu_groups") > 0;

	for (size_t i = 0; i < VM_COUNT(modules); i++) {
		const struct module *m = &modules[i];
		VM_AUTO_FREE char *loaded = vm_xasprintf("sys/module/%s", m->name);
		VM_AUTO_FREE char *remedy = NULL;
		bool node = m->node != NULL && vm_tree_has(&d->tree, m->node);

		if (m->needs_iommu && !iommu)
			continue;
		/* a kernel without lists may have it built in */
		if (m->node == NULL && loadable == NULL && builtin == NULL && !vm_tree_has(&d->tree, loaded))
			continue;
		if (vm_tree_has(&d->tree, loaded) || lists_module(builtin, m->name)) {
			vm_doctor_say(d, VM_HEALTH_OK, NULL, "%s is in the kernel", m->name);
		} else if (node || lists_module(loadable, m->name)) {
			vm_doctor_say(d, VM_HEALTH_OK, NULL, "%s can be loaded", m->name);
		} else {
			remedy = vm_xasprintf("install the kernel's package of extra modules, or load it: modprobe %s",
					      m->name);
			vm_doctor_say(d, VM_HEALTH_NOTE, remedy, "the kernel has no %s, for %s", m->name, m->use);
		}
	}
	check_terminals(d);
}

/* ---- security modules ---- */
void vm_doctor_lsm(struct vm_doctor *d)
{
	VM_AUTO_FREE char *enforce = vm_tree_line(&d->tree, "sys/fs/selinux/enforce");
	VM_AUTO_FREE char *apparmor = vm_tree_line(&d->tree, "sys/module/apparmor/parameters/enabled");
	bool any = false;

	if (enforce != NULL) {
		any = true;
		if (*enforce == '1')
			vm_doctor_say(d, VM_HEALTH_NOTE,
				      "where it denies something, look for it: ausearch -m avc -c qemu-system-x86",
				      "SELinux enforces its policy; guests run in the domain of who starts them");
		else
			vm_doctor_say(d, VM_HEALTH_OK, NULL, "SELinux is permissive");
	}
	if (apparmor != NULL && *apparmor == 'Y') {
		any = true;
		vm_doctor_say(d, VM_HEALTH_OK, NULL,
			      "AppArmor is on; guests have no profile, but walls of their own");
	}
	if (!any)
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "no security module confines programs");
}
