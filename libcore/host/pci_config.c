/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pci_config.h"

#define COMMAND		0x04
#define STATUS		0x06
#define STATUS_CAPS	0x10
#define HEADER		0x0e
#define SECONDARY	0x19
#define SUBORDINATE	0x1a
#define SUBSYSTEM	0x2c
#define CAPS		0x34
#define CAPS_CARDBUS	0x14
#define CAPS_FIRST	0x40u /* the header ends here */
#define CAPS_MAX	48    /* of four bytes each: more cannot be without a loop */
#define EXTENDED_FIRST	0x100u
#define EXTENDED_MAX	480
#define EXTENDED_ACS	0x0d
#define EXTENDED_SRIOV	0x10
#define CAP_PM		0x01
#define CAP_MSI		0x05
#define CAP_PCIE	0x10
#define CAP_MSIX	0x11
#define CAP_AF		0x13
#define PMCSR_NO_RESET	0x08
#define DEVCAP_FLR	(1u << 28)
#define AF_TP_AND_FLR	0x03

struct space {
	const uint8_t *at;
	size_t len;
};

/* What lies beyond the end reads as zero: no capability is there. */
static uint8_t byte(const struct space *c, size_t at)
{
	return at < c->len ? c->at[at] : 0;
}

static uint16_t word(const struct space *c, size_t at)
{
	return (uint16_t)(byte(c, at) | byte(c, at + 1) << 8);
}

static uint32_t dword(const struct space *c, size_t at)
{
	return word(c, at) | (uint32_t)word(c, at + 2) << 16;
}

static void capability(const struct space *c, size_t at, struct vm_pci_config *r)
{
	switch (byte(c, at)) {
	case CAP_PM:
		r->pm = true;
		r->pm_reset = at + 6 <= c->len && (byte(c, at + 4) & PMCSR_NO_RESET) == 0;
		break;
	case CAP_MSI:
		r->msi = true;
		break;
	case CAP_PCIE:
		r->pcie = true;
		r->pcie_type = (uint8_t)(byte(c, at + 2) >> 4);
		r->flr = (dword(c, at + 4) & DEVCAP_FLR) != 0;
		break;
	case CAP_MSIX:
		r->msix = true;
		break;
	case CAP_AF:
		r->af_flr = (byte(c, at + 3) & AF_TP_AND_FLR) == AF_TP_AND_FLR;
		break;
	default:
		break;
	}
}

static void capabilities(const struct space *c, struct vm_pci_config *r)
{
	size_t at = byte(c, r->header == VM_PCI_HEADER_CARDBUS ? CAPS_CARDBUS : CAPS) & ~3u;

	if ((word(c, STATUS) & STATUS_CAPS) == 0)
		return;
	for (int n = 0; n < CAPS_MAX && at >= CAPS_FIRST && at + 2 <= c->len; n++) {
		if (byte(c, at) == 0xff)
			return;
		capability(c, at, r);
		at = byte(c, at + 1) & ~3u;
	}
}

static void extended(const struct space *c, struct vm_pci_config *r)
{
	size_t at = EXTENDED_FIRST;

	for (int n = 0; n < EXTENDED_MAX && at >= EXTENDED_FIRST && at + 4 <= c->len; n++) {
		uint32_t head = dword(c, at);

		if (head == 0 || head == UINT32_MAX)
			return;
		if ((head & 0xffff) == EXTENDED_ACS)
			r->acs = true;
		if ((head & 0xffff) == EXTENDED_SRIOV) {
			r->sriov = true;
			r->sriov_total = word(c, at + 0x0e);
		}
		at = head >> 20 & ~3u;
	}
}

int vm_pci_config_parse(const uint8_t *config, size_t len, struct vm_pci_config *ret)
{
	struct space c = { config, len < VM_PCI_CONFIG_MAX ? len : VM_PCI_CONFIG_MAX };
	struct vm_pci_config r = { 0 };

	/* a virtual function's vendor and device alone are ones */
	if (len < CAPS_FIRST || (dword(&c, 0) == UINT32_MAX && dword(&c, COMMAND) == UINT32_MAX))
		return -1;
	r.vendor = word(&c, 0);
	r.device = word(&c, 2);
	r.revision = byte(&c, 8);
	r.class = dword(&c, 8) >> 8;
	r.header = byte(&c, HEADER) & 0x7f;
	r.multifunction = (byte(&c, HEADER) & 0x80) != 0;
	if (r.header == VM_PCI_HEADER_ENDPOINT) {
		r.subvendor = word(&c, SUBSYSTEM);
		r.subdevice = word(&c, SUBSYSTEM + 2);
	} else {
		r.secondary = byte(&c, SECONDARY);
		r.subordinate = byte(&c, SUBORDINATE);
	}
	r.caps_known = c.len > CAPS_FIRST;
	if (r.caps_known) {
		capabilities(&c, &r);
		if (r.pcie)
			extended(&c, &r);
	}
	*ret = r;
	return 0;
}
