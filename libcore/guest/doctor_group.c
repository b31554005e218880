/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Control groups, and who owns them. */
#include "doctor.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <vm/acl.h>
#include <vm/alloc.h>
#include <vm/cgroup.h>
#include <vm/cleanup.h>
#include <vm/conf.h>
#include <vm/strbuf.h>

#include "cgroup/systemd.h"

#define BACKEND_NONE 4 /* vm.conf's acl_backend */

static const struct {
	enum vm_cgroup_controller controller;
	const char *name, *loss, *remedy;
} controllers[] = {
	{ VM_CGROUP_CPU, "cpu", "CPU time cannot be shared out", NULL },
	{ VM_CGROUP_CPUSET, "cpuset", "pinning is by affinity alone", NULL },
	{ VM_CGROUP_MEMORY, "memory", "memory cannot be limited",
	  "boot with cgroup_enable=memory" },
	{ VM_CGROUP_IO, "io", "disk transfer cannot be shared out", NULL },
};

void vm_doctor_cgroup(struct vm_doctor *d)
{
	VM_AUTO(vm_cgroup_host_close) struct vm_cgroup_host h = VM_CGROUP_HOST_INIT;
	VM_AUTO(vm_strbuf_free) struct vm_strbuf have = VM_STRBUF_INIT;
	struct vm_err err = VM_ERR_INIT;
	bool writable = d->tree.recorded;

	if (vm_cgroup_host_open(d->tree.recorded ? d->tree.root : -1, &h, &err) < 0) {
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
		return;
	}
	if (h.n == 0) {
		vm_doctor_say(d, VM_HEALTH_WARN, "mount them: mount -t cgroup2 cgroup2 /sys/fs/cgroup",
			      "no control groups are mounted: no limits, no device rules");
		return;
	}
	for (size_t i = 0; i < VM_COUNT(controllers); i++)
		if (vm_cgroup_host_find(&h, controllers[i].controller) != NULL)
			vm_strbuf_printf(&have, " %s", controllers[i].name);
	vm_doctor_say(d, VM_HEALTH_OK, NULL, "control groups: %s, controllers:%s", vm_cgroup_host_kind(&h),
		      have.len > 0 ? have.text : " none");
	for (size_t i = 0; i < VM_COUNT(controllers); i++)
		if (vm_cgroup_host_find(&h, controllers[i].controller) == NULL)
			vm_doctor_say(d, VM_HEALTH_WARN,
				      controllers[i].remedy != NULL
					      ? controllers[i].remedy
					      : "see that the kernel has it and nothing disables it: /proc/cgroups",
				      "there is no %s controller: %s", controllers[i].name, controllers[i].loss);
	for (size_t i = 0; i < h.n && !writable; i++)
		writable = faccessat(h.v[i].fd, "cgroup.procs", W_OK, AT_EACCESS) == 0;
	if (!writable && !d->session)
		vm_doctor_say(d, VM_HEALTH_WARN, "in a container: give it a writable cgroup tree of its own",
			      "groups cannot be made: guests run without limits and device rules");
}

/* As if a guest's group were the root of each hierarchy. */
static int stand_in(struct vm_cgroup *c, struct vm_err *err)
{
	if (vm_cgroup_host_open(-1, &c->host, err) < 0)
		return -1;
	c->path = vm_xstrdup("/");
	for (size_t i = 0; i < c->host.n; i++) {
		c->at[i].fd[VM_CGROUP_QEMU] = fcntl(c->host.v[i].fd, F_DUPFD_CLOEXEC, 3);
		c->at[i].there = c->at[i].fd[VM_CGROUP_QEMU] >= 0;
	}
	return 0;
}

