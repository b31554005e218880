/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the library does with a card's virtual functions, tried on a card of this machine.
 *
 *   vf-live INTERFACE N read                          prints "MAC VLAN PRIORITY [802.1ad]"
 *   vf-live INTERFACE N set MAC [VLAN]
 *   vf-live INTERFACE N restore MAC VLAN PRIORITY [802.1ad]
 *   vf-live INTERFACE N told                          prints "TRUST SPOOFCHECK LINK MIN MAX" as far as the driver tells
 *   vf-live INTERFACE N check                         is the card's interface up?
 *
 * The function itself has no interface: 0000:00:00.0, which has none, stands for it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vm/err.h>

#include "host/sys.h"
#include "host/vf.h"

static int show(const struct vm_sys *s, const struct vm_vf *vf, struct vm_err *err)
{
	struct vm_vf_config c;
	char mac[VM_MAC_TEXT];

	if (vm_vf_read(s, vf, &c, err) < 0)
		return -1;
	vm_mac_format(c.mac, mac);
	printf("%s %u %u%s\n", mac, c.vlan, c.qos, c.service ? " 802.1ad" : "");
	return 0;
}

static const char *on(int value)
{
	return value < 0 ? "-" : value > 0 ? "on" : "off";
}

static int tell(const struct vm_sys *s, const struct vm_vf *vf, struct vm_err *err)
{
	struct vm_vf_config c;

	if (vm_vf_read(s, vf, &c, err) < 0)
		return -1;
	printf("%s %s %s %u %u\n", on(c.told.trusted), on(c.told.spoof_check),
	       c.told.link >= 0 ? vm_vf_link_words[c.told.link] : "-", c.told.tx_min, c.told.tx_max);
	return 0;
}

static int set(const struct vm_sys *s, const struct vm_vf *vf, char **words, int n, struct vm_err *err)
{
	struct vm_vf_want want = { .has_vlan = n > 1 };

	if (n < 1 || !vm_mac_parse(words[0], want.mac))
		return vm_err_set(err, VM_USAGE, "set MAC [VLAN]");
	if (n > 1)
		want.vlan = (uint16_t)atoi(words[1]);
	return vm_vf_set(s, vf, &want, err);
}

static int restore(const struct vm_sys *s, const struct vm_vf *vf, char **words, int n, struct vm_err *err)
{
	struct vm_vf_config was = { .service = n > 3 };

	if (n < 3 || !vm_mac_parse(words[0], was.mac))
		return vm_err_set(err, VM_USAGE, "restore MAC VLAN PRIORITY [802.1ad]");
	was.vlan = (uint16_t)atoi(words[1]);
	was.qos = (uint8_t)atoi(words[2]);
	return vm_vf_restore(s, vf, &was, err);
}

int main(int argc, char **argv)
{
	struct vm_sys s = VM_SYS_INIT;
	struct vm_vf vf = { .name = "0000:00:00.0" };
	struct vm_err err = VM_ERR_INIT;
	int r = 2;

	if (argc < 4)
		return 2;
	snprintf(vf.pf, sizeof(vf.pf), "%s", argv[1]);
	vf.index = (unsigned)atoi(argv[2]);
	if (vm_sys_open("/", &s, &err) == 0) {
		if (strcmp(argv[3], "read") == 0)
			r = show(&s, &vf, &err);
		else if (strcmp(argv[3], "told") == 0)
			r = tell(&s, &vf, &err);
		else if (strcmp(argv[3], "set") == 0)
			r = set(&s, &vf, argv + 4, argc - 4, &err);
		else if (strcmp(argv[3], "restore") == 0)
			r = restore(&s, &vf, argv + 4, argc - 4, &err);
		else if (strcmp(argv[3], "check") == 0)
			r = vm_vf_check(&s, &vf, &err);
	}
	vm_sys_close(&s);
	if (err.kind != VM_OK)
		fprintf(stderr, "%s; %s\n", err.msg, err.hint);
	return r == 0 ? 0 : 1;
}
