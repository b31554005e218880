/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "modes.h"

#include <string.h>

static const struct {
	const char *word;
	enum vm_shutdown_mode mode;
} modes[] = {
	{ "acpi", VM_SHUTDOWN_ACPI },	{ "agent", VM_SHUTDOWN_AGENT },
	{ "initctl", VM_SHUTDOWN_INITCTL }, { "signal", VM_SHUTDOWN_SIGNAL },
	{ "paravirt", VM_SHUTDOWN_PARAVIRT },
};

int vm_shutdown_modes_parse(const struct vm_words *words, struct vm_shutdown_modes *ret,
			    struct vm_err *err)
{
	struct vm_shutdown_modes list = { .n = 0 };

	for (size_t i = 0; i < words->n; i++) {
		size_t m = 0;
		bool twice = false;

		while (m < VM_COUNT(modes) && strcmp(modes[m].word, words->v[i]) != 0)
			m++;
		if (m == VM_COUNT(modes))
			return vm_err_set(err, VM_USAGE,
					  "no mode is called '%s'; there are acpi, agent, initctl, "
					  "signal and paravirt",
					  words->v[i]);
		for (unsigned k = 0; k < list.n; k++)
			twice = twice || list.v[k] == modes[m].mode;
		if (!twice)
			list.v[list.n++] = modes[m].mode;
	}
	*ret = list;
	return 0;
}
