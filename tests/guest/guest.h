/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

/* start.S */
void guest_sleep(void);
void guest_irq(void);
void guest_fault(void);

/* serial.c: COM1, 8250 at 0x3f8, interrupt 4. */
void serial_init(void);
void serial_puts(const char *s);
void serial_hex(uint32_t value, unsigned digits);
void serial_dec(uint32_t value);
/* The next complete line without its end, or NULL when there is none yet. */
const char *serial_line(void);

/* pci.c: configuration mechanism 1. */
uint32_t pci_read(unsigned bus, unsigned slot, unsigned fn, unsigned reg);
void pci_write16(unsigned bus, unsigned slot, unsigned fn, unsigned reg, uint16_t value);
void pci_list(void);
/* Finds the slots with PCIe native hotplug; their number. */
unsigned pci_native_slots(void);
void pci_native_poll(void);

/* igbvf.c: says on the serial port which MAC the card's driver gives this one. */
void igbvf_mac(unsigned bus, unsigned slot, unsigned fn);

/* acpi.c: power button, power off, reset, ACPI hotplug of PCI devices, memory and vCPUs. */
void acpi_init(void);
void acpi_poll(void);
void acpi_poweroff(void);
void acpi_reboot(void);
extern bool acpi_ignore_button;

/* main.c */
extern bool guest_hotplug;
