/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Source: PCI Local Bus 3.0, 3.2.2.3.2; PCI Express Base 2.0, 7.8 (slot registers). */
#include "guest.h"

#define SLOT_ATTENTION 0x0001
#define SLOT_PRESENCE 0x0008
#define SLOT_PRESENT 0x0040
#define CTL_POWER_INDICATOR 0x0300
#define CTL_INDICATOR_ON 0x0100
#define CTL_POWER_OFF 0x0400

static struct native_slot {
	uint8_t bus, slot, fn, cap;
} native[64];
static unsigned native_count;
static bool native_was_present[64];

static void select(unsigned bus, unsigned slot, unsigned fn, unsigned reg)
{
	outl(0xcf8, 0x80000000u | bus << 16 | slot << 11 | fn << 8 | (reg & 0xfc));
}

uint32_t pci_read(unsigned bus, unsigned slot, unsigned fn, unsigned reg)
{
	select(bus, slot, fn, reg);
	return inl(0xcfc);
}

void pci_write16(unsigned bus, unsigned slot, unsigned fn, unsigned reg, uint16_t value)
{
	select(bus, slot, fn, reg);
	outw((uint16_t)(0xcfc + (reg & 2)), value);
}

static void print(unsigned bus, unsigned slot, unsigned fn, uint32_t id)
{
	serial_puts("pci ");
	serial_hex(bus, 2);
	serial_puts(":");
	serial_hex(slot, 2);
	serial_puts(".");
	serial_dec(fn);
	serial_puts(" ");
	serial_hex(id & 0xffff, 4);
	serial_puts(":");
	serial_hex(id >> 16, 4);
	serial_puts(" class ");
	serial_hex(pci_read(bus, slot, fn, 0x08) >> 8, 6);
	serial_puts("\n");
	if (id == 0x10ca8086)
		igbvf_mac(bus, slot, fn);
}

typedef void visit_fn(unsigned bus, unsigned slot, unsigned fn, uint32_t id);

static void scan(unsigned bus, visit_fn *visit)
{
	for (unsigned slot = 0; slot < 32; slot++) {
		unsigned functions = 1;

		for (unsigned fn = 0; fn < functions; fn++) {
			uint32_t id = pci_read(bus, slot, fn, 0x00);
			uint32_t type;

			if ((id & 0xffff) == 0xffff)
				continue;
			type = pci_read(bus, slot, fn, 0x0c) >> 16 & 0xff;
			if (type & 0x80)
				functions = 8;
			visit(bus, slot, fn, id);
			if ((type & 0x7f) == 1) {
				unsigned secondary = pci_read(bus, slot, fn, 0x18) >> 8 & 0xff;

				if (secondary > bus)
					scan(secondary, visit);
			}
		}
	}
}

void pci_list(void)
{
	scan(0, print);
}

static unsigned express_capability(unsigned bus, unsigned slot, unsigned fn)
{
	unsigned pos;

	if (!(pci_read(bus, slot, fn, 0x04) & 0x00100000))
		return 0;
	pos = pci_read(bus, slot, fn, 0x34) & 0xfc;
	for (unsigned limit = 48; pos >= 0x40 && limit; limit--) {
		uint32_t header = pci_read(bus, slot, fn, pos);

		if ((header & 0xff) == 0x10)
			return pos;
		pos = header >> 8 & 0xfc;
	}
	return 0;
}

static void collect(unsigned bus, unsigned slot, unsigned fn, uint32_t id)
{
	unsigned cap = express_capability(bus, slot, fn);

	(void)id;
	if (!cap || native_count == sizeof(native) / sizeof(native[0]))
		return;
	/* slot implemented, and the slot capabilities say "hot-plug capable" */
	if (!(pci_read(bus, slot, fn, cap) & 0x01000000) ||
	    !(pci_read(bus, slot, fn, cap + 0x14) & 0x40))
		return;
	native_was_present[native_count] =
	    (pci_read(bus, slot, fn, cap + 0x18) >> 16 & SLOT_PRESENT) != 0;
	native[native_count++] = (struct native_slot){(uint8_t)bus, (uint8_t)slot, (uint8_t)fn,
						      (uint8_t)cap};
}

unsigned pci_native_slots(void)
{
	native_count = 0;
	scan(0, collect);
	return native_count;
}

static void report(const char *what, const struct native_slot *s)
{
	serial_puts("hotplug native ");
	serial_hex(pci_read(s->bus, s->slot, s->fn, 0x18) >> 8 & 0xff, 2);
	serial_puts(what);
}

static void power(const struct native_slot *s, bool on)
{
	uint16_t ctl = pci_read(s->bus, s->slot, s->fn, s->cap + 0x18u) & 0xffff;

	ctl = ctl & (uint16_t) ~(CTL_POWER_INDICATOR | CTL_POWER_OFF);
	ctl = (uint16_t)(ctl | (on ? CTL_INDICATOR_ON : CTL_POWER_INDICATOR | CTL_POWER_OFF));
	pci_write16(s->bus, s->slot, s->fn, s->cap + 0x18u, ctl);
}

void pci_native_poll(void)
{
	for (unsigned i = 0; i < native_count; i++) {
		const struct native_slot *s = &native[i];
		uint16_t status = pci_read(s->bus, s->slot, s->fn, s->cap + 0x18u) >> 16 & 0xffff;
		bool here = status & SLOT_PRESENT;

		if (!(status & (SLOT_ATTENTION | SLOT_PRESENCE)))
			continue;
		pci_write16(s->bus, s->slot, s->fn, s->cap + 0x1au, status);
		if (here && !native_was_present[i]) {
			power(s, true);
			report(" added\n", s);
		} else if (here && status & SLOT_ATTENTION && guest_hotplug) {
			power(s, false);
			here = false;
			report(" removed\n", s);
		} else if (!here && native_was_present[i]) {
			report(" gone\n", s);
		}
		native_was_present[i] = here;
	}
}
