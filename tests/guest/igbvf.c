/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A virtual function of an 82576 asks its card, through their mailbox, which MAC it has.  Source: Intel 82576 Datasheet 7.8.2.9,
 * 8.14.3 and 8.14.4 (mailbox); Linux, drivers/net/ethernet/intel/igbvf/mbx.h (messages). */
#include "guest.h"

#define MEMORY 0x800
#define MAILBOX 0xc40
#define REQUEST 0x01
#define ACKNOWLEDGE 0x02
#define MINE 0x04
#define CARD_HAS_WRITTEN 0x10
#define RESET 0x01
#define YES 0x80000000u
#define PATIENCE 1000000u /* reads */

static volatile uint32_t *registers(unsigned bus, unsigned slot, unsigned fn)
{
	uint32_t low = pci_read(bus, slot, fn, 0x10), high = low & 4 ? pci_read(bus, slot, fn, 0x14) : 0;

	return high != 0 ? 0 : (volatile uint32_t *)(low & ~15u);
}

static bool wait_for(volatile uint32_t *mailbox, uint32_t bit)
{
	for (uint32_t n = 0; n < PATIENCE; n++)
		if (*mailbox & bit)
			return true;
	return false;
}

static bool take(volatile uint32_t *mailbox)
{
	for (uint32_t n = 0; n < PATIENCE; n++) {
		*mailbox = MINE;
		if (*mailbox & MINE)
			return true;
	}
	return false;
}

void igbvf_mac(unsigned bus, unsigned slot, unsigned fn)
{
	volatile uint32_t *base = registers(bus, slot, fn);
	volatile uint32_t *mailbox = base + MAILBOX / 4, *memory = base + MEMORY / 4;
	uint32_t words[3];

	serial_puts("igbvf ");
	if (!base || !take(mailbox)) {
		serial_puts(base ? "busy\n" : "out of reach\n");
		return;
	}
	*memory = RESET;
	*mailbox = REQUEST;
	if (!wait_for(mailbox, CARD_HAS_WRITTEN) || !take(mailbox)) {
		serial_puts("no answer\n");
		return;
	}
	for (unsigned i = 0; i < 3; i++)
		words[i] = memory[i];
	*mailbox = ACKNOWLEDGE;
	if (!(words[0] & YES)) {
		serial_puts("no mac\n");
		return;
	}
	serial_puts("mac ");
	for (unsigned i = 0; i < 6; i++) {
		serial_puts(i ? ":" : "");
		serial_hex(words[1 + i / 4] >> i % 4 * 8 & 0xff, 2);
	}
	serial_puts("\n");
}
