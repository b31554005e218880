/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line of this start. */
#include "start_step.h"

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/log.h>
#include <vm/state.h>

#include "qemu/caps/caps.h"
#include "host/iommu.h"
#include "host/tap.h"
#include "host/vfio.h"
#include "model/domain.h"
#include "qemu/plan/plan.h"
#include "qemu/qemu.h"

static bool may_want_iommufd(const struct vm_domain *d)
{
	struct vm_hostdev_iter i = { 0 };
	const struct vm_hostdev *h;

	while ((h = vm_hostdev_next(d, &i)) != NULL)
		if (i.disk == NULL && h->type == VM_HOSTDEV_TYPE_PCI && (d->iommufd == VM_SWITCH_ABSENT || vm_hostdev_iommufd(d, h)))
			return true;
	return false;
}

/* Whether there are nodes of devices shows when VFIO is loaded, which it is to be anyhow; not for a look at what would be. */
static void look_further(const struct vm_start *s, const struct vm_sys *sys, struct vm_vfio_host *host, struct vm_unread *unread)
{
	struct vm_err ignored = VM_ERR_INIT;
	int cdev;

	if (host->loaded)
		return;
	if (!s->o->dry_run) {
		if (vm_vfio_load(sys, NULL, s->deadline, &ignored) == 0)
			vm_vfio_host_read(sys, host, unread);
		return;
	}
	cdev = vm_vfio_host_foresee(sys, host);
	host->cdev = cdev > 0;
	if (cdev < 0)
		vm_log_warning("VFIO is not loaded, and whether it has nodes of devices cannot be seen: shown are PCI devices by its "
			       "container, but by iommufd they are started if it has; after 'modprobe vfio-pci' it is known");
}

/* Where host and QEMU have it and the document leaves it open: for all PCI devices of this run, as its live document says. */
static int choose_iommufd(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO(vm_sys_close) struct vm_sys sys = VM_SYS_INIT;
	struct vm_unread unread = VM_UNREAD_NONE;
	struct vm_vfio_host host;

	if (!may_want_iommufd(s->d) || !vm_qemu_has_iommufd(s->caps))
		return 0;
	if (vm_sys_open(NULL, &sys, err) < 0)
		return -1;
	vm_vfio_host_read(&sys, &host, &unread);
	look_further(s, &sys, &host, &unread);
	if (vm_unread_fail(&unread, err) < 0)
		return -1;
	vm_qemu_choose_iommufd(s->d, s->caps, &host);
	return 0;
}

int vm_start_plan(struct vm_start *s, struct vm_err *err)
{
	VM_AUTO_FREE char *run = vm_xasprintf("%s/%s", s->g->state->run_path, s->g->name);
	VM_AUTO_FREE char *lib = vm_xasprintf("%s/%s", s->g->state->lib_path, s->g->name);
	struct vm_qemu_env env = {
		.run_path = run, .lib_path = lib, .no_vhost_net = !vm_vhost_net_usable(),
		.given_files = true,
		.hostdev_nodes = (const char *const *)s->hostdev_nodes.v,
	};
	struct vm_os *os = s->d->os;

	if (vm_qemu_emulator(s->g->state, s->d->emulator, s->d->os->arch, &s->emulator, err) < 0)
		return -1;
	if (vm_qemu_caps_get(s->g->state, s->emulator, s->deadline, &s->caps, err) < 0)
		return -1;
	/* What the document leaves open is in the live one. */
	if (vm_qemu_choose_firmware(s->d, err) < 0)
		return -1;
	if (os->nvram == NULL && (os->nvram = vm_qemu_nvram(s->d, lib)) != NULL)
		mt_assigned(&os->obj, VM_OS_BIT_NVRAM);
	if (os->nvram != NULL && os->nvram_template == NULL &&
	    (os->nvram_template = vm_qemu_nvram_template(s->d)) != NULL)
		mt_assigned(&os->obj, VM_OS_BIT_NVRAM_TEMPLATE);
	if (choose_iommufd(s, err) < 0)
		return -1;
	env.emulator = s->emulator;
	env.caps = s->caps;
	vm_argv_free(&s->argv);
	return vm_qemu_argv(s->d, s->as_written ? s->doc : NULL, &env, &s->argv, err);
}
