/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Does this QEMU have what the command line asks of it?  Asked of its capabilities before anything
 * is changed. */
#include <stdio.h>
#include <string.h>

#include <vm/cleanup.h>
#include <vm/json.h>

#include "qemu/caps/caps.h"
#include "qemu/plan/plan.h"

static int check_machine(const struct vm_plan *p, struct vm_err *err)
{
	struct vm_err why = VM_ERR_INIT;
	struct vm_qemu_machine m;

	if (vm_qemu_caps_machine(p->env->caps, p->d->os->machine, &m, &why) < 0)
		return mt_error(&p->ctx, p->d->os, "type/@machine", why.kind, err, "%s", why.msg);
	if (p->d->vcpus > m.cpu_max)
		return mt_error(&p->ctx, p->d, "vcpu", VM_UNSUPPORTED, err,
				"machine '%s' takes %llu vCPUs at most", m.name,
				(unsigned long long)m.cpu_max);
	return 0;
}

static int check_cpu(const struct vm_plan *p, struct vm_err *err)
{
	const struct vm_cpu *cpu = p->d->cpu;
	char what[128];

	if (cpu == NULL || cpu->model == NULL ||
	    (cpu->mode != VM_CPU_CUSTOM && cpu->mode != VM_CPU_MODE_ABSENT))
		return 0;
	snprintf(what, sizeof(what), "cpu:%s", cpu->model);
	if (vm_qemu_caps_has(p->env->caps, what))
		return 0;
	return mt_error(&p->ctx, cpu, "model", VM_UNSUPPORTED, err, "%s has no CPU model '%s'",
			vm_qemu_caps_emulator(p->env->caps), cpu->model);
}

/* Source: qdev_alias_table of softmmu/qdev-monitor.c, QEMU 7.2. */
static const char *type_of(const char *driver)
{
	static const struct {
		const char *alias, *type;
	} aliases[] = {{"lsi", "lsi53c895a"}, {"ahci", "ich9-ahci"}};

	for (size_t i = 0; i < VM_COUNT(aliases); i++)
		if (strcmp(driver, aliases[i].alias) == 0)
			return aliases[i].type;
	return driver;
}

static int check_type(const struct vm_plan *p, const char *json, const char *key,
		      struct vm_err *err)
{
	char name[80], what[96];

	if (!vm_json_string(vm_json_find(json, strlen(json), key), name, sizeof(name)))
		return 0;
	snprintf(what, sizeof(what), "type:%s", type_of(name));
	if (vm_qemu_caps_has(p->env->caps, what))
		return 0;
	return vm_err_set(err, VM_UNSUPPORTED, "%s has no %s", vm_qemu_caps_emulator(p->env->caps),
			  name);
}

int vm_plan_check(const struct vm_plan *p, struct vm_err *err)
{
	static const struct {
		const char *option, *key;
	} types[] = {{"-device", "driver"}, {"-object", "qom-type"}};

	if (p->env->caps == NULL)
		return 0;
	if (check_machine(p, err) < 0 || check_cpu(p, err) < 0)
		return -1;
	for (size_t i = 1; i < p->a->n; i++)
		for (size_t t = 0; t < VM_COUNT(types); t++)
			if (strcmp(p->a->v[i - 1], types[t].option) == 0 &&
			    check_type(p, p->a->v[i], types[t].key, err) < 0)
				return -1;
	return 0;
}
