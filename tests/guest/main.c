/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A guest small enough to start in an instant. It lists its PCI devices on the serial port, obeys
 * line commands there, the ACPI power button and hot-unplug requests, and sleeps otherwise.
 */
#include <stddef.h>

#include "guest.h"

struct __attribute__((packed)) gate {
	uint16_t low, selector, type, high;
};

struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint32_t base;
};

static struct gate idt[256];
static bool polling;
bool guest_hotplug = true;
extern char guest_end[];

void guest_main(void);
void guest_main_fault(void);

static void set_gate(unsigned vector, void (*handler)(void))
{
	uint32_t address = (uint32_t)handler;

	idt[vector] = (struct gate){(uint16_t)address, 0x08, 0x8e00, (uint16_t)(address >> 16)};
}

static void interrupts_init(void)
{
	struct table_pointer p = {sizeof(idt) - 1, (uint32_t)idt};

	for (unsigned v = 0; v < 256; v++)
		set_gate(v, v < 32 ? guest_fault : guest_irq);
	__asm__ volatile("lidt %0" : : "m"(p));
	/* 8259: vectors 0x20 and 0x28; open are 0 (timer), 2 (cascade), 4 (serial), 9 (SCI) */
	outb(0x20, 0x11);
	outb(0xa0, 0x11);
	outb(0x21, 0x20);
	outb(0xa1, 0x28);
	outb(0x21, 0x04);
	outb(0xa1, 0x02);
	outb(0x21, 0x01);
	outb(0xa1, 0x01);
	outb(0x21, (uint8_t)~0x15);
	outb(0xa1, (uint8_t)~0x02);
}

/* The timer stands still unless slots have to be polled; then it ticks 18 times a second. */
static void timer_init(bool periodic)
{
	outb(0x43, periodic ? 0x34 : 0x30);
	outb(0x40, 0);
	outb(0x40, 0);
}

static bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* The rest of s after word and one space, or NULL. */
static const char *after(const char *s, const char *word)
{
	while (*word && *s == *word) {
		s++;
		word++;
	}
	if (*word || *s != ' ')
		return NULL;
	return s + 1;
}

static uint32_t number(const char *s)
{
	uint32_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (uint32_t)(*s - '0');
	return n;
}

static void touch(uint32_t mib)
{
	volatile char *p = guest_end;

	for (uint32_t page = 0; page < mib * 256 && page < 0x80000; page++)
		p[page * 4096] = (char)page;
	serial_puts("touched\n");
}

static void command(const char *s)
{
	const char *arg;

	if (equal(s, "ping")) {
		serial_puts("pong\n");
	} else if (equal(s, "pci")) {
		pci_list();
		serial_puts("pci end\n");
	} else if (equal(s, "poweroff")) {
		acpi_poweroff();
	} else if (equal(s, "reboot")) {
		acpi_reboot();
	} else if (equal(s, "hang")) {
		serial_puts("hang\n");
		for (;;)
			__asm__ volatile("cli; hlt");
	} else if (equal(s, "spin")) {
		serial_puts("spin\n");
		for (;;)
			__asm__ volatile("");
	} else if (equal(s, "panic")) {
		/* Source: QEMU docs/specs/pvpanic.txt */
		serial_puts(inb(0x505) & 1 ? "panic\n" : "panic: no pvpanic device\n");
		outb(0x505, 1);
	} else if (equal(s, "triple-fault")) {
		struct table_pointer none = {0, 0};

		__asm__ volatile("lidt %0; int3" : : "m"(none));
	} else if ((arg = after(s, "echo"))) {
		serial_puts(arg);
		serial_puts("\n");
	} else if ((arg = after(s, "touch"))) {
		touch(number(arg));
	} else if ((arg = after(s, "hotplug"))) {
		guest_hotplug = equal(arg, "on");
		serial_puts("ok\n");
	} else if ((arg = after(s, "ignore-button"))) {
		acpi_ignore_button = equal(arg, "on");
		serial_puts("ok\n");
	} else {
		serial_puts("unknown command\n");
	}
}

void guest_main_fault(void)
{
	serial_puts("fault\n");
}

void guest_main(void)
{
	const char *line;

	serial_init();
	interrupts_init();
	acpi_init();
	polling = pci_native_slots() > 0;
	timer_init(polling);
	serial_puts("\nvm-test-guest ready\n");
	pci_list();
	serial_puts("pci end\n");
	for (;;) {
		acpi_poll();
		if (polling)
			pci_native_poll();
		line = serial_line();
		if (line)
			command(line);
		else
			guest_sleep();
	}
}
