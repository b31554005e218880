/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A device's configuration space, and names of devices, as a hostile device or user could give them. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <vm/alloc.h>

#include "guest/hostdev_view.h"
#include "host/pci.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	/* bytes beyond the end would be found */
	uint8_t *copy = vm_xmemdup(data, size > 0 ? size : 1);
	char *text = vm_xstrndup((const char *)data, size);
	struct vm_pci_config config;
	struct vm_hostdev_name name;
	struct vm_pci_address address, again;
	struct vm_err err = VM_ERR_INIT;
	char back[VM_PCI_NAME];

	if (size > 0 && vm_pci_config_parse(copy, size, &config) == 0)
		assert(config.caps_known || !config.pcie);
	if (vm_pci_parse(text, &address)) {
		vm_pci_name(&address, back);
		assert(vm_pci_parse(back, &again) && vm_pci_compare(&address, &again) == 0);
	}
	if (vm_hostdev_name_parse(text, &name, &err) < 0)
		assert(err.kind == VM_USAGE);
	free(copy);
	free(text);
	return 0;
}
