/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names of machines. */
#include "qemu/qemu.h"

#include <string.h>

#include <vm/cleanup.h>

#include "model/domain.h"

/* Source: qemu-system-x86_64 7.2 -machine help. */
static const struct {
	const char *alias, *name;
} machine_aliases[] = {{"pc", "pc-i440fx-7.2"}, {"q35", "pc-q35-7.2"}};
#define DEFAULT_MACHINE "pc"

const char *vm_qemu_machine(const char *name)
{
	if (name == NULL)
		name = DEFAULT_MACHINE;
	for (size_t i = 0; i < VM_COUNT(machine_aliases); i++)
		if (strcmp(name, machine_aliases[i].alias) == 0)
			return machine_aliases[i].name;
	return name;
}

static bool has_prefix(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool vm_qemu_is_q35(const struct vm_domain *d)
{
	return d->os->machine != NULL &&
	       (strcmp(d->os->machine, "q35") == 0 || has_prefix(d->os->machine, "pc-q35"));
}

bool vm_qemu_is_i440fx(const struct vm_domain *d)
{
	const char *m = d->os->machine;

	return m == NULL || strcmp(m, "pc") == 0 || has_prefix(m, "pc-0.") ||
	       has_prefix(m, "pc-1.") || has_prefix(m, "pc-i440") || has_prefix(m, "rhel");
}

bool vm_qemu_machine_known(const char *name)
{
	return strcmp(name, "pc") == 0 || strcmp(name, "q35") == 0 || has_prefix(name, "pc-q35-") ||
	       has_prefix(name, "pc-i440fx-") || has_prefix(name, "pc-1.") ||
	       has_prefix(name, "pc-0.");
}
