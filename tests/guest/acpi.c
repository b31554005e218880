/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Source: QEMU 7.2 docs/specs/acpi_pci_hotplug.txt, acpi_mem_hotplug.txt, acpi_cpu_hotplug.txt;
 * hw/acpi/{ich9,piix4}.c for the port numbers. SeaBIOS puts the PM block at 0x600 on both machines.
 */
#include "guest.h"

#define PM_BASE 0x600
#define PM1_STATUS (PM_BASE + 0)
#define PM1_ENABLE (PM_BASE + 2)
#define PM1_CONTROL (PM_BASE + 4)
#define PM1_BUTTON 0x0100
#define PM1_SCI_EN 0x0001
#define PM1_SLP_EN 0x2000

#define GPE_PCI 0x02
#define GPE_CPU 0x04
#define GPE_MEMORY 0x08

#define MEMORY_BASE 0x0a00
#define EVENT_INSERT 0x02
#define EVENT_REMOVE 0x04
#define EVENT_EJECT 0x08

static const struct platform {
	uint32_t host_bridge;
	uint16_t gpe_status, gpe_enable, pci_hotplug, cpu_hotplug;
} platforms[] = {
	{0x29c08086, 0x0620, 0x0628, 0x0cc0, 0x0cd8}, /* q35 */
	{0x12378086, 0xafe0, 0xafe2, 0xae00, 0xaf00}, /* pc */
};

static const struct platform *platform;
bool acpi_ignore_button;

static void report(const char *kind, unsigned a, const char *what)
{
	serial_puts("hotplug ");
	serial_puts(kind);
	serial_puts(" ");
	serial_dec(a);
	serial_puts(what);
}

static void report_slots(unsigned bus, uint32_t slots, const char *what)
{
	for (unsigned slot = 0; slot < 32; slot++) {
		if (!(slots >> slot & 1))
			continue;
		serial_puts("hotplug pci ");
		serial_dec(bus);
		serial_puts(" ");
		serial_dec(slot);
		serial_puts(what);
	}
}

static void poll_pci(void)
{
	uint16_t base = platform->pci_hotplug;

	for (unsigned bus = 0; bus < 256; bus++) {
		uint32_t up, down;

		outl((uint16_t)(base + 0x10), bus);
		up = inl(base);
		down = inl((uint16_t)(base + 4));
		report_slots(bus, up, " added\n");
		for (unsigned slot = 0; down && slot < 32; slot++) {
			if (down >> slot & 1)
				outl((uint16_t)(base + 8), 1u << slot);
		}
		report_slots(bus, down, " removed\n");
	}
}

static void poll_memory(void)
{
	for (unsigned slot = 0; slot < 256; slot++) {
		uint8_t flags;

		outl(MEMORY_BASE, slot);
		flags = inb(MEMORY_BASE + 0x14);
		if (flags == 0xff)
			return;
		if (flags & EVENT_INSERT) {
			outb(MEMORY_BASE + 0x14, EVENT_INSERT);
			report("memory", slot, " added\n");
		}
		if (flags & EVENT_REMOVE) {
			outb(MEMORY_BASE + 0x14, EVENT_REMOVE);
			outb(MEMORY_BASE + 0x14, EVENT_EJECT);
			report("memory", slot, " removed\n");
		}
	}
}

static void poll_cpu(void)
{
	uint16_t base = platform->cpu_hotplug;

	for (unsigned cpu = 0; cpu < 256; cpu++) {
		uint8_t flags;

		outl(base, cpu);
		flags = inb((uint16_t)(base + 4));
		if (flags & EVENT_INSERT) {
			outb((uint16_t)(base + 4), EVENT_INSERT);
			report("cpu", cpu, " added\n");
		}
		if (flags & EVENT_REMOVE) {
			outb((uint16_t)(base + 4), EVENT_REMOVE);
			outb((uint16_t)(base + 4), EVENT_EJECT);
			report("cpu", cpu, " removed\n");
		}
	}
}

void acpi_init(void)
{
	uint32_t id = pci_read(0, 0, 0, 0);

	for (unsigned i = 0; i < sizeof(platforms) / sizeof(platforms[0]); i++) {
		if (platforms[i].host_bridge == id)
			platform = &platforms[i];
	}
	if (!platform)
		return;
	outw(PM1_STATUS, 0xffff);
	outw(PM1_ENABLE, PM1_BUTTON);
	outw(PM1_CONTROL, PM1_SCI_EN);
	outb(platform->gpe_status, 0xff);
	outb(platform->gpe_enable, GPE_PCI | GPE_CPU | GPE_MEMORY);
	/* a first write to the selector leaves the legacy bitmap of vCPUs */
	outl(platform->cpu_hotplug, 0);
	/* the SCI is level triggered */
	outb(0x4d1, (uint8_t)(inb(0x4d1) | 0x02));
}

void acpi_poll(void)
{
	uint8_t gpe;

	if (!platform)
		return;
	if (inw(PM1_STATUS) & PM1_BUTTON) {
		outw(PM1_STATUS, PM1_BUTTON);
		serial_puts("power button\n");
		if (!acpi_ignore_button)
			acpi_poweroff();
	}
	gpe = inb(platform->gpe_status) & (GPE_PCI | GPE_CPU | GPE_MEMORY);
	if (!gpe)
		return;
	outb(platform->gpe_status, gpe);
	if (!guest_hotplug)
		return;
	if (gpe & GPE_PCI)
		poll_pci();
	if (gpe & GPE_MEMORY)
		poll_memory();
	if (gpe & GPE_CPU)
		poll_cpu();
}

void acpi_poweroff(void)
{
	serial_puts("power off\n");
	outw(PM1_CONTROL, PM1_SLP_EN | PM1_SCI_EN);
}

void acpi_reboot(void)
{
	serial_puts("reboot\n");
	outb(0xcf9, 0x02);
	outb(0xcf9, 0x06);
	outb(0x64, 0xfe);
}
