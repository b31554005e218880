/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line from its parts, in libvirt's order: what others refer to comes first. */
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>
#include <vm/state.h>

#include "qemu/plan/plan.h"

static void name(struct vm_plan *p)
{
	struct vm_strbuf b = VM_STRBUF_INIT;

	vm_kv_str(&b, "guest", p->d->name);
	vm_kv_on(&b, "debug-threads", true);
	vm_argv_opt(p->a, "-name", b.text);
	vm_strbuf_free(&b);
}

static void uuid(struct vm_plan *p)
{
	char text[37];

	vm_uuid_format(p->d->uuid, text);
	vm_argv_opt(p->a, "-uuid", text);
}

/* One socket for commands, one for the watcher's events, one for whoever comes while the first is
 * held. */
static void monitors(struct vm_plan *p)
{
	static const struct {
		enum vm_fd_role role;
		const char *id;
	} of[] = {{VM_FD_QMP, "monitor"}, {VM_FD_EVENTS, "events"}, {VM_FD_SPARE, "spare"}};

	for (size_t i = 0; i < VM_COUNT(of); i++) {
		int fd = vm_argv_fd(p->a, of[i].role, NULL, 0, NULL, NULL);

		vm_argv_add(p->a, "-chardev");
		vm_argv_addf(p->a, "socket,id=char%s,fd=%d,server=on,wait=off", of[i].id, fd);
		vm_argv_add(p->a, "-mon");
		vm_argv_addf(p->a, "chardev=char%s,id=%s,mode=control", of[i].id, of[i].id);
	}
}

static void genid(struct vm_plan *p)
{
	struct vm_qobj o = VM_QOBJ_INIT;
	char text[37];

	if (p->d->genid == NULL)
		return;
	vm_uuid_format(p->d->genid->uuid, text);
	vm_qobj_str(&o, "driver", "vmgenid");
	vm_qobj_str(&o, "guid", text);
	vm_qobj_str(&o, "id", "vmgenid0");
	vm_qobj_emit(&o, p->a, "-device");
}

static void vmcoreinfo(struct vm_plan *p)
{
	struct vm_qobj o = VM_QOBJ_INIT;

	if (p->d->features == NULL || p->d->features->vmcoreinfo != VM_SWITCH_ON)
		return;
	vm_qobj_str(&o, "driver", "vmcoreinfo");
	vm_qobj_emit(&o, p->a, "-device");
}

static void tseg(struct vm_plan *p)
{
	if (p->d->features == NULL || p->d->features->smm_tseg == 0)
		return;
	vm_argv_add(p->a, "-global");
	vm_argv_addf(p->a, "mch.extended-tseg-mbytes=%llu",
		     (unsigned long long)(p->d->features->smm_tseg >> 20));
}

static void plan(struct vm_plan *p, const char *emulator)
{
	vm_argv_add(p->a, emulator);
	name(p);
	vm_argv_add(p->a, "-S");
	vm_plan_firmware(p);
	vm_plan_machine(p);
	vm_plan_cpu(p);
	tseg(p);
	vm_plan_memory(p);
	vm_plan_smp(p);
	uuid(p);
	if (p->d->graphics.n == 0)
		vm_argv_opt(p->a, "-display", "none");
	vm_argv_add(p->a, "-no-user-config");
	vm_argv_add(p->a, "-nodefaults");
	monitors(p);
	vm_plan_clock(p);
	vm_plan_power(p);
	vm_plan_boot(p);
	vm_plan_kernel(p);
	genid(p);
	vm_plan_iommu(p);
	vm_plan_controllers(p);
	vm_plan_disks(p);
	vm_plan_filesystems(p);
	vm_plan_interfaces(p);
	vm_plan_serials(p);
	vm_plan_channels(p);
	vm_plan_inputs(p);
	vm_plan_tpms(p);
	vm_plan_graphics(p);
	vm_plan_videos(p);
	vm_plan_watchdogs(p);
	vm_plan_hostdevs(p);
	vm_plan_memballoon(p);
	vm_plan_rngs(p);
	vmcoreinfo(p);
	vm_plan_panics(p);
	vm_argv_opt(p->a, "-sandbox",
		    "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	vm_argv_opt(p->a, "-msg", "timestamp=on");
}

int vm_qemu_argv(const struct vm_domain *d, const struct vm_xml *doc, const struct vm_qemu_env *env,
		 struct vm_argv *ret, struct vm_err *err)
{
	struct vm_argv a = VM_ARGV_INIT;
	struct vm_plan p = {
	    .d = d,
	    .ctx = {.doc = doc, .root = d},
	    .env = env,
	    .a = &a,
	    .nvram = vm_qemu_nvram(d, env->lib_path),
	    .disks = vm_disks_of(d),
	    .ordered = vm_plan_is_ordered(d),
	};
	int r;

	plan(&p, env->emulator != NULL ? env->emulator
		 : d->emulator != NULL ? d->emulator
				       : VM_QEMU_EMULATOR);
	r = vm_plan_hostdevs_check(&p, err) < 0 ? -1 : vm_plan_check(&p, err);
	free(p.nvram);
	free(p.disks);
	if (r < 0) {
		vm_argv_free(&a);
		return -1;
	}
	*ret = a;
	return 0;
}