void vm_doctor_acl(struct vm_doctor *d)
{
	VM_AUTO(vm_cgroup_close) struct vm_cgroup c = VM_CGROUP_INIT;
	VM_AUTO_FREE char *note = NULL;
	struct vm_err err = VM_ERR_INIT;
	unsigned sides = 0;

	if (d->tree.recorded)
		return; /* only the kernel knows */
	if (d->conf->acl_backend == BACKEND_NONE) {
		vm_doctor_say(d, VM_HEALTH_WARN, "take acl_backend = none out of vm.conf",
			      "device rules are turned off");
		return;
	}
	if (stand_in(&c, &err) < 0 ||
	    vm_acl_choose(&c, d->conf->acl_backend, &sides, &note, &err) < 0) {
		vm_doctor_say_err(d, VM_HEALTH_FAIL, &err);
		return;
	}
	if (sides == 0)
		vm_doctor_say(d, VM_HEALTH_WARN,
			      "run with CAP_BPF and CAP_NET_ADMIN, or mount the devices controller of version 1",
			      "%s", note != NULL ? note : "no device rules");
	else
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "device rules by %s", vm_acl_side_word(sides));
}

/* ---- the service manager ---- */
static bool any_of(const struct vm_tree *t, const char *const *paths)
{
	for (; *paths != NULL; paths++)
		if (vm_tree_has(t, *paths))
			return true;
	return false;
}

static int has_mark(const char *name, void *arg)
{
	(void)name;
	*(bool *)arg = true;
	return 1;
}

static bool any_marked(struct vm_doctor *d)
{
	struct vm_err ignored = VM_ERR_INIT;
	bool any = false;

	(void)!vm_autostart_each(d->state, has_mark, &any, &ignored);
	return any;
}

static void check_systemd(struct vm_doctor *d)
{
	static const char *const units[] = { "etc/systemd/system/vm-guests.service",
					     "usr/local/lib/systemd/system/vm-guests.service",
					     "usr/lib/systemd/system/vm-guests.service",
					     "lib/systemd/system/vm-guests.service", NULL };
	static const char *const enabled[] = {
		"etc/systemd/system/multi-user.target.wants/vm-autostart.service", NULL
	};
	VM_AUTO(vm_systemd_closep) struct vm_systemd *manager = NULL;
	struct vm_err err = VM_ERR_INIT;

	if (!d->tree.recorded && vm_systemd_open(NULL, d->deadline, &manager, &err) < 0) {
		vm_err_hint(&err, "guests then run in groups that systemd does not know, and get SIGTERM from it at the "
				  "end of the host; is this a container that only looks like systemd's?");
		vm_doctor_say_err(d, VM_HEALTH_WARN, &err);
	} else {
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "systemd gives guests scopes");
	}
	if (!any_of(&d->tree, units))
		vm_doctor_say(d, VM_HEALTH_WARN,
			      "install the units that come with vm-utils (vm-init(7)) and systemctl daemon-reload",
			      "vm-guests.service is not installed: guests are not shut down in order with the host");
	else
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "guests are shut down in order with the host");
	if (any_marked(d) && !any_of(&d->tree, enabled))
		vm_doctor_say(d, VM_HEALTH_WARN, "systemctl enable vm-autostart",
			      "guests are marked for autostart, but vm-autostart.service is not enabled");
}

void vm_doctor_init(struct vm_doctor *d)
{
	static const char *const booted[] = { "run/systemd/system", NULL };
	static const char *const openrc[] = { "run/openrc", NULL };
	static const char *const scripts[] = { "etc/init.d/vm-guests", NULL };

	if (any_of(&d->tree, booted)) {
		check_systemd(d);
		return;
	}
	if (any_of(&d->tree, scripts))
		vm_doctor_say(d, VM_HEALTH_OK, NULL, "%s has the script vm-guests",
			      any_of(&d->tree, openrc) ? "OpenRC" : "the host's init");
	else
		vm_doctor_say(d, VM_HEALTH_NOTE, "see vm-init(7) for what there is",
			      "no systemd, and no script vm-guests: nothing starts guests with the host or shuts them "
			      "down with it");
}
