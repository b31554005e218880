/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "modes.h"

#include <string.h>

#include "driver.h"

static const struct {
	const char *word;
	unsigned bit;
} modes[] = {
	{ "acpi", VM_SHUTDOWN_ACPI },	{ "agent", VM_SHUTDOWN_AGENT },
	{ "initctl", VM_SHUTDOWN_INITCTL }, { "signal", VM_SHUTDOWN_SIGNAL },
	{ "paravirt", VM_SHUTDOWN_PARAVIRT },
};

int vm_shutdown_modes(const struct vm_words *words, unsigned *ret, struct vm_err *err)
{
	unsigned bits = 0;

	for (size_t i = 0; i < words->n; i++) {
		unsigned bit = 0;

		for (size_t m = 0; m < VM_COUNT(modes); m++)
			if (strcmp(modes[m].word, words->v[i]) == 0)
				bit = modes[m].bit;
		if (bit == 0)
			return vm_err_set(err, VM_USAGE,
					  "no mode is called '%s'; there are acpi, agent, initctl, "
					  "signal and paravirt",
					  words->v[i]);
		bits |= bit;
	}
	*ret = bits;
	return 0;
}
