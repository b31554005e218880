/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Answers of rtnetlink about a card's virtual functions, and MAC addresses as text. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vm/alloc.h>
#include <vm/cleanup.h>

#include "host/rtnetlink.h"
#include "host/vf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	VM_AUTO_FREE char *text = vm_xstrndup((const char *)data, size);
	VM_AUTO_FREE uint8_t *answer = vm_xmalloc(size + 1); /* aligned, and no longer than what was received */
	struct vm_vf_config c;
	uint8_t mac[6], again[6];
	char buf[VM_MAC_TEXT];
	bool up;

	if (size > 0)
		memcpy(answer, data, size);
	if (size >= 16)
		for (unsigned i = 0; i < 3; i++)
			if (vm_vf_parse(answer, size, i, &c, &up))
				assert(c.vlan < 4096 && c.qos < 8);
	if (size > 0) {
		int e = vm_rt_parse((const char *)answer, size, data[0] & 1);

		assert(e >= 0 && e <= 4095);
	}
	if (vm_mac_parse(text, mac)) {
		vm_mac_format(mac, buf);
		assert(vm_mac_parse(buf, again) && memcmp(mac, again, 6) == 0);
	}
	return 0;
}
